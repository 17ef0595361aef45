import { GRAPH_KINDS, type HistoryPoint } from '#shared/dashboard/frames.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Traffic } from '../traffic/traffic-log.ts';
import { buildGraph, inboundOf } from './build-graph.ts';
import { figuresOf, NO_FIGURES } from './figures.ts';

interface Moment {
  readonly atMs: number;
  readonly points: ReadonlyMap<string, HistoryPoint>;
}

/** So many nodes of a moment are kept: the busiest. */
const MAX_NODES = 1_000;

/** What came to each service and workload, measurement by measurement, so many of them. */
export class NodeHistory {
  readonly #maxMoments: number;
  #moments: Moment[] = [];

  constructor(maxMoments: number) {
    this.#maxMoments = maxMoments;
  }

  /** @param traffic since the last measurement alone */
  add(traffic: Traffic, inventory: Inventory): void {
    const points = new Map<string, HistoryPoint>();
    const alive = traffic.flows.filter(
      f => f.open > 0 || f.count.opened + f.count.requests + f.count.denied > 0,
    );
    for (const by of GRAPH_KINDS) {
      const inbound = [...inboundOf(buildGraph(alive, inventory, by).edges)];
      const busiest = inbound.sort(([, a], [, b]) => weight(b.count) - weight(a.count)).slice(0, MAX_NODES);
      for (const [id, { count, open }] of busiest)
        points.set(id, { atMs: traffic.atMs, figures: figuresOf(count, open, traffic.seconds) });
    }
    this.#moments = [...this.#moments.slice(1 - this.#maxMoments), { atMs: traffic.atMs, points }];
  }

  /** The oldest first; a moment of silence is one of zeros. */
  of(node: string): readonly HistoryPoint[] {
    return this.#moments.map(({ atMs, points }) => points.get(node) ?? { atMs, figures: NO_FIGURES });
  }
}

function weight(count: { readonly requests: number; readonly opened: number }): number {
  return count.requests + count.opened;
}
