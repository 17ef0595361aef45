/** Labels and annotations of the mesh; the controller and the node agent have the same. */
export const DATAPLANE_MODE = 'istio.io/dataplane-mode';
export const USE_WAYPOINT = 'istio.io/use-waypoint';
export const USE_WAYPOINT_NAMESPACE = 'istio.io/use-waypoint-namespace';
export const WAYPOINT_FOR = 'istio.io/waypoint-for';
export const REVISION = 'istio.io/rev';
/** Written by the node agent: the real state of capture. */
export const REDIRECTION = 'ambient.istio.io/redirection';
export const WAYPOINT_CLASSES: ReadonlySet<string> = new Set(['istio-waypoint', 'ambient-waypoint']);

type Labels = Readonly<Record<string, string>>;

export interface UsedWaypoint {
  readonly namespace: string;
  readonly name: string;
  /** Who asks for it: the object's own label, or its namespace's. */
  readonly by: 'label' | 'namespace';
}

/** The waypoint that labels ask for; those of the object go before those of its namespace. */
export function usedWaypoint(
  labels: Labels,
  namespace: string,
  namespaceLabels: Labels,
): UsedWaypoint | undefined {
  const by = labels[USE_WAYPOINT] === undefined ? 'namespace' : 'label';
  const source = by === 'label' ? labels : namespaceLabels;
  const name = source[USE_WAYPOINT] ?? '';
  if (name === '' || name === 'none') return undefined;
  return { name, namespace: source[USE_WAYPOINT_NAMESPACE] || namespace, by };
}
