/** Nodes in columns, and which of neighbouring columns belong together. */
export interface Layers {
  readonly layers: readonly (readonly string[])[];
  /** Pairs of a node and one of the next column. */
  readonly pairs: readonly (readonly [string, string])[];
}

const SWEEPS = 12;

/** Pure: the order within columns in which few edges cross, of those that sweeps of medians come by. */
export function orderLayers({ layers, pairs }: Layers): string[][] {
  const before = neighbours(pairs.map(([a, b]) => [b, a]));
  const after = neighbours(pairs);
  let current = layers.map(layer => [...layer]);
  let [best, bestCrossings] = [current, crossings(current, after)];
  for (let sweep = 0; sweep < SWEEPS && bestCrossings > 0; sweep++) {
    current = sweep % 2 === 0 ? swept(current, before) : swept(current.toReversed(), after).toReversed();
    const found = crossings(current, after);
    if (found < bestCrossings) [best, bestCrossings] = [current, found];
  }
  return best;
}

type Neighbours = ReadonlyMap<string, readonly string[]>;

function neighbours(pairs: readonly (readonly [string, string])[]): Neighbours {
  const map = new Map<string, string[]>();
  for (const [a, b] of pairs) {
    const list = map.get(a);
    if (list === undefined) map.set(a, [b]);
    else list.push(b);
  }
  return map;
}

/** Each column by the middle of its neighbours in the one before; who has none stays where it is. */
function swept(layers: readonly (readonly string[])[], before: Neighbours): string[][] {
  const done: string[][] = [];
  for (const layer of layers) {
    const place = placesOf(done.at(-1) ?? []);
    const middle = layer.map((id, i) => {
      const places = (before.get(id) ?? []).flatMap(n => place.get(n) ?? []);
      return { id, at: places.length === 0 ? i : median(places) };
    });
    done.push(middle.sort((a, b) => a.at - b.at).map(({ id }) => id));
  }
  return done;
}

function placesOf(layer: readonly string[]): Map<string, number> {
  return new Map(layer.map((id, i) => [id, i]));
}

/** Of an even number the mean of both in the middle. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(half)] ?? 0) + (sorted[Math.ceil(half)] ?? 0)) / 2;
}

/** How often edges cross. */
export function crossings(layers: readonly (readonly string[])[], after: Neighbours): number {
  let total = 0;
  for (const [i, layer] of layers.entries()) {
    const place = placesOf(layers[i + 1] ?? []);
    const ends = layer.map(id =>
      (after.get(id) ?? []).flatMap(n => place.get(n) ?? []).sort((a, b) => a - b),
    );
    const above: number[] = [];
    for (const own of ends) {
      for (const end of own) total += above.filter(other => other > end).length;
      above.push(...own);
    }
  }
  return total;
}
