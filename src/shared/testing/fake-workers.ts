import type { FromWorker, ToWorker, WorkerProtocol } from '../workers/messages.ts';
import type { SpawnWorker, WorkerEvents } from '../workers/worker-link.ts';

interface FakeThread<P extends WorkerProtocol> {
  readonly received: ToWorker<P>[];
  readonly events: WorkerEvents<P>;
  readonly say: (message: FromWorker<P>) => void;
  terminated: boolean;
}

/** Worker threads that do what the test says, in the order they were spawned. */
export class FakeWorkers<P extends WorkerProtocol> {
  readonly threads: FakeThread<P>[] = [];

  readonly spawn: SpawnWorker<P> = (_init, events) => {
    const thread: FakeThread<P> = {
      received: [],
      events,
      say: message => events.onMessage(message),
      terminated: false,
    };
    this.threads.push(thread);
    return {
      post: message => void thread.received.push(message),
      terminate: () => {
        thread.terminated = true;
        return Promise.resolve();
      },
    };
  };

  thread(i: number): FakeThread<P> {
    const found = this.threads[i];
    if (found === undefined) throw new Error(`no thread ${i}`);
    return found;
  }

  kinds(i: number): string[] {
    return this.thread(i).received.map(message => message.kind);
  }

  /** The id of the last request of that kind. */
  requestId(i: number, kind: ToWorker<P>['kind']): number {
    const request = this.thread(i).received.findLast(message => message.kind === kind);
    if (request === undefined || !('id' in request) || typeof request.id !== 'number')
      throw new Error(`thread ${i} was not asked to ${kind}`);
    return request.id;
  }

  /** Answers the last request of that kind. */
  answer(i: number, kind: ToWorker<P>['kind'], error?: string): void {
    this.thread(i).say({ kind: 'done', id: this.requestId(i, kind), error });
  }

  /** Starts the pool whose threads these are. */
  async start(pool: { start(): Promise<void> }): Promise<void> {
    const started = pool.start();
    for (const thread of this.threads) thread.say({ kind: 'ready' });
    await started;
  }
}
