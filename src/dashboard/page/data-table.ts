import { nextSorting, type SortKey, sortRows, type Sorting } from '../table/sort.ts';
import type { Actions, PageState } from './context.ts';
import { type Child, childrenOf, el, type ElementSpec } from './element.ts';

export interface Column<R> {
  readonly title: string;
  readonly cell: (row: R) => Child | readonly Child[];
  /** Without it the column does not sort. */
  readonly sort?: (row: R) => SortKey;
  /** Stands at the right, and is sorted from above. */
  readonly isFigure?: true;
  /** For a column whose title does not say all. */
  readonly hint?: string;
}

export interface TableOptions<R> {
  /** Where its sorting is kept. */
  readonly name: string;
  readonly caption: string;
  readonly columns: readonly Column<R>[];
  readonly rows: readonly R[];
  readonly key: (row: R) => string;
  readonly sorting: Sorting;
  readonly tone?: (row: R) => string;
}

export function dataTable<R>(options: TableOptions<R>, state: PageState, actions: Actions): ElementSpec {
  const { caption, columns, key, name, tone } = options;
  const sorting = state.sorting.get(name) ?? options.sorting;
  const by = columns.find(c => c.title === sorting.column)?.sort;
  const rows = by === undefined ? options.rows : sortRows(options.rows, by, sorting.isDescending);
  return el(
    'div',
    { key: name, class: 'table', role: 'region', 'aria-label': caption, tabindex: 0 },
    el(
      'table',
      {},
      el('caption', {}, caption),
      el('thead', {}, el('tr', {}, ...columns.map(column => headCell(column, sorting, name, actions)))),
      el(
        'tbody',
        {},
        ...rows.map(row =>
          el(
            'tr',
            { key: key(row), class: tone?.(row) },
            ...columns.map((column, i) => bodyCell(column, row, i === 0)),
          ),
        ),
      ),
    ),
  );
}

function headCell<R>(column: Column<R>, sorting: Sorting, name: string, actions: Actions): ElementSpec {
  const { hint, isFigure, sort, title } = column;
  const isBy = sorting.column === title;
  const order = sorting.isDescending ? 'descending' : 'ascending';
  const properties = {
    key: title,
    scope: 'col',
    class: isFigure === true ? 'figure' : undefined,
    title: hint,
    'aria-sort': sort === undefined ? undefined : isBy ? order : 'none',
  };
  if (sort === undefined) return el('th', properties, title);
  const click = (): void => actions.sort(name, nextSorting(sorting, title, isFigure === true));
  return el('th', properties, el('button', { type: 'button', on: { click } }, title));
}

function bodyCell<R>({ cell, isFigure, title }: Column<R>, row: R, isFirst: boolean): ElementSpec {
  const content = cell(row);
  const children = childrenOf(content);
  const properties = { key: title, class: isFigure === true ? 'figure' : undefined };
  return isFirst ? el('th', { ...properties, scope: 'row' }, ...children) : el('td', properties, ...children);
}
