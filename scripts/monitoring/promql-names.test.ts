import { test } from 'tap';
import { type UsedNames, usedNames } from './promql-names.ts';

const CASES: readonly (readonly [expr: string, names: UsedNames])[] = [
  ['up', { selectors: [{ metric: 'up', labels: [] }], grouping: [] }],
  [
    'sum by (a, b) (rate(x_total{c="d", e=~"f|g{1}"}[5m]))',
    { selectors: [{ metric: 'x_total', labels: ['c', 'e'] }], grouping: ['a', 'b'] },
  ],
  [
    'sum(rate(x[$__rate_interval])) by (le) / on (job) group_left (tag) y or vector(0)',
    {
      selectors: [
        { metric: 'x', labels: [] },
        { metric: 'y', labels: [] },
      ],
      grouping: ['le', 'job', 'tag'],
    },
  ],
  [
    'x * on (i) group_left y unless z offset 5m',
    {
      selectors: ['x', 'y', 'z'].map(metric => ({ metric, labels: [] })),
      grouping: ['i'],
    },
  ],
  [
    'ns:rate5m{a!="by (b)"} > bool 1.5e3 and time() - x == 0',
    {
      selectors: [
        { metric: 'ns:rate5m', labels: ['a'] },
        { metric: 'x', labels: [] },
      ],
      grouping: [],
    },
  ],
];

test('the names that an expression uses', t => {
  for (const [expr, names] of CASES) t.same(usedNames(expr), names, expr);
  t.throws(() => usedNames('sum by (a'), /\) is missing/);
  t.end();
});
