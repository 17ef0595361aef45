import { backoffDelay, type BackoffOptions } from '#shared/lifecycle/backoff.ts';
import type { Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { MeshProcess, type ProcessOptions } from './mesh-process.ts';

const RESTART: BackoffOptions = { initialMs: 250, maxMs: 10_000, factor: 2, jitter: 0 };
/** One that ran this long was well; its next end starts the backoff anew. */
const HEALTHY_MS = 10_000;

/** A program that is started again when it ends by itself, as a Deployment or DaemonSet would, but not when it was killed. */
export class Program {
  readonly #options: ProcessOptions;
  readonly #prepare: () => Promise<void>;
  #process: MeshProcess | undefined;
  #restart: Timer | undefined;
  #failures = 0;
  #wanted = false;
  #starting: Promise<void> | undefined;
  #preparationError: string | undefined;

  /** `prepare` runs before each start; when it fails, the start has failed. */
  constructor(options: ProcessOptions, prepare: () => Promise<void> = () => Promise.resolve()) {
    this.#options = options;
    this.#prepare = prepare;
  }

  get name(): string {
    return this.#options.name;
  }

  get logPath(): string {
    return this.#options.logPath;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.end === undefined ? this.#process?.pid : undefined;
  }

  /** For an error message: how its last run ended, and its last words. */
  describe(): string {
    if (this.#preparationError !== undefined)
      return `${this.name} cannot be started: ${this.#preparationError}`;
    const process = this.#process;
    if (process === undefined) return `${this.name} was not started`;
    return `${this.name}: ${process.end ?? 'running'}; its log ${this.logPath} ends with:\n${process.tail()}`;
  }

  /** Does nothing when it runs or is being started. */
  start(): void {
    this.#wanted = true;
    this.#restart?.cancel();
    if (this.pid !== undefined || this.#starting !== undefined) return;
    this.#starting = this.#run().finally(() => {
      this.#starting = undefined;
    });
  }

  /** It stays down until `start`. Resolves when it is gone. */
  async kill(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    this.#wanted = false;
    this.#restart?.cancel();
    await this.#starting;
    await this.#process?.stop(signal, graceMs);
  }

  async #run(): Promise<void> {
    try {
      await this.#prepare();
      this.#preparationError = undefined;
    } catch (error) {
      this.#preparationError = errorMessage(error);
      this.#startAgainLater();
      return;
    }
    if (!this.#wanted) return;
    const { clock } = this.#options;
    const startedAt = clock.monotonic();
    const process = new MeshProcess(this.#options);
    this.#process = process;
    void process.ended.then(() => {
      if (clock.monotonic() - startedAt > HEALTHY_MS) this.#failures = 0;
      this.#startAgainLater();
    });
  }

  #startAgainLater(): void {
    if (!this.#wanted) return;
    const delayMs = backoffDelay(RESTART, this.#failures++, 0);
    this.#restart = this.#options.clock.setTimer(delayMs, () => this.start());
  }
}
