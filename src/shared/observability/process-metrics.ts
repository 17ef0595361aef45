import { totalmem } from 'node:os';
import { VERSION } from '../config/version.ts';
import type { Readiness } from '../lifecycle/readiness.ts';
import { registerDroppedLines } from './dropped-lines.ts';
import { LineSink } from './line-sink.ts';
import type { MetricSet } from './metric-set.ts';

/**
 * What every process says of itself: which one it is (the gauge by which dashboards tell components and versions apart,
 * always 1), and whether it is ready.
 * @returns to be called before each scrape
 */
export function registerProcess(metrics: MetricSet, component: string, readiness: Readiness): () => void {
  metrics
    .gauge({ name: 'istio_build', help: 'What this process was built from.', labels: ['component', 'tag'] })
    .cell([component, VERSION]).value = 1;
  const ready = metrics
    .gauge({ name: 'ambient_ready', help: '1 while this process is ready (`/healthz/ready`).', labels: [] })
    .cell([]);
  metrics
    .gauge({
      name: 'ambient_memory_limit_bytes',
      help: 'Memory that this process may use: the limit of its container, or what the machine has.',
      labels: [],
    })
    .cell([]).value = memoryLimitBytes();
  const updateDropped = registerDroppedLines(metrics);
  return () => {
    ready.value = readiness.ready ? 1 : 0;
    updateDropped(LineSink.stdout());
  };
}

/** What this process may use: the limit of its container, or what the machine has. */
export function memoryLimitBytes(): number {
  // Without a limit the runtime says 0, or more than there is.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}
