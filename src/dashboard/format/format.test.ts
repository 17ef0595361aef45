import { test } from 'tap';
import { sparkline } from '../chart/sparkline.ts';
import { nextSorting, sortRows } from '../table/sort.ts';
import {
  bytesPerSecond,
  count,
  duration,
  milliseconds,
  percent,
  plural,
  rate,
  shortIdentity,
} from './figures.ts';

test('figures as people read them', t => {
  const shown = (of: (n: number) => string, ...values: number[]): string[] => values.map(of);
  t.same(shown(rate, 0, 0.01, 0.5, 9.96, 12, 12.34, 123.4), [
    '0/s',
    '<0.1/s',
    '0.5/s',
    '10/s',
    '12/s',
    '12.3/s',
    '123/s',
  ]);
  t.same(shown(percent, 1, 0, 0.5, 0.995, 0.99995), ['100 %', '0 %', '50.0 %', '99.50 %', '99.99 %']);
  t.same(shown(milliseconds, 0.7, 12.5, 900, 1_500, 12_000), [
    '0.7 ms',
    '12.5 ms',
    '900 ms',
    '1.5 s',
    '12 s',
  ]);
  t.same(shown(bytesPerSecond, 0, 999, 1_000, 2_500_000, 5e15), [
    '0 B/s',
    '999 B/s',
    '1.0 kB/s',
    '2.5 MB/s',
    '5000 TB/s',
  ]);
  t.same(shown(count, 0, 9_999, 12_345), ['0', '9999', '12.3k']);
  t.same(shown(duration, -5, 3_999, 300_000, 9_000_000, 400_000_000), ['0 s', '3 s', '5 min', '2 h', '4 d']);
  t.same([rate(null), percent(null), milliseconds(null)], ['–', '–', '–']);
  t.same(
    [plural(1, 'pod'), plural(0, 'pod'), plural(2, 'policy', 'policies')],
    ['1 pod', '0 pods', '2 policies'],
  );
  t.equal(shortIdentity('spiffe://cluster.local/ns/shop/sa/orders'), 'shop/orders');
  t.equal(shortIdentity('spiffe://other'), 'spiffe://other');
  t.end();
});

const SIZE = { width: 100, height: 20 };

test('lines of figures', t => {
  t.equal(sparkline([0, 10], SIZE).line, 'M0 19L100 1');
  t.match(sparkline([0, 5], { ...SIZE, atLeast: 10 }), { max: 10, line: 'M0 19L100 10' });
  t.equal(sparkline([1, null, 1, 1], SIZE).line, 'M0 1M66.7 1L100 1', 'a gap where nothing is known');
  t.equal(sparkline([0, 10], SIZE).area, 'M0 19L100 1L100 20L0 20Z');
  t.match(sparkline([], SIZE), { line: '', area: '' });
  t.match(sparkline([0, 0], SIZE), { line: 'M0 19L100 19' });
  t.equal(sparkline([5], SIZE).line, 'M100 1', 'one figure stands at the right');
  t.end();
});

test('rows by a column', t => {
  const sorted = (values: readonly (string | number | null)[], isDescending: boolean): unknown[] =>
    sortRows(values, v => v, isDescending);
  t.same(sorted([2, null, 10, 1], false), [1, 2, 10, null]);
  t.same(sorted([2, null, 10, 1], true), [10, 2, 1, null], 'what is not known is last, either way');
  t.same(sorted(['v10', 'v9', 'V1'], false), ['V1', 'v9', 'v10'], 'numbers in names');
  const by = { column: 'a', isDescending: true };
  t.same(nextSorting(by, 'a', true), { column: 'a', isDescending: false });
  t.same(nextSorting(by, 'b', true), { column: 'b', isDescending: true });
  t.same(nextSorting(by, 'b', false), { column: 'b', isDescending: false });
  t.end();
});
