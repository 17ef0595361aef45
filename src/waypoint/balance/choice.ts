import type { Clock } from '#shared/lifecycle/clock.ts';
import type { LoadBalancer } from '#shared/route/traffic-policy.ts';
import { type AliasTable, drawHashed, drawIndex, makeAliasTable } from './alias-table.ts';
import type { BalancedEndpoint } from './endpoint.ts';
import { makeHashRing, ownerOf } from './hash-ring.ts';
import { makeMaglevTable } from './maglev.ts';
import { completeWeights } from './reported-weight.ts';
import { makeRotation } from './rotation.ts';
import { mix, stir } from './text-hash.ts';

/** Which of the endpoints, by one algorithm. Constant or logarithmic time, no allocation. */
export interface Choice {
  /**
   * @param random in [0, 1)
   * @param hash of the request; `NO_HASH` where there is nothing to hash
   * @param again how often a choice for this request was of no use
   * @returns an index
   */
  choose(random: number, hash: number, again: number): number;
  /** New endpoints may get less at first. */
  readonly warms: boolean;
}

/** A request that has none of what its policy hashes by. */
export const NO_HASH = -1;

/** Where a round robin stands; kept over replacements of the balancer, so that a change does not favour the first. */
export interface RotationCursor {
  turn: number;
}

/** Least request is the default, as Istio's. `passthrough` has nothing to choose by at L7: it draws at random. */
export function makeChoice(
  endpoints: readonly BalancedEndpoint[],
  balancer: LoadBalancer | undefined,
  cursor: RotationCursor,
  clock: Clock,
): Choice {
  const weights = endpoints.map(endpoint => endpoint.workload.capacity);
  const keys = (): string[] => endpoints.map(({ uid, targetPort }) => `${uid}:${targetPort}`);
  switch (balancer?.kind) {
    case 'round_robin':
      return roundRobin(makeRotation(weights), cursor);
    case 'random':
    case 'passthrough':
      return atRandom(makeAliasTable(weights));
    case 'peak_ewma':
      return twoChoices(endpoints, makeAliasTable(weights), () => clock.monotonic(), expectedWait);
    case 'backend_utilization':
      return byReports(endpoints, balancer.reports.updateMs, cursor, clock);
    case 'ring_hash': {
      const ring = makeHashRing(keys(), weights, balancer.minRingSize, balancer.maxRingSize);
      return byHash(hash => ownerOf(ring, hash));
    }
    case 'maglev': {
      const table = makeMaglevTable(keys(), weights, balancer.tableSize);
      return byHash(hash => table[hash % table.length] ?? 0);
    }
    case 'least_request':
      return leastBusy(endpoints, makeAliasTable(weights), balancer.choices ?? 2);
    case undefined:
      return leastBusy(endpoints, makeAliasTable(weights), 2);
  }
}

function roundRobin(rotation: Uint32Array, cursor: RotationCursor): Choice {
  return {
    warms: true,
    choose() {
      // Masked: the number of turns would one day leave the range of small integers.
      cursor.turn = (cursor.turn + 1) & 0x3fffffff;
      return rotation[cursor.turn % rotation.length] ?? 0;
    },
  };
}

function byWeightsNow(endpoints: readonly BalancedEndpoint[], nowMs: number): AliasTable {
  return makeAliasTable(completeWeights(endpoints.map(({ load }) => load.reported?.weight(nowMs))));
}

/** 2^32 times the golden ratio: its multiples, modulo 2^32, are spread as evenly as can be. */
const GOLDEN = 0x9e3779b1;

/** In turn, each as often as it says it can take. Weights are looked at again every `updateMs`, by the choice that comes then. */
function byReports(
  endpoints: readonly BalancedEndpoint[],
  updateMs: number,
  cursor: RotationCursor,
  clock: Clock,
): Choice {
  let table = makeAliasTable(endpoints.map(() => 1));
  let dueMs = Number.NEGATIVE_INFINITY;
  return {
    warms: false,
    choose() {
      const nowMs = clock.monotonic();
      if (nowMs >= dueMs) {
        dueMs = nowMs + updateMs;
        table = byWeightsNow(endpoints, nowMs);
      }
      cursor.turn = (cursor.turn + 1) & 0x3fffffff;
      return drawIndex(table, (Math.imul(cursor.turn, GOLDEN) >>> 0) / 2 ** 32);
    },
  };
}

function atRandom(table: AliasTable): Choice {
  return { warms: true, choose: random => drawIndex(table, random) };
}

/** The better of two drawn at random ("power of two choices"). */
function twoChoices(
  endpoints: readonly BalancedEndpoint[],
  table: AliasTable,
  now: (() => number) | undefined,
  cost: (endpoint: BalancedEndpoint, nowMs: number) => number,
): Choice {
  return {
    warms: true,
    choose(random) {
      const first = drawIndex(table, random);
      let second = drawIndex(table, stir(random));
      if (second === first) second = (second + 1) % table.size;
      const [a, b] = [endpoints[first], endpoints[second]];
      if (a === undefined || b === undefined || b.load.out) return first;
      if (a.load.out) return second;
      const nowMs = now === undefined ? 0 : now();
      return cost(b, nowMs) < cost(a, nowMs) ? second : first;
    },
  };
}

function leastBusy(endpoints: readonly BalancedEndpoint[], table: AliasTable, choices: number): Choice {
  if (choices === 2) return twoChoices(endpoints, table, undefined, busyness);
  return {
    warms: true,
    choose(random) {
      // Small whole numbers: fractions would be garbage.
      let hash = Math.floor(random * 2 ** 30);
      let best = drawHashed(table, hash);
      for (let more = 1; more < choices; more++) {
        hash = mix(hash) & 0x3fffffff;
        best = better(endpoints, best, drawHashed(table, hash));
      }
      return best;
    },
  };
}

function better(endpoints: readonly BalancedEndpoint[], best: number, other: number): number {
  const [a, b] = [endpoints[best], endpoints[other]];
  if (a === undefined || b === undefined || b.load.out) return best;
  return a.load.out || busyness(b) < busyness(a) ? other : best;
}

function busyness({ load, workload }: BalancedEndpoint): number {
  return (load.active + 1) / workload.capacity;
}

/** Peak EWMA, as Linkerd: how long those in progress and one more will take. */
function expectedWait({ load, workload }: BalancedEndpoint, nowMs: number): number {
  const rttMs = load.latency?.estimate(nowMs) ?? 1;
  return (rttMs * (load.active + 1)) / workload.capacity;
}

/**
 * The same endpoint for the same hash. One that is of no use gives its requests to all the others, each hash always to the
 * same one, and gets them back.
 */
function byHash(owner: (hash: number) => number): Choice {
  return {
    warms: false,
    choose(random, hash, again) {
      const start = hash === NO_HASH ? Math.floor(random * 2 ** 32) : hash;
      return owner(again === 0 ? start : mix(start + Math.imul(again, 0x9e3779b1)));
    },
  };
}
