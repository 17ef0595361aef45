import { type Command, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '#shared/observability/logger.ts';
import { fetchText } from '../admin-client.ts';
import { askEach, askFirst } from '../ask-proxies.ts';
import type { Cli, CliIo } from '../cli.ts';
import { POD } from '../cluster/kinds.ts';
import type { KubeApi } from '../cluster/kube-api.ts';
import { nodeOf } from '../cluster/mesh-pods.ts';
import { CliError } from '../cli-error.ts';
import { decodeConfigDump, type DumpedWorkload } from '../config-dump.ts';
import { fetchJson } from '../admin-client.ts';
import { type CommonOptions, parseCount, withCommonOptions, withNamespaceFilter } from '../options.ts';
import { openProxies, type Proxies, type ProxyRef } from '../proxies.ts';
import { unknownName } from '../unknown-name.ts';

interface LogsOptions extends CommonOptions {
  readonly follow?: true;
  readonly tail: number;
  readonly level?: LogLevel;
}

/** `ambientctl logs`: of all proxies, or of those that a pod's traffic passes. */
export function addLogs(program: Command, cli: Cli): void {
  const command = program
    .command('logs')
    .description("logs of the mesh's proxies; with a pod: of its node's ztunnel and of its waypoints")
    .argument('[pod]', 'NAMESPACE/POD, or the name of a proxy')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--tail <lines>', 'so many last lines of each', parseCount, 50)
    .addOption(
      new Option('--level <level>', 'set their log level first, until they restart').choices(LOG_LEVELS),
    );
  withNamespaceFilter(withCommonOptions(command)).action(
    async (target: string | undefined, options: LogsOptions) => {
      const proxies = await openProxies(options, cli);
      const chosen = await chooseProxies(target, options, proxies, cli);
      if (options.level !== undefined) await setLevel(chosen, options.level, cli);
      await showLogs(proxies, chosen, options, cli);
    },
  );
}

async function setLevel(chosen: readonly ProxyRef[], level: LogLevel, cli: Cli): Promise<void> {
  const set = await askEach(chosen, p => fetchText(p.admin, `/logging?level=${level}`, 'POST'), cli);
  const names = set.map(({ proxy }) => proxy.name).join(', ');
  cli.stderr(`log level of ${names} is ${level} until they restart\n`);
}

async function showLogs(
  proxies: Proxies,
  chosen: readonly ProxyRef[],
  options: LogsOptions,
  cli: Cli,
): Promise<void> {
  const follow = options.follow === true;
  const signal = follow ? cli.untilInterrupted() : new AbortController().signal;
  const width = Math.max(...chosen.map(p => p.name.length));
  const show = (proxy: ProxyRef) => {
    const prefix = chosen.length === 1 ? '' : `${proxy.name.padEnd(width)} | `;
    return (line: string): void => cli.stdout(`${prefix}${line}\n`);
  };
  const read = (proxy: ProxyRef): Promise<void> =>
    proxies.log(proxy, { follow, tailLines: options.tail }, show(proxy), signal);
  // One whose node is down must not keep the others from being read.
  if (follow) await askEach(chosen, read, cli);
  else await askInTurn(chosen, read, cli);
}

/** As `askEach`, one after the other, so that the lines of each stay together. */
async function askInTurn(
  chosen: readonly ProxyRef[],
  read: (proxy: ProxyRef) => Promise<void>,
  cli: Cli,
): Promise<void> {
  let before: Promise<unknown> = Promise.resolve();
  const inTurn = (proxy: ProxyRef): Promise<void> => {
    const reading = before.then(() => read(proxy));
    before = reading.catch(() => undefined);
    return reading;
  };
  await askEach(chosen, inTurn, cli);
}

async function chooseProxies(
  target: string | undefined,
  options: LogsOptions,
  proxies: Proxies,
  io: CliIo,
): Promise<readonly ProxyRef[]> {
  const all = await proxies.list();
  const inScope = all.filter(
    p =>
      (options.namespace === undefined || p.namespace === options.namespace) &&
      (options.node === undefined || p.node === options.node),
  );
  const named = target === undefined ? inScope : inScope.filter(p => p.name === target);
  if (named.length > 0) return named;
  if (target?.includes('/') === true) return proxiesOfPod(target, all, proxies.api, io);
  const names = all.map(p => p.name).join(', ') || 'none';
  throw new CliError(
    target === undefined
      ? `no proxy is running there; there are: ${names}`
      : `no proxy ${JSON.stringify(target)}; write NAMESPACE/POD for a pod; proxies: ${names}`,
  );
}

/** The pod's own ztunnel or that of its node, and the pods of waypoints that it or its services are behind. */
async function proxiesOfPod(
  target: string,
  all: readonly ProxyRef[],
  api: KubeApi | undefined,
  io: CliIo,
): Promise<readonly ProxyRef[]> {
  const ztunnels = all.filter(p => p.kind === 'ztunnel');
  if (ztunnels.length === 0) throw new CliError('no ztunnel is running');
  const { answer } = await askFirst(ztunnels, p => fetchJson(p.admin, '/config_dump'), io);
  const dump = decodeConfigDump(answer);
  const pod = dump.workloads.find(w => `${w.namespace}/${w.name}` === target);
  if (pod === undefined) {
    const node = await scheduledNode(target, api);
    if (node === undefined) throw new CliError(unknownName('pod', target, dump.workloads));
    io.stderr(
      `warning: the ztunnels have not heard of pod ${target}: the log is of the ztunnel of its node\n`,
    );
    return ztunnelsOf(target, node, ztunnels);
  }
  const behind = new Set(waypointsOf(pod, dump.services));
  const waypointPods = dump.workloads.filter(w => w.serviceNames.some(name => behind.has(name)));
  const dedicated = ztunnels.filter(p => p.pod === pod.name && p.namespace === pod.namespace);
  const ofPod = dedicated.length > 0 ? dedicated : ztunnelsOf(target, pod.node, ztunnels);
  return all.filter(
    p =>
      ofPod.includes(p) ||
      (p.kind === 'waypoint' && waypointPods.some(w => w.name === p.pod && w.namespace === p.namespace)),
  );
}

/** A pod that came while the controller was away is known to the API server alone. */
async function scheduledNode(target: string, api: KubeApi | undefined): Promise<string | undefined> {
  const [namespace = '', name = ''] = target.split('/');
  const pod = await api?.get(POD, namespace, name);
  return pod === undefined ? undefined : nodeOf(pod) || undefined;
}

/** @throws CliError when none runs there: its captured pods are refused, and no log says so. */
function ztunnelsOf(target: string, node: string, ztunnels: readonly ProxyRef[]): readonly ProxyRef[] {
  const there = ztunnels.filter(p => p.node === node);
  if (there.length > 0) return there;
  throw new CliError(
    `no ztunnel is running on node ${node} of pod ${target}, whose traffic is refused meanwhile; see: ambientctl check`,
  );
}

function waypointsOf(
  pod: DumpedWorkload,
  services: ReturnType<typeof decodeConfigDump>['services'],
): string[] {
  const own = services.filter(s => pod.serviceNames.includes(`${s.namespace}/${s.hostname}`));
  return [pod.waypoint, ...own.map(s => s.waypoint)].filter(waypoint => waypoint !== 'None');
}
