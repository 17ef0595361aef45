import type { LoadBalancing, LocalityScope, Workload } from '#shared/workload/workload.ts';

/** Where the balancing proxy is. */
export type Place = Pick<Workload, 'network' | 'locality' | 'node' | 'clusterId'>;

/**
 * The endpoints to choose among, as a ztunnel ranks them: by how many of the preferred scopes, from the first on, they
 * share with the proxy. `strict` takes those that share all; `failover` those that share most; anything else takes all.
 */
export function nearest<T extends { readonly workload: Workload }>(
  endpoints: readonly T[],
  loadBalancing: LoadBalancing | undefined,
  place: Place,
): readonly T[] {
  const scopes = loadBalancing?.routingPreference ?? [];
  if (scopes.length === 0) return endpoints;
  if (loadBalancing?.mode === 'strict') {
    return endpoints.filter(endpoint => sharedScopes(scopes, place, endpoint.workload) === scopes.length);
  }
  if (loadBalancing?.mode !== 'failover') return endpoints;
  const ranks = endpoints.map(endpoint => sharedScopes(scopes, place, endpoint.workload));
  const best = Math.max(...ranks);
  return endpoints.filter((_, i) => ranks[i] === best);
}

/** Number of leading scopes that are the same; the first that differs ends the count. */
export function sharedScopes(scopes: readonly LocalityScope[], a: Place, b: Place): number {
  const differing = scopes.findIndex(scope => !sharesScope(scope, a, b));
  return differing < 0 ? scopes.length : differing;
}

/** A zone is the same only within the same region, as two regions may use one name for different zones. */
function sharesScope(scope: LocalityScope, a: Place, b: Place): boolean {
  switch (scope) {
    case 'network':
      return a.network === b.network;
    case 'cluster':
      return a.clusterId === b.clusterId;
    case 'node':
      return a.node === b.node;
    case 'region':
      return a.locality.region === b.locality.region;
    case 'zone':
      return sharesScope('region', a, b) && a.locality.zone === b.locality.zone;
    case 'subzone':
      return sharesScope('zone', a, b) && a.locality.subzone === b.locality.subzone;
  }
}
