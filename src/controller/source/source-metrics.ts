import type { MetricSet } from '#shared/observability/metric-set.ts';

/** How the controller's reading of its objects goes. */
export interface SourceMetrics {
  /** A list or watch of this kind broke off; it is tried again. */
  onWatchError(kind: string): void;
  /** Before a scrape. */
  update(now: SourceNumbers): void;
}

export interface SourceNumbers {
  /** Kinds, or files, that cannot be read now. */
  readonly problems: number;
  readonly objects: readonly ObjectCount[];
}

export interface ObjectCount {
  readonly kind: string;
  readonly state: 'stale' | 'rejected';
  readonly count: number;
}

export function createSourceMetrics(metrics: MetricSet): SourceMetrics {
  const watchErrors = metrics.counter({
    name: 'ambient_watch_errors_total',
    help: 'Lists and watches of the API server that broke off, by kind; each is tried again.',
    labels: ['kind'],
  });
  const problems = metrics
    .gauge({
      name: 'ambient_source_problems',
      help: 'Kinds, or files, that cannot be read now: what was read last stays in force.',
      labels: [],
    })
    .cell([]);
  const objects = metrics.gauge({
    name: 'ambient_rejected_objects',
    help: 'Objects that are not in force (`rejected`), or an earlier version of them is (`stale`).',
    labels: ['kind', 'state'],
  });
  const shown = new Map<string, readonly [string, string]>();
  return {
    onWatchError: kind => void watchErrors.cell([kind]).value++,
    update(now) {
      problems.value = now.problems;
      // Those that were told of once go on, at 0: a series that only ends is taken for one that still stands.
      for (const labels of shown.values()) objects.cell(labels).value = 0;
      for (const { count, kind, state } of now.objects) {
        const labels = [kind, state] as const;
        shown.set(`${kind} ${state}`, labels);
        objects.cell(labels).value = count;
      }
    },
  };
}
