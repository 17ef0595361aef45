import type { LoadBalancer } from '#shared/route/traffic-policy.ts';
import { drawIndex, makeAliasTable, type AliasTable } from './alias-table.ts';
import type { BalancedEndpoint } from './endpoint.ts';
import { makeRotation } from './rotation.ts';

/** The momentary state of a load balancer: immutable, replaced when endpoints or policy change. */
export interface Picker {
  readonly endpoints: readonly BalancedEndpoint[];
  /**
   * Chooses in constant time and without allocation. Endpoints in `tried` (few: the tries of one request) are passed
   * over while another is left.
   *
   * @param random in [0, 1).
   * @returns undefined when there is no endpoint at all.
   */
  pick(random: number, tried: readonly BalancedEndpoint[]): BalancedEndpoint | undefined;
}

/** Where a round robin stands; kept over replacements of the picker, so that a change does not favour the first. */
export interface RotationCursor {
  turn: number;
}

export type BalancingPolicy = LoadBalancer['kind'];

/** Least request is the default, as Istio's. `passthrough` has nothing to choose by at L7: it draws at random. */
export function makePicker(
  endpoints: readonly BalancedEndpoint[],
  policy: BalancingPolicy | undefined,
  cursor: RotationCursor,
): Picker {
  if (endpoints.length === 0) return NOTHING_TO_PICK;
  const weights = endpoints.map(endpoint => endpoint.workload.capacity);
  switch (policy) {
    case 'round_robin':
      return roundRobin(endpoints, makeRotation(weights), cursor);
    case 'random':
    case 'passthrough':
      return atRandom(endpoints, makeAliasTable(weights));
    case 'least_request':
    // Not balanced by their own rules yet.
    case 'peak_ewma':
    case 'ring_hash':
    case 'maglev':
    case undefined:
      return leastRequest(endpoints, makeAliasTable(weights));
  }
}

const NOTHING_TO_PICK: Picker = { endpoints: [], pick: () => undefined };

function roundRobin(
  endpoints: readonly BalancedEndpoint[],
  rotation: Uint32Array,
  cursor: RotationCursor,
): Picker {
  return {
    endpoints,
    pick(_random, tried) {
      // Masked: the number of turns would one day leave the range of small integers.
      cursor.turn = (cursor.turn + 1) & 0x3fffffff;
      return untriedFrom(endpoints, rotation[cursor.turn % rotation.length] ?? 0, tried);
    },
  };
}

function atRandom(endpoints: readonly BalancedEndpoint[], table: AliasTable): Picker {
  return { endpoints, pick: (random, tried) => untriedFrom(endpoints, drawIndex(table, random), tried) };
}

/** The less busy, for its capacity, of two drawn at random ("power of two choices"). */
function leastRequest(endpoints: readonly BalancedEndpoint[], table: AliasTable): Picker {
  return {
    endpoints,
    pick(random, tried) {
      const first = untriedFrom(endpoints, drawIndex(table, random), tried);
      const second = untriedFrom(endpoints, drawOther(table, random), tried);
      if (first === undefined || second === undefined) return first;
      return busyness(second) < busyness(first) ? second : first;
    },
  };
}

const GOLDEN_RATIO = 0x9e3779b1;

/** A second draw from the same random number: its lower bits, stirred. Differs from the first where it can. */
function drawOther(table: AliasTable, random: number): number {
  const lower = random * 2 ** 26;
  const bits = Math.imul(Math.floor((lower - Math.floor(lower)) * 2 ** 27) ^ (lower | 0), GOLDEN_RATIO) >>> 0;
  const second = drawIndex(table, bits / 2 ** 32);
  return second === drawIndex(table, random) ? (second + 1) % table.size : second;
}

function busyness(endpoint: BalancedEndpoint): number {
  return (endpoint.load.active + 1) / endpoint.workload.capacity;
}

/** The endpoint at `index`, or the next one that has not been tried; the one at `index` when all have been. */
function untriedFrom(
  endpoints: readonly BalancedEndpoint[],
  index: number,
  tried: readonly BalancedEndpoint[],
): BalancedEndpoint | undefined {
  const size = endpoints.length;
  for (let step = 0; step < size && step <= tried.length; step++) {
    const endpoint = endpoints[(index + step) % size];
    if (endpoint !== undefined && !hasUid(tried, endpoint.uid)) return endpoint;
  }
  return endpoints[index];
}

function hasUid(tried: readonly BalancedEndpoint[], uid: string): boolean {
  for (const endpoint of tried) if (endpoint.uid === uid) return true;
  return false;
}
