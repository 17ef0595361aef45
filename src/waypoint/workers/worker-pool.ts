import type { TlsMaterial } from '#shared/engine/engine.ts';
import { backoffDelay, type BackoffOptions } from '#shared/lifecycle/backoff.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger, LogLevel } from '#shared/observability/logger.ts';
import type { Cell, FamilySnapshot, MetricSet } from '#shared/observability/metric-set.ts';
import { registerWorkerRestarts } from '#shared/observability/worker-restarts.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import type { WorkerInit } from './messages.ts';
import { WorkerHandle } from './worker-handle.ts';

export interface WorkerPoolOptions {
  readonly count: number;
  readonly entry: URL;
  readonly maxHeapMb: number;
  readonly init: Omit<WorkerInit, 'index'>;
  /** The whole mesh as it is now, for a worker that starts. */
  readonly wholeMesh: () => MeshDelta;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: MetricSet;
}

const REPLY_TIMEOUT_MS = 5_000;
const RESTART_BACKOFF: BackoffOptions = { initialMs: 50, maxMs: 5_000, factor: 2, jitter: 0.2 };

/**
 * The traffic threads. What they are told is kept here, so that one that crashed is started again and told everything;
 * the others accept in its place meanwhile.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers: WorkerHandle[] = [];
  readonly #restarts: Cell;
  #certificate: TlsMaterial | undefined;
  #listening = false;
  #stopping = false;
  #crashes = 0;
  #onAllReady: (() => void) | undefined;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#restarts = registerWorkerRestarts(options.metrics);
  }

  /** Resolves when every worker answers. One that cannot start is tried again, with backoff. */
  start(): Promise<void> {
    return new Promise(resolve => {
      this.#onAllReady = resolve;
      for (let index = 0; index < this.#options.count; index++) this.#spawn(index);
    });
  }

  /** Opens the listeners of every worker, and of those started later. Rejects when one cannot. */
  async listen(): Promise<void> {
    this.#listening = true;
    await Promise.all(this.#ready().map(worker => worker.request({ kind: 'listen' }, REPLY_TIMEOUT_MS)));
  }

  sendDelta(delta: MeshDelta): void {
    for (const worker of this.#ready()) worker.sendDelta(delta);
  }

  setCertificate(material: TlsMaterial): void {
    this.#certificate = material;
    for (const worker of this.#ready()) worker.post({ kind: 'certificate', material });
  }

  setLogLevel(level: LogLevel, scope: string | undefined): void {
    for (const worker of this.#ready()) worker.post({ kind: 'log_level', level, scope });
  }

  /** Of every worker that answers; one that does not is left out rather than waited for. */
  async metrics(): Promise<(readonly FamilySnapshot[])[]> {
    const replies = await this.#askAll('metrics');
    return replies.flatMap(reply => (reply.kind === 'metrics' ? [reply.families] : []));
  }

  async dump(): Promise<readonly object[]> {
    const replies = await this.#askAll('dump');
    return replies.flatMap(reply => (reply.kind === 'dump' ? [reply.dump] : []));
  }

  /** Stops accepting and waits for requests to end; they are cut at the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    const wait = deadlineMs + REPLY_TIMEOUT_MS;
    await Promise.allSettled(
      this.#ready().map(worker => worker.request({ kind: 'drain', deadlineMs }, wait)),
    );
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers.map(worker => worker.stop()));
  }

  async #askAll(kind: 'metrics' | 'dump'): Promise<Awaited<ReturnType<WorkerHandle['request']>>[]> {
    const results = await Promise.allSettled(
      this.#ready().map(worker => worker.request({ kind }, REPLY_TIMEOUT_MS)),
    );
    return results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  }

  #ready(): WorkerHandle[] {
    return this.#workers.filter(worker => worker.ready);
  }

  #spawn(index: number): void {
    const { clock, entry, init, maxHeapMb } = this.#options;
    this.#workers[index] = new WorkerHandle({
      entry,
      maxHeapMb,
      clock,
      init: { ...init, index },
      onReady: worker => this.#onReady(worker),
      onCrash: (worker, reason) => this.#onCrash(worker, reason),
    });
  }

  #onReady(worker: WorkerHandle): void {
    worker.sendDelta(this.#options.wholeMesh());
    if (this.#certificate !== undefined) worker.post({ kind: 'certificate', material: this.#certificate });
    if (this.#listening) {
      worker.request({ kind: 'listen' }, REPLY_TIMEOUT_MS).catch((error: unknown) => {
        this.#options.logger.error('a worker cannot listen', { worker: worker.index, error: String(error) });
      });
    }
    if (this.#ready().length === this.#options.count) this.#onAllReady?.();
  }

  #onCrash(worker: WorkerHandle, reason: string): void {
    if (this.#stopping) return;
    const { clock, logger, random } = this.#options;
    const delayMs = backoffDelay(RESTART_BACKOFF, this.#crashes++, random());
    this.#restarts.value++;
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
