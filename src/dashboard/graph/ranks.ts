/** A directed edge between two nodes, by their ids. */
export interface Link {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/** In which column each node stands, and which edges run against the direction. */
export interface Ranks {
  readonly rankOf: ReadonlyMap<string, number>;
  /** Ids of edges that close a circle: they are laid out the other way round. */
  readonly reversed: ReadonlySet<string>;
}

/**
 * Pure. Who calls stands before whom it calls, as near to it as can be. Circles are opened at the edge that leads back to where a walk
 * from the callers has come from.
 */
export function rankNodes(ids: readonly string[], links: readonly Link[]): Ranks {
  const reversed = backEdges(ids, links);
  const forward = links
    .filter(l => l.from !== l.to)
    .map(l => (reversed.has(l.id) ? { id: l.id, from: l.to, to: l.from } : l));
  const [outgoing, incoming] = [groupBy(forward, l => l.from), groupBy(forward, l => l.to)];
  const order = topological(ids, outgoing, incoming);
  const rankOf = new Map<string, number>();
  for (const id of order) {
    const before = (incoming.get(id) ?? []).map(l => rankOf.get(l.from) ?? 0);
    rankOf.set(id, Math.max(-1, ...before) + 1);
  }
  // Nobody calls them: they may stand right before the first that they call.
  for (const id of order.toReversed()) {
    const after = (outgoing.get(id) ?? []).map(l => rankOf.get(l.to) ?? 0);
    if (after.length > 0 && !incoming.has(id)) rankOf.set(id, Math.min(...after) - 1);
  }
  return { rankOf, reversed };
}

/** Depth first, from those that nobody calls; without recursion: a chain may be long. */
function backEdges(ids: readonly string[], links: readonly Link[]): Set<string> {
  const between = links.filter(l => l.from !== l.to);
  const outgoing = groupBy(between, l => l.from);
  const called = new Set(between.map(l => l.to));
  const starts = [...ids.filter(id => !called.has(id)), ...ids.filter(id => called.has(id))];
  const [back, done, onPath] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const start of starts) {
    const path = [{ id: start, next: 0 }];
    for (let here = path.at(-1); here !== undefined; here = path.at(-1)) {
      if (here.next === 0 && done.has(here.id)) {
        path.pop();
        continue;
      }
      onPath.add(here.id);
      const link = (outgoing.get(here.id) ?? [])[here.next++];
      if (link === undefined) {
        done.add(here.id);
        onPath.delete(here.id);
        path.pop();
      } else if (onPath.has(link.to)) back.add(link.id);
      else if (!done.has(link.to)) path.push({ id: link.to, next: 0 });
    }
  }
  return back;
}

function topological(
  ids: readonly string[],
  outgoing: ReadonlyMap<string, readonly Link[]>,
  incoming: ReadonlyMap<string, readonly Link[]>,
): string[] {
  const waiting = new Map(ids.map(id => [id, incoming.get(id)?.length ?? 0]));
  const ready = ids.filter(id => waiting.get(id) === 0);
  for (const id of ready) {
    for (const { to } of outgoing.get(id) ?? []) {
      const left = (waiting.get(to) ?? 0) - 1;
      waiting.set(to, left);
      if (left === 0) ready.push(to);
    }
  }
  return ready;
}

export function groupBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
