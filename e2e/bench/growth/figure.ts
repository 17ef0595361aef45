import type { Figure, Panel, Series } from './plot.ts';

/** How much of something there is, and what one of the contenders then did. */
export interface GrowthPoint {
  readonly by: 'connections' | 'identities';
  readonly amount: number;
  readonly who: 'ours' | 'Envoy';
  readonly requestsPerSecond: number;
  /** CPU seconds. */
  readonly cpuPer100k: number;
  /** Of the larger process. */
  readonly memoryMb: number;
}

const MEASURES = [
  ['requestsPerSecond', 'requests per second'],
  ['cpuPer100k', 'CPU seconds per 100k requests'],
  ['memoryMb', 'memory of the larger process, MB'],
] as const;
const ROWS = ['connections', 'identities'] as const;
const WHO = ['ours', 'Envoy'] as const;

/** One row of panels for each thing that grows, one column for each measure. */
export function growthFigure(points: readonly GrowthPoint[]): Figure {
  const panels = ROWS.flatMap(by =>
    MEASURES.map(([field, title]): Panel => {
      const series = WHO.map(
        (name): Series => ({
          name,
          points: points
            .filter(point => point.by === by && point.who === name)
            .map(point => ({ x: point.amount, y: point[field] })),
        }),
      );
      return { title, xLabel: by, series: series.filter(s => s.points.length > 0) };
    }),
  );
  return { title: 'How cost grows', columns: MEASURES.length, panels };
}
