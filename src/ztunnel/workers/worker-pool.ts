import type { TlsMaterial } from '#shared/engine/engine.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import { registerWorkerRestarts } from '#shared/observability/worker-restarts.ts';
import type { WorkerHandle } from '#shared/workers/worker-handle.ts';
import { WorkerSupervisor, type WorkerSupervisorOptions } from '#shared/workers/worker-supervisor.ts';
import type { LocalWorkloadInfo } from '../pod/local-workload.ts';
import { ConnectionBook } from '../connections/connection-book.ts';
import type { PodAssignment, WorkloadAssignment, ZtunnelProtocol } from './messages.ts';

type Handle = WorkerHandle<ZtunnelProtocol>;

export interface WorkerPoolOptions
  extends Omit<WorkerSupervisorOptions<ZtunnelProtocol>, 'replyTimeoutMs' | 'restarts'> {
  readonly metrics: MetricSet;
}

/**
 * Small, for memory's sake. At 3 MB what a connection takes is copied and promoted before the connection ends, which costs
 * a tenth more CPU time per request; 12 and 24 MB save nothing more.
 */
export const YOUNG_GENERATION_MB = 6;
const REPLY_TIMEOUT_MS = 2_000;
const ENROL_TIMEOUT_MS = 5_000;

/** The traffic threads of a ztunnel: the certificates of its workloads, and the workloads themselves. */
export class WorkerPool extends WorkerSupervisor<ZtunnelProtocol> {
  readonly #logger: WorkerPoolOptions['logger'];
  readonly #certificates = new Map<string, TlsMaterial>();
  readonly #pods = new Map<string, PodAssignment>();
  readonly #book: ConnectionBook;
  #meshKnown = false;

  constructor(options: WorkerPoolOptions) {
    const restarts = registerWorkerRestarts(options.metrics);
    super({ ...options, replyTimeoutMs: REPLY_TIMEOUT_MS, restarts });
    this.#logger = options.logger;
    this.#book = new ConnectionBook(options.init.settings.connections, options.metrics);
  }

  /** Once: all that is known of the mesh has been sent. Until then no thread lets a connection pass. */
  meshKnown(): void {
    if (this.#meshKnown) return;
    this.#meshKnown = true;
    for (const worker of this.ready()) worker.postBehindDeltas({ kind: 'mesh_known' });
  }

  setCertificate(identity: string, material: TlsMaterial): void {
    this.#certificates.set(identity, material);
    for (const worker of this.ready()) worker.post({ kind: 'certificate', identity, material });
  }

  removeCertificate(identity: string): void {
    this.#certificates.delete(identity);
    for (const worker of this.ready()) worker.post({ kind: 'certificate_removed', identity });
  }

  /** Rejects when no worker can accept for the workload. A worker that is starting hears of it when it is ready. */
  async enrol(workload: WorkloadAssignment): Promise<void> {
    const { uid } = workload.info;
    const pod = { ...workload, counts: this.#book.begin(uid, workload.info) };
    this.#pods.set(uid, pod);
    const results = await this.request({ kind: 'enrol', pod }, ENROL_TIMEOUT_MS);
    const failures = results.flatMap(r => (r.status === 'rejected' ? [String(r.reason)] : []));
    if (failures.length === 0) return;
    this.#logCannotAccept(pod, failures[0]);
    if (failures.length < results.length) return;
    this.#forget(uid);
    throw new Error(`no worker can accept for ${pod.info.namespace}/${pod.info.name}: ${failures[0]}`);
  }

  update(info: LocalWorkloadInfo): void {
    const pod = this.#pods.get(info.uid);
    if (pod === undefined) return;
    this.#pods.set(info.uid, { ...pod, info });
    for (const worker of this.ready()) worker.post({ kind: 'update', info });
  }

  /** Resolves when no worker uses the workload's descriptors, at the latest a little after `drainMs`. */
  async leave(podUid: string, drainMs: number): Promise<void> {
    this.#forget(podUid);
    await this.request({ kind: 'leave', podUid, drainMs }, drainMs + REPLY_TIMEOUT_MS);
  }

  /** Brings the gauges of open connections up to date. */
  updateMetrics(): void {
    this.#book.updateMetrics();
  }

  /** Pods whose connections are refused for want of a place; a line each. */
  warnings(): string[] {
    return this.#book.warnings();
  }

  protected override onEnded(index: number): void {
    this.#book.threadEnded(index);
  }

  protected tellEverything(worker: Handle): void {
    if (this.#meshKnown) worker.postBehindDeltas({ kind: 'mesh_known' });
    for (const [identity, material] of this.#certificates)
      worker.post({ kind: 'certificate', identity, material });
    for (const pod of this.#pods.values()) {
      worker.request({ kind: 'enrol', pod }, ENROL_TIMEOUT_MS).catch((error: unknown) => {
        this.#logCannotAccept(pod, String(error));
      });
    }
  }

  #forget(podUid: string): void {
    this.#pods.delete(podUid);
    this.#book.end(podUid);
  }

  #logCannotAccept(pod: PodAssignment, error: string | undefined): void {
    this.#logger.error('a worker cannot accept for a workload', { pod: pod.info.uid, error });
  }
}
