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

export const OWN_WAYPOINT_CLASS = 'ambient-waypoint';
export const WAYPOINT_CLASSES: ReadonlySet<string> = new Set(['istio-waypoint', OWN_WAYPOINT_CLASS]);
/** Name of the Gateway that a namespace gets when it asks for a waypoint by label alone. */
export const AUTO_WAYPOINT_NAME = 'waypoint';
/** Of the GatewayClasses that are ours, and in the statuses of routes. */
export const CONTROLLER_NAME = 'ambient.mesh/waypoint-controller';
