import type { MeasuredEngine } from '../engine/engine-options.ts';
import { registerHandshakes } from '../engine/handshake-metrics.ts';
import { registerDroppedLines } from '../observability/dropped-lines.ts';
import type { LineSink } from '../observability/line-sink.ts';
import { type FamilySnapshot, MetricSet } from '../observability/metric-set.ts';

/** What a traffic thread measures of what it runs on, whatever the tier. @returns the numbers of now */
export function measureThread(engine: MeasuredEngine, lines: LineSink): () => readonly FamilySnapshot[] {
  const metrics = new MetricSet();
  const updateHandshakes = registerHandshakes(metrics);
  const updateDropped = registerDroppedLines(metrics);
  return () => {
    updateHandshakes(engine.handshakes);
    updateDropped(lines);
    return metrics.snapshot();
  };
}
