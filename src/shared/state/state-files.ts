import { join } from 'node:path';
import type { Clock } from '../lifecycle/clock.ts';
import type { StandingFaults } from '../lifecycle/standing-faults.ts';
import type { Logger } from '../observability/logger.ts';
import type { MetricSet } from '../observability/metric-set.ts';
import { removeAbandoned } from './staged-file.ts';
import { StateFile } from './state-file.ts';

export interface StateFilesOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: MetricSet;
  readonly faults: StandingFaults;
}

/** What each holds → its name. */
const FILES = {
  configuration: 'mesh.snapshot',
  certificates: 'certificates.json',
  pods: 'pods.json',
} as const;

/** The state directory of a proxy: what the next one begins with when nobody else can be asked. */
export class StateFiles {
  readonly directory: string;
  readonly #options: StateFilesOptions;
  readonly #failed: ReturnType<MetricSet['counter']>;

  constructor(options: StateFilesOptions) {
    this.directory = options.directory;
    this.#options = options;
    this.#failed = options.metrics.counter({
      name: 'ambient_state_write_failures_total',
      help: 'Tries to write a file of the state directory that failed (a full or read-only disk); each is made again.',
      labels: ['file'],
    });
    removeAbandoned(options.directory);
  }

  file(holds: keyof typeof FILES): StateFile {
    const { clock, directory, faults, logger, random } = this.#options;
    const name = FILES[holds];
    const failed = this.#failed.cell([name]);
    return new StateFile({
      path: join(directory, name),
      holds,
      clock,
      random,
      logger: logger.child('state'),
      faults,
      onFailure: () => void failed.value++,
    });
  }
}
