import type { Figures } from '#shared/dashboard/frames.ts';
import { latencyQuantile, successRate } from '../../traffic/request-count.ts';
import { emptyCount, type FlowCount } from '../traffic/flow.ts';

export const NO_FIGURES: Figures = figuresOf(emptyCount(), 0, 0);

/** Pure. @param seconds over which it was counted; 0: nothing was, yet */
export function figuresOf(count: FlowCount, open: number, seconds: number): Figures {
  const perSecond = (n: number): number => (seconds > 0 ? n / seconds : 0);
  return {
    rps: count.requests > 0 ? perSecond(count.requests) : null,
    success: successRate(count) ?? null,
    p50Ms: latencyQuantile(count, 0.5) ?? null,
    p95Ms: latencyQuantile(count, 0.95) ?? null,
    p99Ms: latencyQuantile(count, 0.99) ?? null,
    requestBytesPerSecond: perSecond(count.requestBytes),
    responseBytesPerSecond: perSecond(count.responseBytes),
    openConnections: open,
    connectionsPerSecond: perSecond(count.opened),
    deniedPerSecond: perSecond(count.denied),
    failedPerSecond: perSecond(count.failed),
  };
}
