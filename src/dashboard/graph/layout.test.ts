import fc from 'fast-check';
import { test } from 'tap';
import { edgePath, labelPoint } from './edge-path.ts';
import { type Direction, type Layout, layOut, type LayoutSize } from './layout.ts';
import { crossings, orderLayers } from './ordering.ts';
import { placeInRow } from './placement.ts';
import { type Link, rankNodes } from './ranks.ts';

const SIZE: LayoutSize = { nodeWidth: 100, nodeHeight: 40, gap: 20, rankGap: 80, width: 500 };

/** `a>b b>c` */
function links(text: string): Link[] {
  return text
    .split(' ')
    .filter(part => part !== '')
    .map(id => ({ id, from: id.split('>')[0] ?? '', to: id.split('>')[1] ?? '' }));
}

function idsOf(all: readonly Link[]): string[] {
  return [...new Set(all.flatMap(l => [l.from, l.to]))].sort();
}

/** [sentence, edges, columns] */
const RANKS: readonly (readonly [string, string, string])[] = [
  ['who calls stands before whom it calls', 'a>b b>c', 'a0 b1 c2'],
  ['the longest way decides', 'a>b b>c a>c', 'a0 b1 c2'],
  [
    'who is called by nobody stands right before the first that it calls',
    'a>b b>c c>d x>d',
    'a0 b1 c2 d3 x2',
  ],
  ['a circle is opened', 'a>b b>c c>a', 'a0 b1 c2'],
  ['a circle is entered where its caller does', 'x>b b>c c>a a>b', 'a3 b1 c2 x0'],
  ['one that calls itself stands as if it did not', 'a>a a>b', 'a0 b1'],
  ['two that call each other', 'a>b b>a', 'a0 b1'],
];

test('columns', t => {
  for (const [sentence, text, wanted] of RANKS) {
    const all = links(text);
    const { rankOf } = rankNodes(idsOf(all), all);
    const shown = [...rankOf].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, rank]) => `${id}${rank}`);
    t.equal(shown.join(' '), wanted, sentence);
  }
  t.end();
});

test('the order in which edges do not cross is found', t => {
  const pairs = [
    ['a', 'y'],
    ['b', 'x'],
    ['x', 'n'],
    ['y', 'm'],
  ] as const;
  const layers = orderLayers({
    layers: [
      ['a', 'b'],
      ['x', 'y'],
      ['m', 'n'],
    ],
    pairs,
  });
  const after = new Map(pairs.map(([a, b]) => [a, [b]]));
  t.equal(
    crossings(
      [
        ['a', 'b'],
        ['x', 'y'],
        ['m', 'n'],
      ],
      after,
    ),
    2,
    'they did',
  );
  t.equal(crossings(layers, after), 0);
  t.end();
});

/** [sentence, wanted, gaps, places] */
const ROWS: readonly (readonly [string, readonly number[], readonly number[], readonly number[]])[] = [
  ['each where it is wanted', [0, 100, 200], [50, 50], [0, 100, 200]],
  ['two that are in each other’s way give way alike', [100, 100], [50], [75, 125]],
  ['a third is pushed along', [0, 0, 10], [50, 50], [-46.7, 3.3, 53.3]],
  ['the order holds', [100, 0], [10], [45, 55]],
  ['nothing', [], [], []],
];

test('places in a row', t => {
  for (const [sentence, wanted, gaps, places] of ROWS)
    t.same(
      placeInRow(wanted, gaps).map(p => Math.round(p * 10) / 10),
      places,
      sentence,
    );
  t.end();
});

function overlapping({ nodes }: Layout): string[] {
  const all = [...nodes];
  return all.flatMap(([a, p], i) =>
    all
      .slice(i + 1)
      .filter(([, q]) => Math.abs(p.x - q.x) < SIZE.nodeWidth && Math.abs(p.y - q.y) < SIZE.nodeHeight)
      .map(([b]) => `${a} and ${b}`),
  );
}

const arbitraryGraph = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 14 }), fc.integer({ min: 0, max: 14 })), {
    maxLength: 40,
    selector: ([a, b]) => `${a}>${b}`,
  })
  .map(pairs => links(pairs.map(([a, b]) => `${a}>${b}`).join(' ')));

test('any graph: no node on another, all within the picture, edges from side to side, and the same again', t => {
  fc.assert(
    fc.property(arbitraryGraph, fc.constantFrom<Direction>('right', 'down'), (all, direction) => {
      const ids = [...idsOf(all), 'single-1', 'single-2'];
      const layout = layOut(ids, all, SIZE, direction);
      if (overlapping(layout).length > 0) throw new Error(overlapping(layout).join());
      for (const id of ids) {
        const at = layout.nodes.get(id);
        if (at === undefined) throw new Error(`${id} is nowhere`);
        const isInside =
          at.x >= 0 &&
          at.y >= 0 &&
          at.x + SIZE.nodeWidth <= layout.width &&
          at.y + SIZE.nodeHeight <= layout.height;
        if (!isInside) throw new Error(`${id} is at ${at.x} ${at.y} of ${layout.width} ${layout.height}`);
      }
      for (const link of all) {
        const points = layout.edges.get(link.id) ?? [];
        const [from, to] = [layout.nodes.get(link.from), layout.nodes.get(link.to)];
        const [first, last] = [points[0], points.at(-1)];
        if (!touches(from, first) || !touches(to, last)) throw new Error(`${link.id} ends elsewhere`);
        if (edgePath(points, direction).includes('NaN')) throw new Error(`${link.id} has no path`);
      }
      const again = layOut([...ids].reverse(), [...all].reverse(), SIZE, direction);
      return ids.every(id => JSON.stringify(again.nodes.get(id)) === JSON.stringify(layout.nodes.get(id)));
    }),
    { numRuns: 200 },
  );
  t.pass('200 graphs');
  t.end();
});

function touches(
  corner: { readonly x: number; readonly y: number } | undefined,
  point: { readonly x: number; readonly y: number } | undefined,
): boolean {
  if (corner === undefined || point === undefined) return false;
  const [dx, dy] = [point.x - corner.x, point.y - corner.y];
  return dx >= 0 && dx <= SIZE.nodeWidth && dy >= 0 && dy <= SIZE.nodeHeight;
}

test('nothing, and nodes without edges', t => {
  t.match(layOut([], [], SIZE, 'right'), { width: 24, height: 24 });
  const { height, nodes, width } = layOut(['a', 'b', 'c', 'd', 'e', 'f'], [], SIZE, 'right');
  t.ok(width <= SIZE.width && height > 100, 'in rows');
  t.equal(nodes.size, 6);
  t.end();
});

test('lines and their labels', t => {
  const points = [
    { x: 0, y: 0 },
    { x: 100, y: 50 },
  ];
  t.equal(edgePath(points, 'right'), 'M0 0C50 0 50 50 100 50');
  t.equal(edgePath(points, 'down'), 'M0 0C0 25 100 25 100 50');
  t.same(labelPoint(points), { x: 50, y: 25 });
  t.equal(edgePath([], 'right'), '');
  t.end();
});
