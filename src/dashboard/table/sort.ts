/** What a column is sorted by: numbers, texts; null stands at the end. */
export type SortKey = string | number | null;

export interface Sorting {
  readonly column: string;
  readonly isDescending: boolean;
}

/** Pure, and stable. */
export function sortRows<R>(rows: readonly R[], key: (row: R) => SortKey, isDescending: boolean): R[] {
  return rows.toSorted((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    const order = compare(x, y);
    return isDescending ? -order : order;
  });
}

const NATURAL = new Intl.Collator('en', { numeric: true });

function compare(a: string | number, b: string | number): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : NATURAL.compare(String(a), String(b));
}

/** A click on a column's head: that column, or the other way round. Figures are of interest from above. */
export function nextSorting(now: Sorting, column: string, isFigure: boolean): Sorting {
  if (now.column === column) return { column, isDescending: !now.isDescending };
  return { column, isDescending: isFigure };
}
