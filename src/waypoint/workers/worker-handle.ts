import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { DeltaMerger } from '#shared/workload/merge-deltas.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import type { FromWorker, ToWorker, WorkerInit } from './messages.ts';

export interface WorkerHandleOptions {
  /** The program's own file: it runs `runWorkerThread` when it is not the main thread. */
  readonly entry: URL;
  readonly init: WorkerInit;
  readonly maxHeapMb: number;
  readonly clock: Clock;
  /** The thread answers: it is to be told everything. */
  readonly onReady: (handle: WorkerHandle) => void;
  /** The thread is gone without having been told to. */
  readonly onCrash: (handle: WorkerHandle, reason: string) => void;
}

type Reply = Extract<FromWorker, { id: number }>;
type Request = Extract<ToWorker, { id: number }>;
export type RequestBody = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/** Deltas sent ahead of the worker's acknowledgement; later ones are merged until it has caught up. */
const MAX_DELTAS_AHEAD = 4;
/** Keeps short-lived objects of a busy thread from being promoted, at little memory. */
const YOUNG_GENERATION_MB = 32;

/** One traffic thread: its requests and replies, and the deltas it has not taken yet. */
export class WorkerHandle {
  readonly #options: WorkerHandleOptions;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #held = new DeltaMerger();
  #deltasAhead = 0;
  #nextId = 1;
  #ready = false;
  #stopping = false;
  #failure: string | undefined;
  #exited = false;

  constructor(options: WorkerHandleOptions) {
    this.#options = options;
    this.#worker = new Worker(options.entry, {
      name: `traffic-${options.init.index}`,
      workerData: options.init,
      resourceLimits: {
        maxOldGenerationSizeMb: options.maxHeapMb,
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
      },
    });
    this.#worker.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#worker.on('error', error => {
      this.#failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    this.#worker.on('exit', code => this.#onExit(this.#failure ?? `exit code ${code}`));
  }

  get ready(): boolean {
    return this.#ready && !this.#exited;
  }

  get index(): number {
    return this.#options.init.index;
  }

  post(message: ToWorker): void {
    if (!this.#exited) this.#worker.postMessage(message);
  }

  sendDelta(delta: MeshDelta): void {
    if (this.#deltasAhead >= MAX_DELTAS_AHEAD) {
      this.#held.add(delta);
      return;
    }
    this.#deltasAhead++;
    this.post({ kind: 'delta', delta });
  }

  /** Rejects when the worker reports an error, is gone, or does not answer in time. */
  request(message: RequestBody, timeoutMs: number): Promise<Reply> {
    if (this.#exited) return Promise.reject(this.#goneError());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.setTimer(timeoutMs, () => {
        this.#waiting.delete(id);
        reject(
          new Error(`traffic worker ${this.index} did not answer ${message.kind} within ${timeoutMs} ms`),
        );
      });
      this.#waiting.set(id, { resolve, reject, timer });
      this.post({ ...message, id });
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#worker.terminate();
  }

  #onMessage(message: FromWorker): void {
    if (message.kind === 'ready') {
      this.#ready = true;
      this.#options.onReady(this);
    } else if (message.kind === 'applied') {
      this.#deltasAhead--;
      if (!this.#held.empty) this.sendDelta(this.#held.take());
    } else this.#settle(message);
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    waiting.timer.cancel();
    if (reply.kind === 'done' && reply.error !== undefined) waiting.reject(new Error(reply.error));
    else waiting.resolve(reply);
  }

  #onExit(reason: string): void {
    this.#exited = true;
    for (const { reject, timer } of this.#waiting.values()) {
      timer.cancel();
      reject(this.#goneError());
    }
    this.#waiting.clear();
    if (!this.#stopping) this.#options.onCrash(this, reason);
  }

  #goneError(): Error {
    return new Error(`traffic worker ${this.index} is gone`);
  }
}
