import type { GraphEdge, GraphNode } from '#shared/dashboard/frames.ts';
import { matches } from '#shared/dashboard/matches.ts';

export interface Narrowing {
  /** Nodes with this text in their names, and those they talk with. */
  readonly filter: string;
  /** Also what has no traffic. */
  readonly withIdle: boolean;
}

export interface Narrowed {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** Pure: what of a graph is shown. */
export function narrowGraph(
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
  { filter, withIdle }: Narrowing,
): Narrowed {
  const alive = withIdle ? edges : edges.filter(e => e.active || e.denied > 0);
  const ends = new Set(alive.flatMap(e => [e.from, e.to]));
  const shown = nodes.filter(n => withIdle || ends.has(n.id));
  const found = new Set(shown.filter(n => matches(`${n.namespace}/${n.name}`, filter)).map(n => n.id));
  const near = alive.filter(e => found.has(e.from) || found.has(e.to));
  const kept = new Set([...found, ...near.flatMap(e => [e.from, e.to])]);
  return { nodes: shown.filter(n => kept.has(n.id)), edges: near };
}
