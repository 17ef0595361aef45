import { errorMessage } from '../observability/error-message.ts';
import type { Logger } from '../observability/logger.ts';
import { type Clock, systemClock } from './clock.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** A start that waits for something that is away is given up after this. */
const START_GRACE_MS = 5_000;

interface Running {
  readonly logger: Logger;
  readonly stop: () => Promise<void>;
}

export interface ShutdownOptions {
  readonly clock?: Clock;
  readonly exit?: (code: number) => void;
  readonly signals?: NodeJS.EventEmitter;
}

/**
 * The signals that end a process, taken from the moment this is made: before the start has ended, connections may be open
 * already, which the default action of a signal would cut.
 */
export class ShutdownSignals {
  readonly #clock: Clock;
  readonly #exit: (code: number) => void;
  #running: Running | undefined;
  #received: NodeJS.Signals | undefined;

  constructor({ clock = systemClock, exit, signals = process }: ShutdownOptions = {}) {
    this.#clock = clock;
    this.#exit = exit ?? (code => process.exit(code));
    for (const signal of SIGNALS) signals.on(signal, () => this.#onSignal(signal));
  }

  /**
   * The start has ended: a signal, also one that came meanwhile, runs `stop` and then exits with 0 (1 when it fails); a
   * second one exits at once.
   */
  stopWith(logger: Logger, stop: () => Promise<void>): void {
    this.#running = { logger, stop };
    if (this.#received !== undefined) void this.#shutDown(this.#running, this.#received);
  }

  #onSignal(signal: NodeJS.Signals): void {
    if (this.#received !== undefined) {
      this.#running?.logger.warn('second signal: exiting at once', { signal });
      this.#exit(1);
      return;
    }
    this.#received = signal;
    if (this.#running !== undefined) void this.#shutDown(this.#running, signal);
    else this.#clock.setTimer(START_GRACE_MS, () => this.#giveUpStart());
  }

  #giveUpStart(): void {
    if (this.#running !== undefined) return;
    process.stderr.write(`${this.#received}: the start was not over ${START_GRACE_MS / 1_000} s later\n`);
    this.#exit(1);
  }

  async #shutDown({ logger, stop }: Running, signal: NodeJS.Signals): Promise<void> {
    logger.info('signal: draining', { signal });
    try {
      await stop();
      this.#exit(0);
    } catch (error) {
      logger.error('shutdown failed', { error: errorMessage(error) });
      this.#exit(1);
    }
  }
}
