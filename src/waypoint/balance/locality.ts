import type { FailoverKey, LocalityPolicy, ZoneAwareness } from '#shared/route/traffic-policy.ts';
import type { LoadBalancing, LocalityScope, Workload } from '#shared/workload/workload.ts';
import { matchesLocality } from './locality-match.ts';

/** Where the balancing proxy is. */
export interface Place extends Pick<Workload, 'network' | 'locality' | 'node' | 'clusterId'> {
  /** Share of the waypoint's instances that are in its zone, 0 to 1; undefined: not known. */
  readonly zoneShare?: number | undefined;
}

/** Endpoints that share what a level gets, by weight. */
export interface LevelPart<T> {
  readonly weight: number;
  readonly endpoints: readonly T[];
}

/** Nearest level first; none is empty. */
export type Levels<T> = readonly (readonly LevelPart<T>[])[];

export interface LevelOptions {
  readonly policy: LocalityPolicy | undefined;
  readonly loadBalancing: LoadBalancing | undefined;
  readonly place: Place;
  /** Endpoints that fail are taken out: only then may all traffic stay near (as Istio). */
  readonly detectsOutliers: boolean;
}

interface Located {
  readonly workload: Workload;
}

/**
 * Sorts endpoints by how near they are. A policy's own words come first (`distribute`, `zoneAware`, `failoverPriority`,
 * regions), then the service's preference. Pure.
 */
export function makeLevels<T extends Located>(endpoints: readonly T[], options: LevelOptions): Levels<T> {
  const { loadBalancing, place, policy } = options;
  if (policy?.enabled === false) return single(endpoints);
  const distribution = policy?.distribute.find(({ from }) => matchesLocality(from, place.locality));
  if (distribution !== undefined) return distributed(endpoints, distribution.to);
  if (policy?.zoneAware !== undefined) return zoneAware(endpoints, policy, policy.zoneAware, place);
  if (policy !== undefined && policy.failoverPriority.length > 0) {
    const keys = policy.failoverPriority.map(compileKey);
    return ranked(endpoints, ({ workload }) => keys.length - sharedKeys(keys, place, workload));
  }
  const scopes = loadBalancing?.routingPreference ?? [];
  if (
    options.detectsOutliers &&
    place.locality.region !== '' &&
    (policy !== undefined || scopes.length === 0)
  )
    return ranked(endpoints, ({ workload }) => regionRank(policy?.failover ?? [], place, workload));
  return preferred(endpoints, loadBalancing, place);
}

function single<T>(endpoints: readonly T[]): Levels<T> {
  return endpoints.length === 0 ? [] : [[{ weight: 1, endpoints }]];
}

function ranked<T>(endpoints: readonly T[], rankOf: (endpoint: T) => number): Levels<T> {
  const byRank = Map.groupBy(endpoints, rankOf);
  return [...byRank.keys()]
    .sort((a, b) => a - b)
    .map(rank => [{ weight: 1, endpoints: byRank.get(rank) ?? [] }]);
}

/** Whom no entry names gets nothing. An endpoint counts for the first entry that holds. */
function distributed<T extends Located>(
  endpoints: readonly T[],
  to: readonly { readonly locality: string; readonly percent: number }[],
): Levels<T> {
  const byEntry = Map.groupBy(endpoints, ({ workload }) =>
    to.findIndex(({ locality }) => matchesLocality(locality, workload.locality)),
  );
  const parts = to
    .map(({ percent }, i) => ({ weight: percent, endpoints: byEntry.get(i) ?? [] }))
    .filter(part => part.weight > 0 && part.endpoints.length > 0);
  return parts.length === 0 ? [] : [parts];
}

/** Ranks of regions for one number of shared keys: the own one, that which takes over, the others. */
const REGION_RANKS = 3;

/** Istio's: by labels, then by region; the zones of the own region share what they get. */
function zoneAware<T extends Located>(
  endpoints: readonly T[],
  policy: LocalityPolicy,
  awareness: ZoneAwareness,
  place: Place,
): Levels<T> {
  const keys = policy.failoverPriority.map(compileKey);
  const rankOf = ({ workload }: T): number => {
    const unshared = keys.length - sharedKeys(keys, place, workload);
    // The subzone and zone play no role here.
    const region = Math.max(0, regionRank(policy.failover, place, workload) - 2);
    return unshared * REGION_RANKS + region;
  };
  const byRank = Map.groupBy(endpoints, rankOf);
  const [nearest, ...others] = [...byRank.keys()].sort((a, b) => a - b);
  if (nearest === undefined) return [];
  const first = byRank.get(nearest) ?? [];
  const isOwnRegion = nearest % REGION_RANKS === 0;
  return [
    ...(isOwnRegion ? splitByZone(first, awareness, place) : single(first)),
    ...others.flatMap(rank => single(byRank.get(rank) ?? [])),
  ];
}

/**
 * As Envoy's zone-aware routing: with a share of the endpoints as large as the zone's share of the clients everything stays,
 * with less the rest is spread over the other zones. The clients are the instances of the waypoint.
 */
function splitByZone<T extends Located>(
  endpoints: readonly T[],
  { minEndpoints, percent }: ZoneAwareness,
  place: Place,
): Levels<T> {
  const { zone } = place.locality;
  const isNear = ({ workload }: T): boolean => workload.locality.zone === zone;
  const near = endpoints.filter(isNear);
  const far = endpoints.filter(endpoint => !isNear(endpoint));
  if (endpoints.length < minEndpoints || near.length === 0 || far.length === 0 || zone === '')
    return single(endpoints);
  const endpointShare = near.length / endpoints.length;
  const zones = new Set(endpoints.map(({ workload }) => workload.locality.zone));
  const stays = Math.min(1, endpointShare / (place.zoneShare ?? 1 / zones.size));
  const nearWeight = (percent / 100) * stays + (1 - percent / 100) * endpointShare;
  const parts = [
    { weight: nearWeight, endpoints: near },
    { weight: 1 - nearWeight, endpoints: far },
  ];
  return nearWeight >= 1 ? [parts.slice(0, 1), [{ weight: 1, endpoints: far }]] : [parts];
}

type CompiledKey = (place: Place, workload: Workload) => boolean;

function compileKey(key: FailoverKey): CompiledKey {
  if (key.kind !== 'workloads') return (place, workload) => sharesScope(key.kind, place, workload);
  const uids = new Set(key.workloads);
  return (_place, workload) => uids.has(workload.uid);
}

function sharedKeys(keys: readonly CompiledKey[], place: Place, workload: Workload): number {
  const differing = keys.findIndex(key => !key(place, workload));
  return differing < 0 ? keys.length : differing;
}

/** As Istio: subzone, zone, region, the region that takes over, the others. */
function regionRank(failover: LocalityPolicy['failover'], place: Place, workload: Workload): number {
  const shared = sharedScopes(['region', 'zone', 'subzone'], place, workload);
  if (shared > 0) return 3 - shared;
  const takesOver = failover.some(
    ({ from, to }) => from === place.locality.region && to === workload.locality.region,
  );
  return takesOver ? 3 : 4;
}

/** As a ztunnel ranks them: `strict` takes those that share every scope, `failover` prefers those that share most. */
function preferred<T extends Located>(
  endpoints: readonly T[],
  loadBalancing: LoadBalancing | undefined,
  place: Place,
): Levels<T> {
  const scopes = loadBalancing?.routingPreference ?? [];
  const shared = ({ workload }: T): number => sharedScopes(scopes, place, workload);
  if (scopes.length === 0) return single(endpoints);
  if (loadBalancing?.mode === 'strict')
    return single(endpoints.filter(endpoint => shared(endpoint) === scopes.length));
  if (loadBalancing?.mode !== 'failover') return single(endpoints);
  return ranked(endpoints, endpoint => scopes.length - shared(endpoint));
}

/** Number of leading scopes that are the same; the first that differs ends the count. */
function sharedScopes(scopes: readonly LocalityScope[], a: Place, b: Place): number {
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
