import { existsSync, readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';
import { stateDir } from '#shared/config/state-dir.ts';
import { CONTROL_SOCKET } from '../../playground/control.ts';
import { runForeground, untilStopped } from '../../playground/foreground.ts';
import { isRunning, readInstance } from '../../playground/instance.ts';
import { type ObjectRef, parseManifest } from '../../playground/objects/kube-object.ts';
import { ObjectStore } from '../../playground/objects/object-store.ts';
import { cleanUp } from '../../playground/playground.ts';
import { type StateLayout, stateLayout } from '../../playground/state-layout.ts';
import { fetchJson, fetchText } from '../admin-client.ts';
import { type AppliedObject, awaitVerdict } from '../applied-objects.ts';
import { CliError, FailedCheck } from '../cli-error.ts';
import { children, text } from '#shared/config/json-fields.ts';
import type { Cli, CliIo } from '../cli.ts';
import { parseSeconds } from '../options.ts';
import { OUTPUT_FORMATS, render, type Report } from '../render/output.ts';

interface PlaygroundOptions {
  readonly stateDir?: string;
}

const DOWN_DEADLINE_MS = 30_000;
const POLL_MS = 100;
/** The playground ends the program itself and says so; only then is it given up. */
const EXEC_MARGIN_MS = 10_000;

/** `ambientctl playground …`: the mesh on this machine. */
export function addPlaygroundCommands(program: Command, io: Cli): void {
  const group = program.command('playground').description('the mesh on this machine, with a sample shop');
  addUp(group, io);
  addDown(group, io);
  addStatus(group, io);
  addApply(group, io);
  addDelete(group, io);
  addExec(group, io);
  withStateDir(
    group.command('logs').description('log of a proxy').argument('<proxy>', 'its name, as in "status"'),
  ).action(async (proxy: string, options: PlaygroundOptions) => {
    io.stdout(await fetchText(control(options), `/logs?proxy=${encodeURIComponent(proxy)}`));
  });
}

function addUp(group: Command, io: CliIo): void {
  withStateDir(group.command('up').description('starts it and runs until Ctrl-C')).action(
    async (options: PlaygroundOptions) => {
      const print = (line: string): void => io.stdout(`${line}\n`);
      await runForeground({
        stateDir: options.stateDir,
        print,
        use: async (playground, stopped) => {
          print(`up; state in ${playground.stateDir}; Ctrl-C ends it`);
          await untilStopped(stopped);
          return 0;
        },
      });
    },
  );
}

function addDown(group: Command, io: CliIo): void {
  withStateDir(
    group.command('down').description('ends it, and removes what one that crashed has left'),
  ).action(async (options: PlaygroundOptions) => {
    const layout = layoutOf(options);
    const instance = readInstance(layout);
    if (instance !== undefined && isRunning(instance)) {
      io.stderr(`ending process ${instance.pid}\n`);
      process.kill(instance.pid, 'SIGTERM');
      await gone(() => !isRunning(instance), instance.pid);
    }
    cleanUp(layout.root);
    io.stdout('no playground is running\n');
  });
}

function addStatus(group: Command, io: CliIo): void {
  withStateDir(
    group
      .command('status')
      .description('pods and whether they are captured; proxies and whether they are ready'),
  )
    .option('-o, --output <format>', 'output format', parseFormat, 'table')
    .action(async (options: PlaygroundOptions & { output: 'table' | 'json' | 'yaml' }) => {
      io.stdout(render(statusReport(await fetchJson(control(options), '/status')), options.output));
    });
}

export function statusReport(answer: unknown): Report {
  const status = isJsonObject(answer) ? answer : {};
  const pods = children(status, 'pods');
  return {
    preamble: [`mode: ${text(status, 'mode')}`, `proxies: ${proxyNames(status).join(', ')}`],
    header: ['POD', 'NODE', 'ADDRESSES', 'MESH'],
    rows: pods.map(p => [
      text(p, 'name'),
      text(p, 'node'),
      Array.isArray(p['ips']) ? p['ips'].join(',') : '',
      text(p, 'message') === '' ? text(p, 'state') : `${text(p, 'state')}: ${text(p, 'message')}`,
    ]),
    data: answer,
    empty: 'no pods',
  };
}

function proxyNames(status: JsonObject): string[] {
  const [names, notReady] = [status['proxies'], status['notReady']];
  const waiting: readonly unknown[] = Array.isArray(notReady) ? notReady : [];
  return (Array.isArray(names) ? names : [])
    .filter(name => typeof name === 'string')
    .map(name => (waiting.includes(name) ? `${name} (not ready)` : name));
}

function addApply(group: Command, cli: Cli): void {
  withStateDir(
    group
      .command('apply')
      .description('adds or replaces the objects of files')
      .argument('<file...>', 'YAML files'),
  ).action(async (files: string[], options: PlaygroundOptions) => {
    const layout = runningLayout(options);
    const store = objectStore(layout);
    const applied = files.flatMap(readManifest).map((object): AppliedObject => {
      const { apiVersion, kind, namespace, name } = object;
      const generation = store.apply(object);
      cli.stdout(`${describeRef(object)}: applied\n`);
      return { apiVersion, kind, namespace, name, generation };
    });
    const controller = { socketPath: layout.adminSocketOf('controller') };
    const { lines, rejected } = await awaitVerdict(
      applied,
      () => fetchJson(controller, '/debug/objects'),
      cli,
    );
    for (const line of lines) cli.stderr(`${line}\n`);
    if (rejected) throw new FailedCheck();
  });
}

function addDelete(group: Command, io: CliIo): void {
  withStateDir(
    group.command('delete').description('removes the objects of files').argument('<file...>', 'YAML files'),
  ).action((files: string[], options: PlaygroundOptions) => {
    const store = objectStore(runningLayout(options));
    for (const object of files.flatMap(readManifest))
      io.stdout(`${describeRef(object)}: ${store.remove(object) ? 'deleted' : 'not found'}\n`);
  });
}

function objectStore(layout: StateLayout): ObjectStore {
  return new ObjectStore(layout.objects, layout.staging);
}

function describeRef({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

function addExec(group: Command, io: CliIo): void {
  withStateDir(
    group
      .command('exec')
      .description('runs a program inside a pod')
      .argument('<pod>', 'NAMESPACE/NAME')
      .argument('<argv...>', 'program and arguments, after --')
      .option('--timeout <seconds>', 'for how long it may run', parseSeconds, 60),
  ).action(async (pod: string, argv: string[], options: PlaygroundOptions & { timeout: number }) => {
    const query = new URLSearchParams([
      ['pod', pod],
      ['seconds', String(options.timeout)],
      ...argv.map(arg => ['arg', arg]),
    ]);
    const path = `/exec?${query.toString()}`;
    const answer = parseJson(
      await fetchText(control(options), path, 'POST', options.timeout * 1_000 + EXEC_MARGIN_MS),
    );
    const result = isJsonObject(answer) ? answer : {};
    io.stdout(text(result, 'stdout'));
    io.stderr(text(result, 'stderr'));
    if (result['status'] !== 0) throw new CliError(`the program ended with status ${text(result, 'status')}`);
  });
}

function withStateDir(command: Command): Command {
  return command.option(
    '--state-dir <dir>',
    'state directory of a mesh on one machine (default: AMBIENT_STATE_DIR)',
  );
}

function layoutOf(options: PlaygroundOptions): StateLayout {
  return stateLayout(options.stateDir ?? stateDir(process.env, process.getuid?.() ?? 0));
}

function runningLayout(options: PlaygroundOptions): StateLayout {
  const layout = layoutOf(options);
  const instance = readInstance(layout);
  if (instance !== undefined && isRunning(instance)) return layout;
  throw new CliError(`no playground is running in ${layout.root}; start one with "ambientctl playground up"`);
}

function control(options: PlaygroundOptions): { socketPath: string } {
  return { socketPath: runningLayout(options).adminSocketOf(CONTROL_SOCKET) };
}

function readManifest(file: string): ReturnType<typeof parseManifest> {
  if (!existsSync(file)) throw new CliError(`${file}: no such file`);
  return parseManifest(readFileSync(file, 'utf8'), file);
}

function parseFormat(value: string): (typeof OUTPUT_FORMATS)[number] {
  const format = OUTPUT_FORMATS.find(f => f === value);
  if (format === undefined) throw new InvalidArgumentError(`use one of ${OUTPUT_FORMATS.join(', ')}.`);
  return format;
}

async function gone(isGone: () => boolean, pid: number): Promise<void> {
  const until = performance.now() + DOWN_DEADLINE_MS;
  while (!isGone()) {
    if (performance.now() > until)
      throw new CliError(`process ${pid} did not end within 30 s; end it with kill -9 ${pid}`);
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
}
