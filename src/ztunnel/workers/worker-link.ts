import { Worker } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerInit } from './messages.ts';

/** A running worker thread, as its supervisor sees it. */
export interface WorkerLink {
  post(message: ToWorker): void;
  /** Ends the thread whatever it does. Its descriptors are closed when this resolves. */
  terminate(): Promise<void>;
}

export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  /** Once: the thread is gone. */
  onExit(reason: string): void;
}

export type SpawnWorker = (init: WorkerInit, events: WorkerEvents) => WorkerLink;

export interface WorkerThreadOptions {
  /** Of `worker-main`. */
  readonly entry: URL;
  /** Old generation, MiB: a thread that needs more is ended and started again rather than taking the node's memory. */
  readonly maxHeapMb: number;
}

/**
 * Small, because what a thread allocates under load are read buffers outside its heap, which only a collection of the
 * young generation frees: at 12 MB they piled up to 50 MB more, for no CPU time saved.
 */
const YOUNG_GENERATION_MB = 3;

/** Spawns real threads. */
export function workerThreads(options: WorkerThreadOptions): SpawnWorker {
  return (init, events) => {
    const worker = new Worker(options.entry, {
      name: `traffic-${init.index}`,
      workerData: init,
      resourceLimits: {
        maxOldGenerationSizeMb: options.maxHeapMb,
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
      },
    });
    let failure: string | undefined;
    worker.on('message', (message: FromWorker) => events.onMessage(message));
    worker.on('error', error => {
      failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    worker.on('exit', code => events.onExit(failure ?? `exit code ${code}`));
    return {
      post: message => worker.postMessage(message),
      async terminate() {
        await worker.terminate();
      },
    };
  };
}
