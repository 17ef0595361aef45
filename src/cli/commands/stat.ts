import { type Command, InvalidArgumentError } from 'commander';
import { fetchJson, fetchText } from '../admin-client.ts';
import { askEach } from '../ask-proxies.ts';
import { type Cli, type CliIo, print } from '../cli.ts';
import { decodeConfigDump, type DumpedWorkload } from '../config-dump.ts';
import { type CommonOptions, parseSeconds, withCommonOptions, withNamespaceFilter } from '../options.ts';
import { parsePrometheusText, type Sample } from '../prometheus-text.ts';
import { allProxies, findProxies, type ProxyRef } from '../proxies.ts';
import type { Report } from '../render/output.ts';

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
    const after = [...last.values()].flat();
    const before = [...last.keys()].flatMap(proxy => first.get(proxy) ?? []);
    const input = { kind, namespace: options.namespace, before, after, windowSeconds: options.window };
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
  const texts = await askEach(proxies, p => fetchText(p.admin, '/stats/prometheus'), io);
  return new Map(texts.map(({ proxy, answer }) => [proxy, parsePrometheusText(answer)]));
}

/** What the waypoints counted for one destination over the window. */
interface Traffic {
  requests: number;
  failures: number;
  readonly buckets: Map<number, number>;
}

export interface StatInput {
  readonly kind: StatKind;
  readonly namespace: string | undefined;
  readonly workloads: readonly DumpedWorkload[];
  /** Samples of all waypoints at the start and at the end of the window. */
  readonly before: readonly Sample[];
  readonly after: readonly Sample[];
  readonly windowSeconds: number;
}

/**
 * Success, rate and latency by destination, from the waypoints' `istio_requests_total` and
 * `istio_request_duration_milliseconds`. Workloads whose traffic passes no waypoint are shown without figures.
 */
function statReport(input: StatInput): Report & { readonly hasTraffic: boolean } {
  const traffic = trafficBetween(input);
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
  traffic: Traffic | undefined,
  seconds: number,
): Stat {
  const seen = traffic !== undefined && traffic.requests > 0 ? traffic : undefined;
  return {
    name,
    meshed: `${meshed}/${total}`,
    success: seen === undefined ? undefined : (seen.requests - seen.failures) / seen.requests,
    rps: seen === undefined ? undefined : seen.requests / seconds,
    latencyP50Ms: quantile(seen, 0.5),
    latencyP95Ms: quantile(seen, 0.95),
    latencyP99Ms: quantile(seen, 0.99),
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

function trafficBetween(input: StatInput): Map<string, Traffic> {
  const traffic = new Map<string, Traffic>();
  add(traffic, input.after, input.kind, 1);
  add(traffic, input.before, input.kind, -1);
  return traffic;
}

function add(traffic: Map<string, Traffic>, samples: readonly Sample[], kind: StatKind, sign: 1 | -1): void {
  for (const { name, labels, value } of samples) {
    const isBucket = name === 'istio_request_duration_milliseconds_bucket';
    if (name !== 'istio_requests_total' && !isBucket) continue;
    const destination = destinationName(labels, kind);
    const entry = traffic.get(destination) ?? {
      requests: 0,
      failures: 0,
      buckets: new Map<number, number>(),
    };
    traffic.set(destination, entry);
    if (isBucket) {
      const bound = labels.get('le') === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.get('le'));
      entry.buckets.set(bound, (entry.buckets.get(bound) ?? 0) + sign * value);
      continue;
    }
    entry.requests += sign * value;
    if (isFailure(labels)) entry.failures += sign * value;
  }
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

/** A 5xx, no answer at all (code 0), or a gRPC status other than OK. */
function isFailure(labels: ReadonlyMap<string, string>): boolean {
  const code = Number(labels.get('response_code') ?? '0');
  if (code === 0 || code >= 500) return true;
  const grpc = labels.get('grpc_response_status');
  return grpc !== undefined && grpc !== '' && grpc !== '0';
}

/** Linear within the bucket the rank falls into, as Prometheus' histogram_quantile. */
function quantile(traffic: Traffic | undefined, q: number): number | undefined {
  if (traffic === undefined) return undefined;
  const bounds = [...traffic.buckets].sort(([a], [b]) => a - b);
  const total = bounds.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const rank = q * total;
  let [lower, below] = [0, 0];
  for (const [bound, count] of bounds) {
    if (count >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + ((bound - lower) * (rank - below)) / Math.max(1e-9, count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

function formatMs(ms: number | undefined): string {
  if (ms === undefined) return '-';
  return ms < 10 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
}
