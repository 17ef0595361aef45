import { isMainThread } from 'node:worker_threads';
import { VERSION } from '#shared/config/version.ts';

// The traffic threads run this same file, so that a bundle is one file; each loads only what it needs.
if (!isMainThread) {
  const { runWorkerThread } = await import('./workers/worker-main.ts');
  runWorkerThread();
} else if (process.argv.includes('--version')) {
  process.stdout.write(`waypoint ${VERSION}\n`);
} else {
  const { runFromEnvironment } = await import('./app.ts');
  await runFromEnvironment(new URL(import.meta.url));
}
