import { workerStart } from '#shared/workers/worker-program.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';
import { runWorker } from './worker.ts';

const { port, init } = workerStart<TrafficSettings>();
runWorker(port, init);
