import type { LoadBalancing, LocalityScope, Workload } from './workload.ts';

/**
 * How near `endpoint` is to `source`: the number of leading scopes of the preference in which both are in the same
 * place. An unknown place (empty text) is near to nothing.
 */
export function localityRank(
  preference: readonly LocalityScope[],
  source: Workload | undefined,
  endpoint: Workload,
): number {
  if (source === undefined) return 0;
  let rank = 0;
  for (const scope of preference) {
    const place = placeOf(source, scope);
    // The default network is the one with the empty name.
    if ((place === '' && scope !== 'network') || place !== placeOf(endpoint, scope)) break;
    rank++;
  }
  return rank;
}

/** The lowest rank that may be used at all: under `strict` everything preferred must match. */
export function minimumRank(loadBalancing: LoadBalancing | undefined): number {
  return loadBalancing?.mode === 'strict' ? loadBalancing.routingPreference.length : 0;
}

function placeOf(w: Workload, scope: LocalityScope): string {
  switch (scope) {
    case 'region':
      return w.locality.region;
    case 'zone':
      return w.locality.zone;
    case 'subzone':
      return w.locality.subzone;
    case 'node':
      return w.node;
    case 'cluster':
      return w.clusterId;
    case 'network':
      return w.network;
  }
}
