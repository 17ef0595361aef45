import type { Command } from 'commander';
import { stateDir } from '#shared/config/state-dir.ts';
import { shellWord } from '#shared/dashboard/shell-word.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { fetchJson, fetchText, streamLines } from '../admin-client.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { describeReply } from '../dashboard/describe-reply.ts';
import type { MeshLabel } from '../dashboard/frames/head.ts';
import { DashboardServer, type DashboardServerOptions } from '../dashboard/http/dashboard-server.ts';
import { MeshWatch } from '../dashboard/mesh-watch.ts';
import { loadPage } from '../dashboard/page/load-page.ts';
import { TapEvents } from '../dashboard/tap-events.ts';
import { dashboardToken } from '../dashboard/token.ts';
import { describeTarget } from '../describe/describe-target.ts';
import { readJsonLine } from '../json-line.ts';
import { collect, parsePort, parseSeconds, withMeshOptions } from '../options.ts';
import { PlaygroundProxies } from '../playground-proxies.ts';
import { openProxies, type Proxies, type ProxyChoice } from '../proxies.ts';
import { tapPath } from '../tap/tap-request.ts';

interface DashboardOptions extends ProxyChoice {
  readonly address: string;
  readonly port: number;
  readonly host: readonly string[];
  readonly interval: number;
  readonly open?: true;
}

const DEFAULT_PORT = 15_050;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
/** A proxy that takes longer would keep the others from being shown. */
const ASK_TIMEOUT_MS = 4_000;

/** `ambientctl dashboard`: a page that shows the mesh, served until Ctrl-C. */
export function addDashboard(program: Command, cli: Cli): void {
  const command = program
    .command('dashboard')
    .description('a web page of the mesh: who talks to whom, with what success, and what is refused')
    .option('--port <port>', 'the port it is served on; 0: any that is free', parsePort, DEFAULT_PORT)
    .option('--address <address>', 'the address it is served on', '127.0.0.1')
    .option('--host <name>', 'a name by which browsers reach it; may be repeated', collect, [])
    .option('--interval <seconds>', 'how often traffic is measured', parseSeconds, 3)
    .option('--open', 'also open it in a browser');
  withMeshOptions(command).action((options: DashboardOptions) => serveDashboard(options, cli));
}

async function serveDashboard(options: DashboardOptions, cli: Cli): Promise<void> {
  const proxies = await openProxies(options, cli);
  // What keeps the mesh from being asked at all is better told here than in a page.
  await proxies.list();
  const signal = cli.untilInterrupted();
  const watch = new MeshWatch({
    proxies,
    ask: {
      json: (proxy, path) => fetchJson(proxy.admin, path, ASK_TIMEOUT_MS),
      text: (proxy, path) => fetchText(proxy.admin, path, 'GET', ASK_TIMEOUT_MS),
    },
    clock: systemClock,
    intervalMs: options.interval * 1_000,
  });
  const token = dashboardToken(cli.env);
  const server = new DashboardServer({
    watch,
    label: labelOf(proxies, options),
    page: await loadPage(),
    clock: systemClock,
    token,
    hosts: options.host.map(name => name.toLowerCase()),
    describe: async (kind, name) => describeReply(await describeTarget(kind, name, proxies)),
    tap: tapOf(watch),
  });
  const port = await listen(server, options);
  const [name] = options.host;
  const url = `http://${urlHost(name ?? options.address)}:${port}/#token=${token}`;
  cli.stdout(`open ${url}\n`);
  cli.stderr(`shows ${proxies.origin}; Ctrl-C ends it\n`);
  if (!LOOPBACK.has(options.address))
    cli.stderr(
      `warning: ${options.address} can be reached from elsewhere, without TLS: the token is read on the way\n`,
    );
  watch.start();
  if (options.open === true) await openBrowser(url, cli);
  await aborted(signal);
  watch.stop();
  await server.close();
}

async function listen(server: DashboardServer, { address, port }: DashboardOptions): Promise<number> {
  try {
    return await server.listen(address, port);
  } catch (error) {
    throw new CliError(
      `cannot serve on ${address} port ${port}: ${errorMessage(error)}; for any free port: --port 0`,
    );
  }
}

/** Each is a connection of its own, and a mesh may have many waypoints. */
const MAX_TAPPED = 16;

function tapOf(watch: MeshWatch): DashboardServerOptions['tap'] {
  return async (service, filter, onEvent, signal) => {
    const waypoints = watch.waypointsOf(`${filter.namespace ?? ''}/${service ?? ''}`);
    if (waypoints.length === 0) throw new CliError('no waypoint is running, and only they see requests');
    const more = waypoints.length - MAX_TAPPED;
    if (more > 0) onEvent({ note: `${more} waypoints are not watched: ${MAX_TAPPED} are` });
    const path = tapPath(service, filter);
    const outcomes = await Promise.allSettled(
      waypoints.slice(0, MAX_TAPPED).map(waypoint => {
        const events = new TapEvents(waypoint.name, () => watch.picture().atMs);
        const onLine = (line: string): void => {
          const event = events.read(readJsonLine(line));
          if (event !== undefined) onEvent(event);
        };
        return streamLines(waypoint.admin, path, onLine, signal);
      }),
    );
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') onEvent({ note: errorMessage(outcome.reason) });
  };
}

/** A command that is pasted asks the same mesh. */
function labelOf(proxies: Proxies, options: DashboardOptions): MeshLabel {
  const { context, kubeconfig } = options;
  const isElsewhere =
    proxies instanceof PlaygroundProxies && proxies.dir !== stateDir({}, process.getuid?.() ?? 0);
  const words = [
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
    ...(context === undefined ? [] : ['--context', context]),
    ...(isElsewhere ? ['--state-dir', proxies.dir] : []),
  ];
  return {
    mesh: proxies.origin,
    cliOptions: words.map(word => ` ${shellWord(word)}`).join(''),
    isCluster: proxies.api !== undefined,
  };
}

function urlHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

async function openBrowser(url: string, cli: Cli): Promise<void> {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const { status } = await cli.runProgram(program, [url], cli.env);
  if (status !== 0) cli.stderr(`warning: ${program} could not open a browser; open the address above\n`);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}
