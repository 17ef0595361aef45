import type { Daemon } from './command.ts';
import { type Contender, type SampleSet, withCpu } from './contender.ts';
import { envoyPair } from './envoy-pair.ts';
import { httpLoad, streamLoad } from './load.ts';
import { measureIdleMemory, measurePeakMemory, memoryMetrics } from './memory.ts';
import type { Goal, Metric } from './result.ts';
import { IPERF_PORT, NGINX_PORT, type Topology } from './topology.ts';
import { measureRates } from './rates.ts';
import type { OurOptions, Suite } from './suite.ts';
import { ztunnelPair } from './ztunnel-pair.ts';
import { defaultTrafficThreads } from '#shared/config/traffic-threads.ts';

const GB = 1e9;
const OF = ', larger side';

/** By what both engines must reach. */
interface L4Goals {
  readonly throughput: number;
  readonly requests: number;
  readonly newConnections: number;
  readonly p99: number;
  readonly cpuPerGb: Goal;
  readonly cpuPer100k: Goal;
  readonly idleMb: number;
  readonly loadMb: number;
}

const NONE: Goal = { kind: 'none' };
const GOALS: Readonly<Record<'native' | 'node', L4Goals>> = {
  native: {
    throughput: 1.1,
    requests: 1.5,
    newConnections: 1.2,
    p99: 0.9,
    cpuPerGb: { kind: 'ratio_at_most', value: 1 },
    cpuPer100k: { kind: 'ratio_at_most', value: 0.7 },
    idleMb: 60,
    loadMb: 110,
  },
  node: {
    throughput: 0.75,
    requests: 0.95,
    newConnections: 0.8,
    p99: 1.5,
    cpuPerGb: NONE,
    cpuPer100k: NONE,
    idleMb: 100,
    loadMb: 160,
  },
};

function l4Metrics(engine: 'native' | 'node'): readonly Metric[] {
  const goals = GOALS[engine];
  const throughput: Goal = { kind: 'ratio_at_least', value: goals.throughput };
  const requests: Goal = { kind: 'ratio_at_least', value: goals.requests };
  const p99: Goal = { kind: 'ratio_at_most', value: goals.p99 };
  const memory = {
    idle: { kind: 'at_most', value: goals.idleMb },
    underLoad: { kind: 'at_most', value: goals.loadMb },
  } as const;
  return [
    { name: 'throughput up', unit: 'Gbit/s', goal: throughput },
    { name: 'throughput down', unit: 'Gbit/s', goal: throughput },
    { name: 'throughput up, 4 streams', unit: 'Gbit/s', goal: throughput },
    { name: 'RPS, 1 connection', unit: '1/s', goal: NONE },
    { name: 'RPS, 32 connections', unit: '1/s', goal: requests },
    { name: 'RPS, 256 connections', unit: '1/s', goal: requests },
    { name: 'p50, 1 connection', unit: 'ms', goal: NONE },
    { name: 'p50, 32 connections', unit: 'ms', goal: NONE },
    { name: 'p50, 256 connections', unit: 'ms', goal: NONE },
    { name: 'p99, 1 connection', unit: 'ms', goal: p99 },
    { name: 'p99, 32 connections', unit: 'ms', goal: p99 },
    { name: 'p99, 256 connections', unit: 'ms', goal: p99 },
    { name: 'p99, 1 connection, the second before', unit: 'ms', goal: NONE },
    { name: 'p99, 32 connections, the second before', unit: 'ms', goal: NONE },
    { name: 'p99, 256 connections, the second before', unit: 'ms', goal: NONE },
    { name: 'new connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: goals.newConnections } },
    { name: 'CPU per GB, both sides', unit: 's', goal: goals.cpuPerGb },
    { name: 'CPU per 100k requests, both sides', unit: 's', goal: goals.cpuPer100k },
    ...memoryMetrics(memory, OF),
  ];
}

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
  await measureIdleMemory(daemons, into, OF);
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
  measurePeakMemory(daemons, into, OF);
}

export const l4Suite: Suite = {
  tools: ['ip', 'nft', 'nginx', 'iperf3', 'wrk', 'python3'],
  workers: defaultTrafficThreads(),
  metrics: l4Metrics,
  contenders: l4Contenders,
  measure: (topology, _directory, { daemons }, seconds, into) => measureL4(topology, daemons, seconds, into),
};
