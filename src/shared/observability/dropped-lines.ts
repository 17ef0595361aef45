import type { LineSink } from './line-sink.ts';
import type { MetricSet } from './metric-set.ts';

/**
 * Of one thread: what of its log nobody will ever read.
 * @returns to be called with where its lines are gathered, before each scrape
 */
export function registerDroppedLines(metrics: MetricSet): (lines: Pick<LineSink, 'droppedTotal'>) => void {
  const dropped = metrics
    .counter({
      name: 'ambient_log_lines_dropped_total',
      help: 'Lines of the log that were dropped because the output was blocked, or could not be written to (a full disk).',
      labels: [],
    })
    .cell([]);
  return lines => void (dropped.value = lines.droppedTotal);
}
