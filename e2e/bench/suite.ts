import type { Daemon } from './command.ts';
import type { Contender, SampleSet } from './contender.ts';
import type { Metric } from './result.ts';
import type { Topology } from './topology.ts';

export const ENGINE_SETTINGS = ['auto', 'native', 'node'] as const;
export type EngineSetting = (typeof ENGINE_SETTINGS)[number];

export interface OurOptions {
  /** Traffic threads of each process. */
  readonly workers: number;
  readonly engine: EngineSetting;
}

/** One comparison of ours with Envoy. */
export interface Suite {
  /** Programs it needs. */
  readonly tools: readonly string[];
  /** Default of `--workers`. */
  readonly workers: number;
  /** What is asked of an engine. */
  metrics(engine: 'native' | 'node'): readonly Metric[];
  /** Ours, then the peer. */
  contenders(
    topology: Topology,
    directory: string,
    envoy: string,
    ours: OurOptions,
  ): Promise<readonly [Contender, Contender]>;
  measure(
    topology: Topology,
    directory: string,
    daemons: readonly Daemon[],
    seconds: number,
    into: SampleSet,
  ): Promise<void>;
}
