import { type Command, InvalidArgumentError } from 'commander';
import { fetchJson, fetchText } from '../admin-client.ts';
import { askEach } from '../ask-proxies.ts';
import { type Cli, type CliIo, print } from '../cli.ts';
import { decodeConfigDump, type DumpedWorkload } from '../config-dump.ts';
import { type CommonOptions, parseSeconds, withCommonOptions, withNamespaceFilter } from '../options.ts';
import { allProxies, findProxies, type ProxyRef } from '../proxies.ts';
import type { Report } from '../render/output.ts';
import { increases } from '../traffic/increases.ts';
import { METRICS_PATH, parsePrometheusText, type Sample } from '../traffic/prometheus-text.ts';
import {
  countRequests,
  isOfRequests,
  latencyQuantile,
  noRequests,
  type RequestCount,
  successRate,
} from '../traffic/request-count.ts';

const STAT_KINDS = ['workload', 'service', 'namespace'] as const;
export type StatKind = (typeof STAT_KINDS)[number];

interface StatOptions extends CommonOptions {
  readonly window: number;
}

export function addStat(program: Command, cli: Cli): void {
  const command = program
    .command('stat')
    .description('success rate, requests per second and latency of what passes waypoints')
    .argument('[kind]', STAT_KINDS.join(', '), parseStatKind, 'workload')
    .option('-w, --window <seconds>', 'how long to measure', parseSeconds, 5);
  withNamespaceFilter(withCommonOptions(command)).action(async (kind: StatKind, options: StatOptions) => {
    const ztunnels = await findProxies('ztunnel', options, cli);
    const waypoints = (await allProxies(options, cli)).filter(p => p.kind === 'waypoint');
    const first = await scrape(waypoints, cli);
    cli.stderr(`measuring for ${options.window} s\n`);
    await cli.sleep(options.window * 1_000);
    const last = await scrape([...first.keys()], cli);
    const dumps = await askEach(ztunnels, p => fetchJson(p.admin, '/config_dump'), cli);
    const workloads = new Map(dumps.flatMap(d => decodeConfigDump(d.answer).workloads).map(w => [w.uid, w]));
    const grown = [...last].flatMap(([proxy, samples]) => increases(first.get(proxy) ?? [], samples));
    const input = { kind, namespace: options.namespace, grown, windowSeconds: options.window };
    const report = statReport({ ...input, workloads: [...workloads.values()] });
    print(cli, options, report);
    if (!report.hasTraffic) cli.stderr(`${nothingPassed(waypoints, options.window)}\n`);
  });
}

function nothingPassed(waypoints: readonly ProxyRef[], seconds: number): string {
  const where =
    waypoints.length === 0
      ? 'no waypoint is running'
      : `no request to these passed a waypoint in ${seconds} s`;
  return `${where}, and figures are of those alone; for longer: -w SECONDS, of connections: ambientctl ztunnel-config connections`;
}

function parseStatKind(text: string): StatKind {
  const kind = STAT_KINDS.find(k => k === text || `${k}s` === text);
  if (kind === undefined) throw new InvalidArgumentError(`use one of ${STAT_KINDS.join(', ')}.`);
  return kind;
}

/** Of those that answer: the figures of one that ends meanwhile are left out altogether. */
async function scrape(proxies: readonly ProxyRef[], io: CliIo): Promise<Map<ProxyRef, readonly Sample[]>> {
  const texts = await askEach(proxies, p => fetchText(p.admin, METRICS_PATH), io);
  return new Map(texts.map(({ proxy, answer }) => [proxy, parsePrometheusText(answer, isOfRequests)]));
}

export interface StatInput {
  readonly kind: StatKind;
  readonly namespace: string | undefined;
  readonly workloads: readonly DumpedWorkload[];
  /** What the counters of all waypoints have grown by over the window. */
  readonly grown: readonly Sample[];
  readonly windowSeconds: number;
}

/**
 * Success, rate and latency by destination, from the waypoints' `istio_requests_total` and
 * `istio_request_duration_milliseconds`. Workloads whose traffic passes no waypoint are shown without figures.
 */
function statReport(input: StatInput): Report & { readonly hasTraffic: boolean } {
  const traffic = trafficOf(input);
  const names = new Map<string, { meshed: number; total: number }>();
  for (const w of input.workloads) {
    for (const name of namesOf(w, input.kind)) {
      const count = names.get(name) ?? { meshed: 0, total: 0 };
      count.total++;
      if (w.protocol === 'HBONE') count.meshed++;
      names.set(name, count);
    }
  }
  const inNamespace = (name: string): boolean =>
    input.namespace === undefined || name === input.namespace || name.startsWith(`${input.namespace}/`);
  const entries = [...names].filter(([name]) => inNamespace(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  const stats = entries.map(([name, { meshed, total }]) =>
    describe(name, meshed, total, traffic.get(name), input.windowSeconds),
  );
  return {
    header: ['NAME', 'MESHED', 'SUCCESS', 'RPS', 'LATENCY_P50', 'LATENCY_P95', 'LATENCY_P99'],
    rows: stats.map(s => [
      s.name,
      s.meshed,
      s.success === undefined ? '-' : `${(s.success * 100).toFixed(2)}%`,
      s.rps === undefined ? '-' : `${s.rps.toFixed(1)}rps`,
      formatMs(s.latencyP50Ms),
      formatMs(s.latencyP95Ms),
      formatMs(s.latencyP99Ms),
    ]),
    data: stats,
    hasTraffic: stats.some(s => s.rps !== undefined),
    empty: `no ${input.kind}s${input.namespace === undefined ? '' : ` in namespace ${input.namespace}`}`,
  };
}

interface Stat {
  readonly name: string;
  readonly meshed: string;
  readonly success: number | undefined;
  readonly rps: number | undefined;
  readonly latencyP50Ms: number | undefined;
  readonly latencyP95Ms: number | undefined;
  readonly latencyP99Ms: number | undefined;
}

function describe(
  name: string,
  meshed: number,
  total: number,
  traffic: RequestCount | undefined,
  seconds: number,
): Stat {
  const seen = traffic !== undefined && traffic.requests > 0 ? traffic : undefined;
  return {
    name,
    meshed: `${meshed}/${total}`,
    success: seen && successRate(seen),
    rps: seen && seen.requests / seconds,
    latencyP50Ms: seen && latencyQuantile(seen, 0.5),
    latencyP95Ms: seen && latencyQuantile(seen, 0.95),
    latencyP99Ms: seen && latencyQuantile(seen, 0.99),
  };
}

function namesOf(w: DumpedWorkload, kind: StatKind): string[] {
  switch (kind) {
    case 'workload':
      return [`${w.namespace}/${w.workloadName || w.name}`];
    case 'service':
      return w.serviceNames.map(shortServiceName);
    case 'namespace':
      return [w.namespace];
  }
}

/** `shop/payments.shop.svc.cluster.local` → `shop/payments`. */
function shortServiceName(name: string): string {
  const [namespace = '', hostname = ''] = name.split('/');
  return `${namespace}/${hostname.split('.')[0] ?? ''}`;
}

function trafficOf({ grown, kind }: StatInput): Map<string, RequestCount> {
  const traffic = new Map<string, RequestCount>();
  for (const sample of grown) {
    const destination = destinationName(sample.labels, kind);
    const count = traffic.get(destination) ?? noRequests();
    traffic.set(destination, count);
    countRequests(count, sample);
  }
  return traffic;
}

function destinationName(labels: ReadonlyMap<string, string>, kind: StatKind): string {
  const namespace = labels.get('destination_workload_namespace') ?? '';
  switch (kind) {
    case 'workload':
      return `${namespace}/${labels.get('destination_workload') ?? ''}`;
    case 'service':
      return `${labels.get('destination_service_namespace') ?? ''}/${labels.get('destination_service_name') ?? ''}`;
    case 'namespace':
      return labels.get('destination_service_namespace') ?? namespace;
  }
}

function formatMs(ms: number | undefined): string {
  if (ms === undefined) return '-';
  return ms < 10 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
}
