import { Worker } from 'node:worker_threads';
import { FdLedger } from '../engine/fd-ledger.ts';
import { closeFd } from '../native/socket.ts';
import { LineSink } from '../observability/line-sink.ts';
import type { FromWorker, ToWorker, WorkerInit, WorkerProtocol } from './messages.ts';

/** A running worker thread, as its supervisor sees it. */
export interface WorkerLink<P extends WorkerProtocol> {
  post(message: ToWorker<P>): void;
  /** Ends the thread whatever it does. Its descriptors are closed when this resolves. */
  terminate(): Promise<void>;
}

export interface WorkerEvents<P extends WorkerProtocol> {
  onMessage(message: FromWorker<P>): void;
  /** Once: the thread is gone. */
  onExit(reason: string): void;
}

export type SpawnWorker<P extends WorkerProtocol> = (
  init: WorkerInit<P['settings']>,
  events: WorkerEvents<P>,
) => WorkerLink<P>;

export interface WorkerThreadOptions {
  /** The program of a thread. */
  readonly entry: URL;
  /** Old generation, MiB: a thread that needs more is ended and started again rather than taking the node's memory. */
  readonly maxHeapMb: number;
  /** MiB. */
  readonly youngGenerationMb: number;
}

/** Spawns real threads. */
export function workerThreads<P extends WorkerProtocol>(options: WorkerThreadOptions): SpawnWorker<P> {
  return (init, events) => {
    const ledger = new FdLedger();
    const worker = new Worker(options.entry, {
      name: `traffic-${init.index}`,
      workerData: { ...init, fdLedger: ledger.memory, logFd: LineSink.stdout().fd },
      resourceLimits: {
        maxOldGenerationSizeMb: options.maxHeapMb,
        maxYoungGenerationSizeMb: options.youngGenerationMb,
      },
    });
    let failure: string | undefined;
    worker.on('message', (message: FromWorker<P>) => events.onMessage(message));
    worker.on('error', error => {
      failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    worker.on('exit', code => {
      // What the runtime does not know of it does not close: peers would wait for ever.
      ledger.takeAll().forEach(closeFd);
      events.onExit(failure ?? `exit code ${code}`);
    });
    return {
      post: message => worker.postMessage(message),
      async terminate() {
        await worker.terminate();
      },
    };
  };
}
