import type { GraphEdge, GraphFrame, GraphKind, GraphNode } from '#shared/dashboard/frames.ts';
import { buildGraph, type CountedEdge, type MeshGraph, OUTSIDE } from '../graph/build-graph.ts';
import { figuresOf } from '../graph/figures.ts';
import type { MeshPicture } from '../mesh-watch.ts';
import { headOf, type MeshLabel } from './head.ts';
import { isInScope, type Scope } from './scope.ts';

export interface GraphWish extends Scope {
  readonly by: GraphKind;
}

/** More can neither be laid out in time nor be read. */
const MAX_NODES = 300;
const MAX_EDGES = 1_200;

export function graphFrame(picture: MeshPicture, label: MeshLabel, wish: GraphWish): GraphFrame {
  const { by } = wish;
  const graph = buildGraph(picture.traffic.flows, picture.state.inventory, by);
  const { edges, leftOut, nodes } = narrowed(graph, wish);
  return {
    view: 'graph',
    head: headOf(picture, label),
    by,
    nodes,
    edges: edges.map(edge => graphEdge(edge, picture.traffic.seconds)),
    leftOut,
  };
}

export function graphEdge(edge: CountedEdge, seconds: number): GraphEdge {
  const { count, open, ...rest } = edge;
  const passed = count.requests + count.opened + count.denied + count.failed;
  const bytes = count.requestBytes + count.responseBytes;
  return { ...rest, figures: figuresOf(count, open, seconds), active: passed + bytes + open > 0 };
}

/** Of a namespace, or with a filter: its nodes, and those they talk with. Of too many the busiest, and those with traffic before the others. */
function narrowed(
  graph: MeshGraph,
  scope: Scope,
): {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly CountedEdge[];
  readonly leftOut: number;
} {
  const inScope = new Set(
    [...graph.nodes.values()].filter(n => isInScope(n, `${n.namespace}/${n.name}`, scope)).map(n => n.id),
  );
  const isIn = (id: string): boolean => inScope.has(id);
  const inReach = graph.edges.filter(e => isIn(e.from) || isIn(e.to));
  const busiest = inReach.toSorted((a, b) => weightOf(b) - weightOf(a)).slice(0, MAX_EDGES);
  const shown = new Set<string>();
  for (const { from, to } of busiest) {
    const more = [from, to].filter(id => !shown.has(id));
    if (shown.size + more.length <= MAX_NODES) for (const id of more) shown.add(id);
  }
  const ends = new Set(inReach.flatMap(e => [e.from, e.to]));
  const wanted = [...graph.nodes.values()].filter(n => isIn(n.id) || ends.has(n.id));
  for (const { id } of wanted) if (shown.size < MAX_NODES && id !== OUTSIDE) shown.add(id);
  const nodes = wanted.filter(n => shown.has(n.id)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const edges = busiest
    .filter(e => shown.has(e.from) && shown.has(e.to))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return { nodes, edges, leftOut: wanted.length - nodes.length };
}

/** How much passes. */
export function weightOf({ count, open }: CountedEdge): number {
  return count.requests + count.opened + count.denied + open;
}
