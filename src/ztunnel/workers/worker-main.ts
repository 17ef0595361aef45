import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerInit } from './messages.ts';
import { runWorker } from './worker.ts';

const init: unknown = workerData;
if (parentPort === null || !isWorkerInit(init))
  throw new Error('this is the entry of a traffic worker thread');
runWorker(parentPort, init);

/** Both ends are this program: it is enough to tell this use from an accidental one. */
function isWorkerInit(value: unknown): value is WorkerInit {
  return typeof value === 'object' && value !== null && 'settings' in value && 'log' in value;
}
