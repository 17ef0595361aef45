/** What a figure must reach: a share of the peer's, or an absolute bound. */
export type Goal =
  | { readonly kind: 'ratio_at_least'; readonly value: number }
  | { readonly kind: 'ratio_at_most'; readonly value: number }
  | { readonly kind: 'at_most'; readonly value: number }
  | { readonly kind: 'none' };

export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly goal: Goal;
}

/** One row of the table: medians over the rounds. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  readonly ratio: number;
  readonly goal: string;
  readonly ok: boolean;
}

/** Samples by metric name, one a round. */
export type Samples = ReadonlyMap<string, readonly number[]>;

/** Metrics that neither side has a sample for are left out. */
export function summarize(metrics: readonly Metric[], ours: Samples, peer: Samples): Row[] {
  return metrics
    .filter(({ name }) => ours.has(name) || peer.has(name))
    .map(({ name, unit, goal }) => {
      const our = median(ours.get(name) ?? []);
      const theirs = median(peer.get(name) ?? []);
      const ratio = our / theirs;
      return {
        name,
        unit,
        ours: our,
        peer: theirs,
        ratio,
        goal: goalText(goal),
        ok: isReached(goal, our, ratio),
      };
    });
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** @param names of what is compared */
export function formatTable(
  rows: readonly Row[],
  names: readonly [string, string] = ['ours', 'peer'],
): string {
  const cells = [
    ['', ...names, 'ratio', 'goal', 'ok?'],
    ...rows.map(r => [
      r.unit === '' ? r.name : `${r.name} (${r.unit})`,
      formatNumber(r.ours),
      formatNumber(r.peer),
      r.ratio.toFixed(2),
      r.goal,
      r.goal === '' ? '' : r.ok ? 'yes' : 'NO',
    ]),
  ];
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map(row => row[column]?.length ?? 0))) ?? [];
  return cells
    .map(row =>
      row.map((c, i) => (i === 0 ? c.padEnd(widths[i] ?? 0) : c.padStart(widths[i] ?? 0))).join('  '),
    )
    .join('\n');
}

/** Names of the rows whose goal was not reached. */
export function missedGoals(rows: readonly Row[]): readonly string[] {
  return rows.filter(row => !row.ok).map(row => row.name);
}

function isReached(goal: Goal, ours: number, ratio: number): boolean {
  switch (goal.kind) {
    case 'ratio_at_least':
      return ratio >= goal.value;
    case 'ratio_at_most':
      return ratio <= goal.value;
    case 'at_most':
      return ours <= goal.value;
    case 'none':
      return true;
  }
}

function goalText(goal: Goal): string {
  switch (goal.kind) {
    case 'ratio_at_least':
      return `≥ ${goal.value}`;
    case 'ratio_at_most':
      return `≤ ${goal.value}`;
    case 'at_most':
      return `≤ ${goal.value} itself`;
    case 'none':
      return '';
  }
}

function formatNumber(value: number): string {
  if (value >= 1000) return Math.round(value).toString();
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
