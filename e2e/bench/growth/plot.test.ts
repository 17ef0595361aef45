import { test } from 'tap';
import { growthFigure, type GrowthPoint } from './figure.ts';
import { niceCeiling, renderFigure, shortNumber } from './plot.ts';

test('the top of an axis is a round number that nothing exceeds', async t => {
  for (const [value, top] of [
    [0, 1],
    [0.7, 0.8],
    [1, 1],
    [1.01, 1.5],
    [27_265, 30_000],
    [95, 100],
  ] as const)
    t.ok(Math.abs(niceCeiling(value) - top) < 1e-9, `${value}: ${top}`);
});

test('numbers at an axis are short', async t => {
  t.same([0, 0.25, 12.5, 999, 1000, 37_500].map(shortNumber), ['0', '0.25', '12.5', '999', '1k', '37.5k']);
});

const point = (change: Partial<GrowthPoint>): GrowthPoint => ({
  by: 'connections',
  amount: 10,
  who: 'ours',
  requestsPerSecond: 100,
  cpuPer100k: 2,
  memoryMb: 50,
  ...change,
});

test('every measure has a panel for each thing that grows, and a line for each who was measured', async t => {
  const figure = growthFigure([
    point({}),
    point({ amount: 100, requestsPerSecond: 200 }),
    point({ who: 'Envoy' }),
    point({ by: 'identities', amount: 1 }),
  ]);
  t.same(
    figure.panels.map(panel => [panel.xLabel, panel.series.map(series => series.name)]),
    [
      ...Array<unknown>(3).fill(['connections', ['ours', 'Envoy']]),
      ...Array<unknown>(3).fill(['identities', ['ours']]),
    ],
  );
  t.same(figure.panels[0]?.series[0]?.points, [
    { x: 10, y: 100 },
    { x: 100, y: 200 },
  ]);
});

test('a point is where its value is', async t => {
  const series = [
    {
      name: 'a <b>',
      points: [
        { x: 1, y: 0 },
        { x: 10, y: 50 },
        { x: 100, y: 100 },
      ],
    },
  ];
  const svg = renderFigure({ title: 'T & U', columns: 1, panels: [{ title: 'P', xLabel: 'X', series }] });
  t.match(svg, /<path class="line s0" d="M66 166L168 100L270 34"\/>/, 'logarithmic along x, from 0 along y');
  t.match(svg, /a &lt;b><\/text>/, 'text is text');
  t.match(svg, /aria-label="T &amp; U"/);
  t.match(svg, /prefers-color-scheme: dark/, 'readable on a dark ground too');
});
