import { setTimeout } from 'node:timers/promises';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { VERSION } from '#shared/config/version.ts';
import { fetchJson, fetchText } from './admin-client.ts';
import { CliError } from './cli-error.ts';
import { authzCheck } from './commands/authz-check.ts';
import { addPlaygroundCommands } from './commands/playground.ts';
import { STAT_KINDS, type StatKind, statReport } from './commands/stat.ts';
import { versionReport } from './commands/version.ts';
import { waypointList } from './commands/waypoint-list.ts';
import { TABLES, ztunnelConfig } from './commands/ztunnel-config.ts';
import { decodeConfigDump } from './config-dump.ts';
import { parsePrometheusText, type Sample } from './prometheus-text.ts';
import { findProxies, type ProxyRef, readProxies } from './proxies.ts';
import { OUTPUT_FORMATS, type OutputFormat, render, type Report } from './render/output.ts';

export interface CliIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

interface CommonOptions {
  readonly output: OutputFormat;
  readonly stateDir?: string;
  readonly adminAddress?: string;
  readonly node?: string;
  readonly namespace?: string;
}

/** Runs one command line. Never throws: what goes wrong is one line on stderr. @returns the exit status. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const program = buildProgram(io);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    io.stderr(`ambientctl: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof CliError ? error.exitCode : 1;
  }
}

export function buildProgram(io: CliIo): Command {
  const program = new Command('ambientctl')
    .description('Installs, shows and debugs an ambient mesh.')
    .version(VERSION, '--version', 'the version of this client')
    .exitOverride()
    .configureOutput({
      writeOut: io.stdout,
      writeErr: io.stderr,
      outputError: (text, write) => write(oneLine(text)),
    })
    .showSuggestionAfterError();
  addZtunnelConfig(program, io);
  addStat(program, io);
  addAuthz(program, io);
  addWaypoint(program, io);
  common(program.command('version').description('versions of the client and of every proxy')).action(
    async (options: CommonOptions) => print(io, options, await versionReport(reachable(options))),
  );
  addPlaygroundCommands(program, io);
  return program;
}

function addZtunnelConfig(program: Command, io: CliIo): void {
  const group = program.command('ztunnel-config').alias('zc').description('what the ztunnels know and hold');
  for (const table of TABLES) {
    const command = group.command(table).alias(singular(table)).description(`${table} of the ztunnels`);
    namespaced(common(command)).action(async (options: CommonOptions) =>
      print(io, options, await ztunnelConfig(table, findProxies('ztunnel', options), options)),
    );
  }
}

function singular(table: string): string {
  return table.endsWith('ies') ? `${table.slice(0, -3)}y` : table.slice(0, -1);
}

interface StatOptions extends CommonOptions {
  readonly window: number;
}

function addStat(program: Command, io: CliIo): void {
  const command = program
    .command('stat')
    .description('success rate, requests per second and latency of what passes waypoints')
    .argument('[kind]', STAT_KINDS.join(', '), parseStatKind, 'workload')
    .option('-w, --window <seconds>', 'how long to measure', parseWindow, 5);
  namespaced(common(command)).action(async (kind: StatKind, options: StatOptions) => {
    const ztunnels = findProxies('ztunnel', options);
    const waypoints = readProxies(options).filter(p => p.kind === 'waypoint');
    const before = await scrape(waypoints);
    io.stderr(`measuring for ${options.window} s\n`);
    await setTimeout(options.window * 1_000);
    const after = await scrape(waypoints);
    const dumps = await Promise.all(ztunnels.map(p => fetchJson(p.admin, '/config_dump')));
    const workloads = new Map(dumps.flatMap(d => decodeConfigDump(d).workloads).map(w => [w.uid, w]));
    const input = { kind, namespace: options.namespace, before, after, windowSeconds: options.window };
    print(io, options, statReport({ ...input, workloads: [...workloads.values()] }));
  });
}

async function scrape(proxies: readonly ProxyRef[]): Promise<Sample[]> {
  const texts = await Promise.all(proxies.map(p => fetchText(p.admin, '/stats/prometheus')));
  return texts.flatMap(parsePrometheusText);
}

interface AuthzOptions extends CommonOptions {
  readonly from?: string;
  readonly port: number;
}

function addAuthz(program: Command, io: CliIo): void {
  const group = program.command('authz').description('authorization');
  const command = group
    .command('check')
    .description('which policies apply to a pod, and whether they would let a source in')
    .argument('<pod>', 'NAMESPACE/POD')
    .option('--from <source>', 'NAMESPACE/POD or SPIFFE id; without it: plaintext')
    .option('--port <port>', 'destination port', parsePort, 0);
  common(command).action(async (pod: string, options: AuthzOptions) => {
    const { port, from } = options;
    print(io, options, await authzCheck(pod, { port, from }, findProxies('ztunnel', options)));
  });
}

function addWaypoint(program: Command, io: CliIo): void {
  const group = program.command('waypoint').description('waypoints');
  namespaced(common(group.command('list').description('waypoints and whether they are programmed'))).action(
    async (options: CommonOptions) =>
      print(io, options, await waypointList(findProxies('controller', options), options.namespace)),
  );
}

function common(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <format>', 'output format').choices(OUTPUT_FORMATS).default('table'))
    .option('--state-dir <dir>', 'state directory of a mesh on one machine (default: AMBIENT_STATE_DIR)')
    .option('--admin-address <address>', 'ask one proxy: IP:PORT or the path of a unix socket')
    .option('--node <name>', 'only the proxy of this node');
}

function namespaced(command: Command): Command {
  return command.option('-n, --namespace <name>', 'only this namespace');
}

function reachable(options: CommonOptions): ProxyRef[] {
  return options.adminAddress === undefined ? readProxies(options) : findProxies('ztunnel', options);
}

function print(io: CliIo, options: CommonOptions, report: Report): void {
  io.stdout(render(report, options.output));
}

function parseStatKind(text: string): StatKind {
  const kind = STAT_KINDS.find(k => k === text || `${k}s` === text);
  if (kind === undefined) throw new InvalidArgumentError(`use one of ${STAT_KINDS.join(', ')}.`);
  return kind;
}

function parseWindow(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 1 && seconds <= 3_600)) throw new InvalidArgumentError('use seconds from 1 to 3600.');
  return seconds;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('use a port from 0 to 65535.');
  return port;
}

/** Commander breaks some messages over lines; an operator's terminal gets one. */
function oneLine(text: string): string {
  return `ambientctl: ${text.trim().replace(/\s*\n\s*/g, ' ')}\n`;
}
