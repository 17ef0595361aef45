import type { Daemon } from './command.ts';
import { type Contender, largestPeakMb, largestResidentMb, type SampleSet, withCpu } from './contender.ts';
import { envoyPair } from './envoy-pair.ts';
import { httpLoad, streamLoad } from './load.ts';
import type { Metric } from './result.ts';
import { IPERF_PORT, NGINX_PORT, type Topology } from './topology.ts';
import { measureRates } from './rates.ts';
import type { OurOptions, Suite } from './suite.ts';
import { ztunnelPair } from './ztunnel-pair.ts';
import { defaultTrafficThreads } from '#shared/config/traffic-threads.ts';

const GB = 1e9;
const SETTLE_MS = 3_000;

const L4_METRICS: readonly Metric[] = [
  { name: 'throughput up', unit: 'Gbit/s', goal: { kind: 'ratio_at_least', value: 0.75 } },
  { name: 'throughput down', unit: 'Gbit/s', goal: { kind: 'ratio_at_least', value: 0.75 } },
  { name: 'throughput up, 4 streams', unit: 'Gbit/s', goal: { kind: 'ratio_at_least', value: 0.75 } },
  { name: 'RPS, 1 connection', unit: '1/s', goal: { kind: 'none' } },
  { name: 'RPS, 32 connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: 0.95 } },
  { name: 'RPS, 256 connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: 0.95 } },
  { name: 'p50, 1 connection', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p50, 32 connections', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p50, 256 connections', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p99, 1 connection', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1.5 } },
  { name: 'p99, 32 connections', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1.5 } },
  { name: 'p99, 256 connections', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1.5 } },
  { name: 'p99, 1 connection, the second before', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p99, 32 connections, the second before', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p99, 256 connections, the second before', unit: 'ms', goal: { kind: 'none' } },
  { name: 'new connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: 0.8 } },
  { name: 'CPU per GB, both sides', unit: 's', goal: { kind: 'none' } },
  { name: 'CPU per 100k requests, both sides', unit: 's', goal: { kind: 'none' } },
  { name: 'memory idle, larger side', unit: 'MB', goal: { kind: 'at_most', value: 100 } },
  { name: 'peak memory under load, larger side', unit: 'MB', goal: { kind: 'at_most', value: 160 } },
];

/** Pairs of as many traffic threads a process. */
async function l4Contenders(
  topology: Topology,
  directory: string,
  envoy: string,
  { workers, engine }: OurOptions,
): Promise<readonly [Contender, Contender]> {
  return [
    await ztunnelPair(topology, directory, { workers, engine }),
    await envoyPair(topology, directory, envoy, workers),
  ];
}

/** One round of one contender. */
async function measureL4(
  topology: Topology,
  daemons: readonly Daemon[],
  seconds: number,
  into: SampleSet,
): Promise<void> {
  const { client, server } = topology;
  const url = `http://${server.ip}:${NGINX_PORT}/`;
  // A process that is idle gives back what starting took; for Envoy nothing changes.
  await new Promise(resolve => setTimeout(resolve, SETTLE_MS));
  into.add('memory idle, larger side', largestResidentMb(daemons));
  // Connects the HBONE session and lets the compilers settle; the same for both.
  const [warmUp, used] = await withCpu(daemons, () => httpLoad(client, url, 32, 1));
  if (used === 0) throw new Error(`${warmUp.requests} requests went past the proxies: capture does not work`);
  await measureRates({ client, url, daemons, seconds, cpuMetric: 'CPU per 100k requests, both sides' }, into);
  into.add('new connections', (await httpLoad(client, url, 32, seconds, true)).requestsPerSecond);
  const [up, cpu] = await withCpu(daemons, () => streamLoad(client, server.ip, IPERF_PORT, seconds));
  into.add('throughput up', up.gbitPerSecond);
  into.add('CPU per GB, both sides', (cpu / up.bytes) * GB);
  const down = await streamLoad(client, server.ip, IPERF_PORT, seconds, { down: true });
  into.add('throughput down', down.gbitPerSecond);
  const four = await streamLoad(client, server.ip, IPERF_PORT, seconds, { streams: 4 });
  into.add('throughput up, 4 streams', four.gbitPerSecond);
  into.add('peak memory under load, larger side', largestPeakMb(daemons));
}

export const l4Suite: Suite = {
  tools: ['ip', 'nft', 'nginx', 'iperf3', 'wrk', 'python3'],
  workers: defaultTrafficThreads(),
  metrics: () => L4_METRICS,
  contenders: l4Contenders,
  measure: (topology, _directory, { daemons }, seconds, into) => measureL4(topology, daemons, seconds, into),
};
