import { backoffDelay, type BackoffOptions } from '../lifecycle/backoff.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { Logger, LogLevel } from '../observability/logger.ts';
import type { Cell, FamilySnapshot } from '../observability/metric-set.ts';
import type { MeshDelta } from '../workload/mesh-view.ts';
import type { WorkerInit, WorkerProtocol, WorkerReply, WorkerRequest } from './messages.ts';
import { WorkerHandle } from './worker-handle.ts';
import type { SpawnWorker } from './worker-link.ts';

export interface WorkerSupervisorOptions<P extends WorkerProtocol> {
  readonly count: number;
  readonly spawn: SpawnWorker<P>;
  readonly init: Omit<WorkerInit<P['settings']>, 'index'>;
  /** The whole mesh as it is now, for a worker that starts. */
  readonly wholeMesh: () => MeshDelta;
  /** For a request that a thread answers at once. */
  readonly replyTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Counts the threads that ended and were started again. */
  readonly restarts: Cell;
}

const RESTART_BACKOFF: BackoffOptions = { initialMs: 50, maxMs: 5_000, factor: 2, jitter: 0.2 };
/** A worker that ran this long before it crashed starts again without delay. */
const STABLE_MS = 60_000;

/**
 * The traffic threads of a proxy. What they are told is kept by the main thread, so that one that crashed is started
 * again and told everything; the others go on meanwhile, and accept in its place.
 */
export abstract class WorkerSupervisor<P extends WorkerProtocol> {
  readonly #options: WorkerSupervisorOptions<P>;
  readonly #workers: WorkerHandle<P>[] = [];
  readonly #logLevels: { level: LogLevel; scope: string | undefined }[] = [];
  readonly #attempts = new Map<number, { count: number; startedAt: number }>();
  #firstReady: (() => void) | undefined;
  #stopping = false;

  constructor(options: WorkerSupervisorOptions<P>) {
    this.#options = options;
  }

  /** Tells a worker that starts what the tier has said to the others, beyond log levels and the mesh, which it knows. */
  protected abstract tellEverything(worker: WorkerHandle<P>): void;

  /** A thread is gone with all it had; it is started again. */
  protected onEnded(_index: number): void {}

  /** What a thread says unasked. */
  protected onEvent(_event: P['event']): void {}

  get readyWorkers(): number {
    return this.ready().length;
  }

  /** Resolves when every worker answers. A worker that cannot start is tried again for ever, with backoff. */
  start(): Promise<void> {
    return new Promise(resolve => {
      this.#firstReady = resolve;
      for (let index = 0; index < this.#options.count; index++) this.#spawn(index);
    });
  }

  sendDelta(delta: MeshDelta): void {
    for (const worker of this.ready()) worker.sendDelta(delta);
  }

  setLogLevel(level: LogLevel, scope: string | undefined): void {
    // A later level for all scopes replaces what was said before it.
    if (scope === undefined) this.#logLevels.length = 0;
    this.#logLevels.push({ level, scope });
    for (const worker of this.ready()) worker.post({ kind: 'log_level', level, scope });
  }

  /** Of every worker that answers; one that does not is left out rather than waited for. */
  async metrics(): Promise<(readonly FamilySnapshot[])[]> {
    const replies = await this.#askAll({ kind: 'metrics' });
    return replies.flatMap(reply => (reply.kind === 'metrics' ? [reply.families] : []));
  }

  /** What each worker that answers shows at `/debug/connections`. */
  async connections(): Promise<P['connections'][]> {
    const replies = await this.#askAll({ kind: 'connections' });
    return replies.flatMap(reply => (reply.kind === 'connections' ? [reply.connections] : []));
  }

  /** Stops accepting and waits for what is open to end; it is cut at the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    await this.request({ kind: 'drain', deadlineMs }, deadlineMs + this.#options.replyTimeoutMs);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers.map(worker => worker.stop()));
  }

  protected ready(): WorkerHandle<P>[] {
    return this.#workers.filter(worker => worker.ready);
  }

  /** Of every worker that is ready: its reply, or why there is none. */
  protected request(
    message: WorkerRequest<P>,
    timeoutMs: number,
  ): Promise<PromiseSettledResult<WorkerReply<P>>[]> {
    return Promise.allSettled(this.ready().map(worker => worker.request(message, timeoutMs)));
  }

  async #askAll(message: WorkerRequest<P>): Promise<WorkerReply<P>[]> {
    const results = await this.request(message, this.#options.replyTimeoutMs);
    return results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  }

  #spawn(index: number): void {
    const { clock, init, spawn } = this.#options;
    const attempts = this.#attempts.get(index) ?? { count: 0, startedAt: 0 };
    attempts.startedAt = clock.monotonic();
    this.#attempts.set(index, attempts);
    this.#workers[index] = new WorkerHandle<P>({
      spawn,
      clock,
      init: { ...init, index },
      onReady: worker => this.#onReady(worker),
      onEvent: event => this.onEvent(event),
      onCrash: (worker, reason) => this.#onCrash(worker, reason),
    });
  }

  #onReady(worker: WorkerHandle<P>): void {
    for (const { level, scope } of this.#logLevels) worker.post({ kind: 'log_level', level, scope });
    worker.sendDelta(this.#options.wholeMesh());
    this.tellEverything(worker);
    if (this.readyWorkers === this.#options.count) this.#firstReady?.();
  }

  #onCrash(worker: WorkerHandle<P>, reason: string): void {
    if (this.#stopping) return;
    this.onEnded(worker.index);
    const { clock, logger, random, restarts } = this.#options;
    const attempts = this.#attempts.get(worker.index) ?? { count: 0, startedAt: 0 };
    if (clock.monotonic() - attempts.startedAt > STABLE_MS) attempts.count = 0;
    const delayMs = backoffDelay(RESTART_BACKOFF, attempts.count++, random());
    restarts.value++;
    logger.error('traffic worker ended, its connections are lost; it is started again', {
      worker: worker.index,
      reason,
      restartInMs: Math.round(delayMs),
    });
    clock.setTimer(delayMs, () => {
      if (!this.#stopping) this.#spawn(worker.index);
    });
  }
}
