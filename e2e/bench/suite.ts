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

/** A contender that runs. */
export interface Running {
  readonly contender: Contender;
  readonly daemons: readonly Daemon[];
}

/** A part of a measurement that takes a few seconds. */
export type Step = (
  topology: Topology,
  directory: string,
  running: Running,
  seconds: number,
  into: SampleSet,
) => Promise<void>;

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
  /** The whole of one round, or steps: of those each contender takes one in turn while all run, so that a busy moment hits all. */
  readonly measure: Step | readonly Step[];
}
