import { type BackoffOptions, backoffDelay } from '../lifecycle/backoff.ts';
import { type Clock, delay, type Timer } from '../lifecycle/clock.ts';
import type { StandingFaults } from '../lifecycle/standing-faults.ts';
import { errorMessage } from '../observability/error-message.ts';
import type { Logger } from '../observability/logger.ts';
import { replaceFile } from './replace-file.ts';

export interface StateFileOptions {
  readonly path: string;
  /** What it holds, in a word. */
  readonly holds: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly faults: StandingFaults;
  readonly onFailure: () => void;
  /** Whole or not at all. */
  readonly replace?: (path: string, content: Buffer | string) => Promise<void>;
}

/** Asked when it is written. Undefined: there is nothing to write yet. */
export type StateContent = () => Buffer | string | undefined;

const RETRY: BackoffOptions = { initialMs: 1_000, maxMs: 60_000, factor: 2, jitter: 0.2 };
/** A disk that does not answer for so long (a network volume) is told of as one that fails. */
const HANGS_MS = 30_000;
/** Of a process that ends. */
const LAST_WRITE_MS = 2_000;

/**
 * A file that the next process begins with. It is written beside its place and renamed into it, durably, so that a crash leaves
 * the old content or the new one. On a disk that is full or read-only the old content stays and the process goes on: the write
 * is tried again until it succeeds, one line tells when that begins and one when it ends, and a warning stands meanwhile.
 */
export class StateFile {
  readonly #options: StateFileOptions;
  /** Not written yet. */
  #content: StateContent | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failures = 0;
  #failingSince = 0;
  #closed = false;

  constructor(options: StateFileOptions) {
    this.#options = options;
  }

  get path(): string {
    return this.#options.path;
  }

  /** Writes in `delayMs`, together with what is scheduled meanwhile; of several contents the last. */
  schedule(content: StateContent, delayMs: number): void {
    this.#content = content;
    this.#writeAfter(delayMs);
  }

  /** Writes now if anything is unwritten. Never rejects. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    // One write at a time: two would share the temporary file.
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  /** Tries once more to write what is unwritten, and no longer than a moment: a disk may hang. */
  async close(): Promise<void> {
    this.#closed = true;
    const late = new AbortController();
    const deadline = delay(this.#options.clock, LAST_WRITE_MS, late.signal).catch(() => undefined);
    await Promise.race([this.flush(), deadline]);
    late.abort(new Error('closed'));
    this.#timer?.cancel();
  }

  #writeAfter(delayMs: number): void {
    if (this.#closed) return;
    // While a try is due after a failure, changes do not bring it forward.
    this.#timer ??= this.#options.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      void this.flush();
    });
  }

  async #write(): Promise<void> {
    const content = this.#content;
    if (content === undefined) return;
    this.#content = undefined;
    const { clock, path, random, replace = replaceFile } = this.#options;
    const watchdog = clock.setTimer(HANGS_MS, () => {
      this.#tellFailure(`the disk has not answered for ${HANGS_MS / 1_000} s`);
    });
    try {
      const bytes = content();
      if (bytes !== undefined) await replace(path, bytes);
      this.#tellSuccess();
    } catch (error) {
      this.#content ??= content;
      const attempt = this.#failures;
      this.#tellFailure(errorMessage(error));
      this.#writeAfter(backoffDelay(RETRY, attempt, random()));
    } finally {
      watchdog.cancel();
    }
  }

  #tellFailure(reason: string): void {
    const { clock, faults, holds, logger, onFailure, path } = this.#options;
    onFailure();
    faults.set(
      path,
      `state not kept: ${path} (${holds}) cannot be written: ${reason}; a restart begins with what was written before`,
    );
    if (this.#failures++ > 0) return;
    this.#failingSince = clock.monotonic();
    logger.error('state not written, trying again; a restart begins with what was written before', {
      path,
      holds,
      reason,
    });
  }

  #tellSuccess(): void {
    const { clock, faults, holds, logger, path } = this.#options;
    if (this.#failures === 0) {
      logger.debug('state written', { path, holds });
      return;
    }
    const failedForMs = Math.round(clock.monotonic() - this.#failingSince);
    this.#failures = 0;
    faults.set(path, undefined);
    logger.info('state written again', { path, holds, failedForMs });
  }
}
