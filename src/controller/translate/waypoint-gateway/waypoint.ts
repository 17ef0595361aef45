/** A Gateway that is a waypoint, as those who ask for it need it. */
export interface Waypoint {
  readonly name: string;
  readonly namespace: string;
  readonly waypointFor: 'service' | 'workload' | 'all' | 'none';
  readonly hboneMtlsPort: number;
  /** Which other namespaces may use it: the listener's `allowedRoutes`. */
  readonly allowedNamespaces:
    | { readonly from: 'Same' | 'All' }
    | { readonly from: 'Selector'; readonly labels: ReadonlyMap<string, string> };
}

export const WAYPOINT_CLASSES: ReadonlySet<string> = new Set(['istio-waypoint', 'ambient-waypoint']);
