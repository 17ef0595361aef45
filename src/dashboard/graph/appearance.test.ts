import { test } from 'tap';
import type { Figures, GraphEdge, GraphNode } from '#shared/dashboard/frames.ts';
import { edgeLabel, edgeSentence, edgeWidth, type EdgeLabel, healthOf, meshText } from './appearance.ts';
import { narrowGraph } from './narrow.ts';

const FIGURES: Figures = {
  rps: null,
  success: null,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  requestBytesPerSecond: 0,
  responseBytesPerSecond: 0,
  openConnections: 0,
  connectionsPerSecond: 0,
  deniedPerSecond: 0,
  failedPerSecond: 0,
};
const HTTP: Figures = { ...FIGURES, rps: 30, success: 1, p99Ms: 9.8 };

/** [sentence, figures, whether anything passed, health] */
const HEALTH: readonly (readonly [string, Figures, boolean, string])[] = [
  ['all succeed', HTTP, true, 'good'],
  ['connections alone', FIGURES, true, 'good'],
  ['nothing passes', FIGURES, false, 'idle'],
  ['one in fifty fails', { ...HTTP, success: 0.98 }, true, 'warning'],
  ['one in ten fails', { ...HTTP, success: 0.9 }, true, 'bad'],
  ['connections fail', { ...FIGURES, failedPerSecond: 1 }, true, 'warning'],
  ['policy refuses', { ...FIGURES, deniedPerSecond: 1 }, true, 'bad'],
  ['policy refuses all of it', { ...FIGURES, deniedPerSecond: 1 }, false, 'bad'],
];

test('how well it goes', t => {
  for (const [sentence, figures, isActive, wanted] of HEALTH)
    t.equal(healthOf(figures, isActive), wanted, sentence);
  t.end();
});

const EDGE: GraphEdge = {
  id: 'a b',
  from: 'a',
  to: 'b',
  security: 'mutual_tls',
  sourceIdentities: [],
  destinationIdentities: [],
  waypoints: [],
  figures: HTTP,
  active: true,
  denied: 0,
};
const QUIET: GraphEdge = { ...EDGE, figures: FIGURES, active: false };

/** [sentence, edge, label, text] */
const EDGE_LABELS: readonly (readonly [string, GraphEdge, EdgeLabel, string])[] = [
  ['a rate', EDGE, 'rate', '30/s'],
  [
    'with what succeeds when that is not all',
    { ...EDGE, figures: { ...HTTP, success: 0.671 } },
    'rate',
    '30/s · 67.1 %',
  ],
  [
    'of connections their number',
    { ...EDGE, figures: { ...FIGURES, openConnections: 2 } },
    'rate',
    '2 conn · 0 B/s',
  ],
  ['latency', EDGE, 'latency', 'p99 9.8 ms'],
  [
    'bytes both ways',
    { ...EDGE, figures: { ...HTTP, requestBytesPerSecond: 500, responseBytesPerSecond: 700 } },
    'bytes',
    '1.2 kB/s',
  ],
  ['security, also without traffic', QUIET, 'security', 'mutual TLS'],
  ['nothing where nothing passes', QUIET, 'rate', ''],
  ['what was refused, where nothing passes', { ...QUIET, denied: 3 }, 'rate', '3 refused'],
  [
    'what is refused now',
    { ...QUIET, denied: 3, figures: { ...FIGURES, deniedPerSecond: 1 } },
    'rate',
    '1.0/s refused',
  ],
  ['nothing where nothing is asked for', EDGE, 'none', ''],
];

test('what is written on an edge', t => {
  for (const [sentence, edge, label, wanted] of EDGE_LABELS)
    t.equal(edgeLabel(edge, label), wanted, sentence);
  t.equal(
    edgeSentence({ ...EDGE, waypoints: ['shop/waypoint'], denied: 2 }, 'shop/a', 'shop/b'),
    'shop/a to shop/b; mutual TLS; through waypoint shop/waypoint; 30/s requests, 100 % successful; 2 refused by policy',
  );
  t.ok(edgeWidth(HTTP) > edgeWidth(FIGURES));
  t.ok(edgeWidth({ ...HTTP, rps: 1e9 }) <= 6);
  t.end();
});

function node(id: string): GraphNode {
  const [namespace = '', name = ''] = id.split('/');
  return { id, kind: 'service', namespace, name, pods: 1, healthyPods: 1, meshedPods: 1, waypoint: '' };
}

function edge(from: string, to: string, active = true, denied = 0): GraphEdge {
  return { ...EDGE, id: `${from} ${to}`, from, to, active, denied };
}

const NODES = ['s/a', 's/b', 's/c', 't/d', 't/idle'].map(node);
const EDGES = [edge('s/a', 's/b'), edge('s/b', 's/c', false), edge('s/c', 't/d', false, 1)];

/** [sentence, filter, with what is idle, nodes] */
const FILTERS: readonly (readonly [string, string, boolean, readonly string[]])[] = [
  ['everything', '', true, ['s/a', 's/b', 's/c', 't/d', 't/idle']],
  ['what has traffic, or was refused', '', false, ['s/a', 's/b', 's/c', 't/d']],
  ['what has the text in its name, and whom it talks with', 'S/B', true, ['s/a', 's/b', 's/c']],
  ['each word of it', 'b s', true, ['s/a', 's/b', 's/c']],
  ['of those with traffic', 's/b', false, ['s/a', 's/b']],
  ['nothing', 'nowhere', true, []],
];

test('what of a graph is shown', t => {
  for (const [sentence, filter, withIdle, wanted] of FILTERS)
    t.same(
      narrowGraph(NODES, EDGES, { filter, withIdle }).nodes.map(n => n.id),
      wanted,
      sentence,
    );
  t.end();
});

test('whether pods are in the mesh', t => {
  const text = (meshedPods: number, pods: number): string => meshText({ meshedPods, pods });
  t.same(
    [text(2, 2), text(1, 2), text(0, 2), text(0, 0)],
    ['in the mesh', 'partly in the mesh', 'not in the mesh', ''],
  );
  t.end();
});
