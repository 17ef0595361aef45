import type { Daemon } from './command.ts';
import { type SampleSet, withCpu } from './contender.ts';
import { httpLoad } from './load.ts';
import type { Namespace } from './topology.ts';

export interface RatesOptions {
  readonly client: Namespace;
  readonly url: string;
  readonly daemons: readonly Daemon[];
  readonly seconds: number;
  /** Name of the metric that CPU time per 100k requests goes to, with 32 connections. */
  readonly cpuMetric: string;
}

/** Rate and latency with 1, 32 and 256 connections. */
export async function measureRates(options: RatesOptions, into: SampleSet): Promise<void> {
  const { client, url, daemons, seconds, cpuMetric } = options;
  for (const connections of [1, 32, 256]) {
    // Another number of connections is other code, and that is compiled first: told by itself, without a goal.
    const first = await httpLoad(client, url, connections, 1);
    const [load, cpu] = await withCpu(daemons, () => httpLoad(client, url, connections, seconds));
    const label = connections === 1 ? '1 connection' : `${connections} connections`;
    into.add(`RPS, ${label}`, load.requestsPerSecond);
    into.add(`p50, ${label}`, load.p50Ms);
    into.add(`p99, ${label}`, load.p99Ms);
    into.add(`p99, ${label}, the second before`, first.p99Ms);
    if (connections === 32) into.add(cpuMetric, (cpu / load.requests) * 100_000);
  }
}
