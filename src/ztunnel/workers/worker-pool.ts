import type { TlsMaterial } from '#shared/engine/engine.ts';
import { backoffDelay, type BackoffOptions } from '#shared/lifecycle/backoff.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger, LogLevel } from '#shared/observability/logger.ts';
import type { Cell, FamilySnapshot, MetricSet } from '#shared/observability/metric-set.ts';
import { registerWorkerRestarts } from '#shared/observability/worker-restarts.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import type { ConnectionDump } from '../connections/connection-dump.ts';
import type { LocalWorkloadInfo } from '../pod/local-workload.ts';
import type { PodAssignment, WorkerInit } from './messages.ts';
import { WorkerHandle } from './worker-handle.ts';
import type { SpawnWorker } from './worker-link.ts';

export interface WorkerPoolOptions {
  readonly count: number;
  readonly spawn: SpawnWorker;
  readonly init: Omit<WorkerInit, 'index'>;
  /** The whole mesh as it is now, for a worker that starts. */
  readonly wholeMesh: () => MeshDelta;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: MetricSet;
}

const REPLY_TIMEOUT_MS = 2_000;
const ENROL_TIMEOUT_MS = 5_000;
const RESTART_BACKOFF: BackoffOptions = { initialMs: 50, maxMs: 5_000, factor: 2, jitter: 0.2 };
/** A worker that ran this long before it crashed starts again without delay. */
const STABLE_MS = 60_000;

/**
 * The traffic threads of a proxy. What they are told is kept here, so that one that crashed is started again and told
 * everything; the others go on meanwhile, and accept in its place.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers: WorkerHandle[] = [];
  readonly #certificates = new Map<string, TlsMaterial>();
  readonly #pods = new Map<string, PodAssignment>();
  readonly #logLevels: { level: LogLevel; scope: string | undefined }[] = [];
  readonly #restarts: Cell;
  readonly #attempts = new Map<number, { count: number; startedAt: number }>();
  #firstReady: (() => void) | undefined;
  #stopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#restarts = registerWorkerRestarts(options.metrics);
  }

  get readyWorkers(): number {
    return this.#workers.filter(worker => worker.ready).length;
  }

  /** Resolves when every worker answers. A worker that cannot start is tried again for ever, with backoff. */
  start(): Promise<void> {
    return new Promise(resolve => {
      this.#firstReady = resolve;
      for (let index = 0; index < this.#options.count; index++) this.#spawn(index);
    });
  }

  sendDelta(delta: MeshDelta): void {
    for (const worker of this.#workers) if (worker.ready) worker.sendDelta(delta);
  }

  setCertificate(identity: string, material: TlsMaterial): void {
    this.#certificates.set(identity, material);
    for (const worker of this.#workers)
      if (worker.ready) worker.post({ kind: 'certificate', identity, material });
  }

  removeCertificate(identity: string): void {
    this.#certificates.delete(identity);
    for (const worker of this.#workers)
      if (worker.ready) worker.post({ kind: 'certificate_removed', identity });
  }

  setLogLevel(level: LogLevel, scope: string | undefined): void {
    // A later level for all scopes replaces what was said before it.
    if (scope === undefined) this.#logLevels.length = 0;
    this.#logLevels.push({ level, scope });
    for (const worker of this.#workers) if (worker.ready) worker.post({ kind: 'log_level', level, scope });
  }

  /** Rejects when no worker can accept for the workload. A worker that is starting hears of it when it is ready. */
  async enrol(pod: PodAssignment): Promise<void> {
    this.#pods.set(pod.info.uid, pod);
    const results = await Promise.allSettled(
      this.#readyWorkers().map(worker => worker.request({ kind: 'enrol', pod }, ENROL_TIMEOUT_MS)),
    );
    const failures = results.flatMap(r => (r.status === 'rejected' ? [String(r.reason)] : []));
    if (failures.length === 0) return;
    this.#options.logger.error('a worker cannot accept for a workload', {
      pod: pod.info.uid,
      error: failures[0],
    });
    if (failures.length < results.length) return;
    this.#pods.delete(pod.info.uid);
    throw new Error(`no worker can accept for ${pod.info.namespace}/${pod.info.name}: ${failures[0]}`);
  }

  update(info: LocalWorkloadInfo): void {
    const pod = this.#pods.get(info.uid);
    if (pod === undefined) return;
    this.#pods.set(info.uid, { ...pod, info });
    for (const worker of this.#workers) if (worker.ready) worker.post({ kind: 'update', info });
  }

  /** Resolves when no worker uses the workload's descriptors, at the latest a little after `drainMs`. */
  async leave(podUid: string, drainMs: number): Promise<void> {
    this.#pods.delete(podUid);
    await Promise.allSettled(
      this.#readyWorkers().map(worker =>
        worker.request({ kind: 'leave', podUid, drainMs }, drainMs + REPLY_TIMEOUT_MS),
      ),
    );
  }

  /** Of every worker that answers; one that does not is left out rather than waited for. */
  async metrics(): Promise<(readonly FamilySnapshot[])[]> {
    const replies = await this.#askAll('metrics');
    return replies.flatMap(reply => (reply.kind === 'metrics' ? [reply.families] : []));
  }

  async connections(): Promise<ConnectionDump[]> {
    const replies = await this.#askAll('connections');
    return replies.flatMap(reply => (reply.kind === 'connections' ? reply.connections : []));
  }

  /** Stops accepting and waits for connections to end; they are cut at the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    await Promise.allSettled(
      this.#readyWorkers().map(worker =>
        worker.request({ kind: 'drain', deadlineMs }, deadlineMs + REPLY_TIMEOUT_MS),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers.map(worker => worker.stop()));
  }

  async #askAll(kind: 'metrics' | 'connections'): Promise<Awaited<ReturnType<WorkerHandle['request']>>[]> {
    const results = await Promise.allSettled(
      this.#readyWorkers().map(worker => worker.request({ kind }, REPLY_TIMEOUT_MS)),
    );
    return results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  }

  #readyWorkers(): WorkerHandle[] {
    return this.#workers.filter(worker => worker.ready);
  }

  #spawn(index: number): void {
    const { clock, init, spawn } = this.#options;
    const attempts = this.#attempts.get(index) ?? { count: 0, startedAt: 0 };
    attempts.startedAt = clock.monotonic();
    this.#attempts.set(index, attempts);
    this.#workers[index] = new WorkerHandle({
      spawn,
      clock,
      init: { ...init, index },
      onReady: worker => this.#onReady(worker),
      onCrash: (worker, reason) => this.#onCrash(worker, reason),
    });
  }

  #onReady(worker: WorkerHandle): void {
    const { wholeMesh, logger } = this.#options;
    for (const { level, scope } of this.#logLevels) worker.post({ kind: 'log_level', level, scope });
    worker.sendDelta(wholeMesh());
    for (const [identity, material] of this.#certificates)
      worker.post({ kind: 'certificate', identity, material });
    for (const pod of this.#pods.values()) {
      worker.request({ kind: 'enrol', pod }, ENROL_TIMEOUT_MS).catch((error: unknown) => {
        logger.error('a worker cannot accept for a workload', { pod: pod.info.uid, error: String(error) });
      });
    }
    if (this.readyWorkers === this.#options.count) this.#firstReady?.();
  }

  #onCrash(worker: WorkerHandle, reason: string): void {
    if (this.#stopping) return;
    const { clock, logger, random } = this.#options;
    const attempts = this.#attempts.get(worker.index) ?? { count: 0, startedAt: 0 };
    if (clock.monotonic() - attempts.startedAt > STABLE_MS) attempts.count = 0;
    const delayMs = backoffDelay(RESTART_BACKOFF, attempts.count++, random());
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
