import type { Clock, Timer } from '../lifecycle/clock.ts';
import { DeltaMerger } from '../workload/merge-deltas.ts';
import type { MeshDelta } from '../workload/mesh-view.ts';
import type {
  FromWorker,
  ToWorker,
  WorkerInit,
  WorkerProtocol,
  WorkerReply,
  WorkerRequest,
} from './messages.ts';
import type { SpawnWorker, WorkerLink } from './worker-link.ts';

export interface WorkerHandleOptions<P extends WorkerProtocol> {
  readonly spawn: SpawnWorker<P>;
  readonly init: WorkerInit<P['settings']>;
  readonly clock: Clock;
  /** The thread answers: it is to be told everything. */
  readonly onReady: (handle: WorkerHandle<P>) => void;
  readonly onEvent: (event: P['event']) => void;
  /** The thread is gone without having been told to. */
  readonly onCrash: (handle: WorkerHandle<P>, reason: string) => void;
}

interface Waiting<P extends WorkerProtocol> {
  readonly resolve: (reply: WorkerReply<P>) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/** Deltas sent ahead of the worker's acknowledgement; later ones are merged until it has caught up. */
const MAX_DELTAS_AHEAD = 4;

/** One worker thread: its requests and replies, and the deltas it has not taken yet. */
export class WorkerHandle<P extends WorkerProtocol> {
  readonly #options: WorkerHandleOptions<P>;
  readonly #link: WorkerLink<P>;
  readonly #waiting = new Map<number, Waiting<P>>();
  readonly #held = new DeltaMerger();
  /** To be posted when nothing of the mesh is held any more. */
  #behindDeltas: ToWorker<P>[] = [];
  #deltasAhead = 0;
  #nextId = 1;
  #ready = false;
  #stopping = false;
  #exited = false;

  constructor(options: WorkerHandleOptions<P>) {
    this.#options = options;
    this.#link = options.spawn(options.init, {
      onMessage: message => this.#onMessage(message),
      onExit: reason => this.#onExit(reason),
    });
  }

  get ready(): boolean {
    return this.#ready && !this.#exited;
  }

  get index(): number {
    return this.#options.init.index;
  }

  post(message: ToWorker<P>): void {
    if (!this.#exited) this.#link.post(message);
  }

  sendDelta(delta: MeshDelta): void {
    if (this.#deltasAhead >= MAX_DELTAS_AHEAD) {
      this.#held.add(delta);
      return;
    }
    this.#deltasAhead++;
    this.post({ kind: 'delta', delta });
  }

  /** Behind every delta sent so far, also those that wait for the worker to catch up. */
  postBehindDeltas(message: ToWorker<P>): void {
    if (this.#held.empty) this.post(message);
    else this.#behindDeltas.push(message);
  }

  /** Rejects when the worker reports an error, is gone, or does not answer in time. */
  request(message: WorkerRequest<P>, timeoutMs: number): Promise<WorkerReply<P>> {
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
    await this.#link.terminate();
  }

  #onMessage(message: FromWorker<P>): void {
    switch (message.kind) {
      case 'ready':
        this.#ready = true;
        this.#options.onReady(this);
        return;
      case 'applied':
        this.#deltasAhead--;
        if (this.#held.empty) return;
        this.sendDelta(this.#held.take());
        for (const behind of this.#behindDeltas.splice(0)) this.post(behind);
        return;
      case 'event':
        this.#options.onEvent(message.event);
        return;
      case 'done':
      case 'metrics':
      case 'connections':
        this.#settle(message);
        return;
    }
  }

  #settle(reply: WorkerReply<P>): void {
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
