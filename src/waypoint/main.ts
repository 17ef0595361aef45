import { isMainThread } from 'node:worker_threads';
import { runWaypoint } from './app.ts';
import { readConfig } from './config.ts';
import { runWorkerThread } from './workers/worker.ts';

// The traffic threads run this same file, so that a bundle is one file.
if (isMainThread) {
  try {
    await runWaypoint(readConfig(process.env), new URL(import.meta.url));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
} else runWorkerThread();
