import { orderLayers } from './ordering.ts';
import { placeInRow } from './placement.ts';
import { groupBy, type Link, rankNodes } from './ranks.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface LayoutSize {
  readonly nodeWidth: number;
  readonly nodeHeight: number;
  /** Between neighbours of a column. */
  readonly gap: number;
  /** Between columns. */
  readonly rankGap: number;
  /** How wide nodes without edges may spread. */
  readonly width: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Upper left corners. */
  readonly nodes: ReadonlyMap<string, Point>;
  /** From the side of a node to that of another, through what is between. */
  readonly edges: ReadonlyMap<string, readonly Point[]>;
}

/** `right`: who calls is left of whom it calls; `down`: above, where there is little width. */
export type Direction = 'right' | 'down';

const MARGIN = 24;
const PASSES = 10;
/** Ends of edges on one side of a node. */
const PORT_GAP = 14;

/** Pure, and the same for the same input: a graph that is drawn again does not jump. */
export function layOut(
  ids: readonly string[],
  links: readonly Link[],
  size: LayoutSize,
  direction: Direction,
): Layout {
  const known = new Set(ids);
  const drawn = links.filter(l => known.has(l.from) && known.has(l.to));
  const linked = new Set(drawn.flatMap(l => [l.from, l.to]));
  const grid = new Columns(
    ids.filter(id => linked.has(id)).sort(),
    drawn.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    size,
    direction,
  );
  const single = ids.filter(id => !linked.has(id)).sort();
  return withSingles(grid.layout(), single, size);
}

/** A node, or where an edge passes a column. `along` is the direction of calls, `across` the other one. */
interface Place {
  readonly along: number;
  across: number;
}

class Columns {
  readonly #links: readonly Link[];
  readonly #size: LayoutSize;
  readonly #isRight: boolean;
  /** Extent of a node in both directions. */
  readonly #along: number;
  readonly #across: number;
  readonly #reversed: ReadonlySet<string>;
  readonly #layers: readonly (readonly string[])[];
  readonly #ways: ReadonlyMap<string, readonly string[]>;
  readonly #nodes: ReadonlySet<string>;
  readonly #places = new Map<string, Place>();

  constructor(ids: readonly string[], links: readonly Link[], size: LayoutSize, direction: Direction) {
    this.#links = links;
    this.#size = size;
    this.#isRight = direction === 'right';
    this.#along = this.#isRight ? size.nodeWidth : size.nodeHeight;
    this.#across = this.#isRight ? size.nodeHeight : size.nodeWidth;
    this.#nodes = new Set(ids);
    const { rankOf, reversed } = rankNodes(ids, links);
    this.#reversed = reversed;
    const base = Math.min(0, ...rankOf.values());
    const rank = (id: string): number => (rankOf.get(id) ?? 0) - base;
    const layers: string[][] = [];
    const put = (id: string, at: number): void => void (layers[at] ??= []).push(id);
    for (const id of ids) put(id, rank(id));
    this.#ways = new Map(links.filter(l => l.from !== l.to).map(l => [l.id, this.#wayOf(l, rank, put)]));
    const pairs = [...this.#ways.values()].flatMap(way =>
      way.slice(1).map((id, i) => [way[i] ?? '', id] as const),
    );
    this.#layers = orderLayers({ layers: Array.from(layers, layer => layer ?? []), pairs });
    this.#place(pairs);
  }

  layout(): Layout {
    const all = [...this.#places.values()];
    const shift = MARGIN - Math.min(...all.map(p => p.across - this.#across / 2));
    for (const place of all) place.across += shift;
    const nodes = [...this.#places].filter(([id]) => this.#nodes.has(id));
    const far = (of: (p: Place) => number): number => Math.max(0, ...all.map(of)) + MARGIN;
    const [along, across] = [far(p => p.along + this.#along), far(p => p.across + this.#across / 2)];
    return {
      ...(this.#isRight ? { width: along, height: across } : { width: across, height: along }),
      nodes: new Map(nodes.map(([id, p]) => [id, this.#point(p.along, p.across - this.#across / 2)])),
      edges: this.#edges(),
    };
  }

  /** The nodes and passages of an edge, in the order of columns. */
  #wayOf(link: Link, rank: (id: string) => number, put: (id: string, at: number) => void): string[] {
    const [first, last] = this.#reversed.has(link.id) ? [link.to, link.from] : [link.from, link.to];
    const way = [first];
    for (let at = rank(first) + 1; at < rank(last); at++) {
      const passage = `${link.id}\0${at}`;
      put(passage, at);
      way.push(passage);
    }
    return [...way, last];
  }

  #place(pairs: readonly (readonly [string, string])[]): void {
    const step = this.#along + this.#size.rankGap;
    for (const [i, layer] of this.#layers.entries()) {
      let across = 0;
      for (const id of layer) {
        this.#places.set(id, { along: MARGIN + i * step, across });
        across += this.#across + this.#size.gap;
      }
    }
    const [before, after] = [groupBy(pairs, ([, b]) => b), groupBy(pairs, ([a]) => a)];
    for (let pass = 0; pass < PASSES; pass++) {
      const isForth = pass % 2 === 0;
      for (const layer of isForth ? this.#layers : this.#layers.toReversed())
        this.#settle(layer, id =>
          isForth ? (before.get(id) ?? []).map(([a]) => a) : (after.get(id) ?? []).map(([, b]) => b),
        );
    }
  }

  /** Moves a column to the means of its neighbours. */
  #settle(layer: readonly string[], neighboursOf: (id: string) => readonly string[]): void {
    const wanted = layer.map(id => {
      const ends = neighboursOf(id).flatMap(n => this.#places.get(n)?.across ?? []);
      const own = this.#places.get(id)?.across ?? 0;
      return ends.length === 0 ? own : ends.reduce((sum, at) => sum + at, 0) / ends.length;
    });
    const gaps = layer.slice(1).map((id, i) => this.#room(layer[i] ?? '') + this.#room(id) + this.#size.gap);
    for (const [i, across] of placeInRow(wanted, gaps).entries()) {
      const place = this.#places.get(layer[i] ?? '');
      if (place !== undefined) place.across = across;
    }
  }

  /** Half of what it takes of its column: a passage takes little. */
  #room(id: string): number {
    return this.#nodes.has(id) ? this.#across / 2 : 0;
  }

  #edges(): Map<string, readonly Point[]> {
    const ports = this.#ports();
    const edges = new Map<string, readonly Point[]>();
    for (const { from, id, to } of this.#links) {
      const way = this.#ways.get(id);
      if (way === undefined) {
        edges.set(id, this.#loop(from));
        continue;
      }
      const points = way.map((at, i) => {
        const place = this.#places.get(at) ?? { along: 0, across: 0 };
        const isFirst = i === 0;
        if (!isFirst && i < way.length - 1) return this.#point(place.along + this.#along / 2, place.across);
        const port = ports.get(`${id}\0${isFirst ? 'out' : 'in'}`) ?? 0;
        return this.#point(place.along + (isFirst ? this.#along : 0), place.across + port);
      });
      edges.set(id, way[0] === from && way.at(-1) === to ? points : points.toReversed());
    }
    return edges;
  }

  /** Where on the side of its node each edge ends: in the order of their other ends, so that they do not cross there. */
  #ports(): Map<string, number> {
    const ends = [...this.#ways].flatMap(([id, way]) => [
      { key: `${id}\0out`, side: `${way[0]}\0out`, next: way[1] ?? '' },
      { key: `${id}\0in`, side: `${way.at(-1)}\0in`, next: way.at(-2) ?? '' },
    ]);
    const ports = new Map<string, number>();
    for (const group of groupBy(ends, e => e.side).values()) {
      const across = (e: { next: string }): number => this.#places.get(e.next)?.across ?? 0;
      const sorted = group.toSorted((a, b) => across(a) - across(b) || (a.key < b.key ? -1 : 1));
      const gap = Math.min(PORT_GAP, (this.#across - PORT_GAP) / Math.max(1, sorted.length - 1));
      for (const [i, { key }] of sorted.entries()) ports.set(key, (i - (sorted.length - 1) / 2) * gap);
    }
    return ports;
  }

  /** Of one that calls itself: out at its side, and in again. */
  #loop(id: string): Point[] {
    const { across, along } = this.#places.get(id) ?? { across: 0, along: 0 };
    const [side, out] = [along + this.#along, along + this.#along + PORT_GAP * 2];
    const [upper, lower] = [across - this.#across / 4, across + this.#across / 4];
    return [this.#point(side, upper), this.#point(out, across), this.#point(side, lower)];
  }

  #point(along: number, across: number): Point {
    return this.#isRight ? { x: along, y: across } : { x: across, y: along };
  }
}

/** Rows below the others. */
function withSingles(layout: Layout, ids: readonly string[], size: LayoutSize): Layout {
  if (ids.length === 0) return layout;
  const isAlone = layout.nodes.size === 0;
  const step = size.nodeWidth + size.gap;
  const room = Math.max(size.width, layout.width) - 2 * MARGIN + size.gap;
  const columns = Math.max(1, Math.floor(room / step));
  const top = isAlone ? MARGIN : layout.height + size.gap;
  const nodes = new Map(layout.nodes);
  for (const [i, id] of ids.entries())
    nodes.set(id, {
      x: MARGIN + (i % columns) * step,
      y: top + Math.floor(i / columns) * (size.nodeHeight + size.gap),
    });
  const rows = Math.ceil(ids.length / columns);
  const width = 2 * MARGIN + Math.min(columns, ids.length) * step - size.gap;
  return {
    width: isAlone ? width : Math.max(layout.width, width),
    height: top + rows * (size.nodeHeight + size.gap) - size.gap + MARGIN,
    nodes,
    edges: layout.edges,
  };
}
