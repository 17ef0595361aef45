import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { numberAt, objectAt, objectsAt, textAt, textMapAt } from '../loose-fields.ts';
import { WAYPOINT_FOR } from '../mesh-labels.ts';
import { type Waypoint, WAYPOINT_CLASSES } from './waypoint.ts';

const TRAFFIC_TYPES = ['service', 'workload', 'all', 'none'] as const;
const HBONE_PORT = 15_008;

/** What a GatewayClass adds to its Gateways. */
export interface GatewayClassLookup {
  /** The class is there and belongs to another controller, so its Gateways do. */
  isForeignClass(className: string): boolean;
  classLabels(className: string): Readonly<Record<string, string>>;
}

/** A Gateway of a waypoint class; undefined for a Gateway that is none. */
export function translateWaypoint(
  gateway: KubeObject,
  classes: GatewayClassLookup,
): Translated<Waypoint | undefined> {
  const diagnostics = new Diagnostics(gateway);
  const spec = objectAt(gateway.spec);
  const className = textAt(spec, 'gatewayClassName') ?? '';
  if (!WAYPOINT_CLASSES.has(className) || classes.isForeignClass(className))
    return diagnostics.conclude(undefined);
  const [listener = {}] = objectsAt(spec, 'listeners').filter(l => textAt(l, 'protocol') === 'HBONE');
  const port = numberAt(listener, 'port');
  if (port === undefined) {
    diagnostics.reject(
      'spec.listeners',
      spec['listeners'],
      'has no listener of protocol HBONE with a port',
      'add {name: mesh, port: 15008, protocol: HBONE}',
    );
  } else if (port !== HBONE_PORT) {
    diagnostics.reject(
      'spec.listeners[0].port',
      port,
      'is not the port waypoints listen on',
      `set ${HBONE_PORT}`,
    );
  }
  const { name, namespace, labels } = gateway.metadata;
  return diagnostics.conclude({
    name,
    namespace,
    waypointFor: trafficType(
      labels[WAYPOINT_FOR] ?? classes.classLabels(className)[WAYPOINT_FOR],
      diagnostics,
    ),
    hboneMtlsPort: HBONE_PORT,
    allowedNamespaces: allowedNamespaces(listener, diagnostics),
  });
}

function trafficType(label: string | undefined, diagnostics: Diagnostics): Waypoint['waypointFor'] {
  const found = TRAFFIC_TYPES.find(type => type === label);
  if (label !== undefined && found === undefined) {
    const fix = `use one of ${TRAFFIC_TYPES.join(', ')}`;
    diagnostics.reject(`metadata.labels.${WAYPOINT_FOR}`, label, 'is no kind of traffic', fix);
  }
  return found ?? 'service';
}

function allowedNamespaces(listener: object, diagnostics: Diagnostics): Waypoint['allowedNamespaces'] {
  const namespaces = objectAt(listener, 'allowedRoutes', 'namespaces');
  const from = textAt(namespaces, 'from') ?? 'Same';
  if (from === 'Same' || from === 'All') return { from };
  const field = 'spec.listeners[0].allowedRoutes.namespaces';
  const selector = objectAt(namespaces, 'selector');
  if (from !== 'Selector') {
    diagnostics.reject(`${field}.from`, from, 'is not one of its values', 'use Same, All or Selector');
  } else if ('matchExpressions' in selector) {
    // Read as "no condition" it would open the waypoint to everyone.
    const fix = 'use matchLabels';
    diagnostics.reject(
      `${field}.selector.matchExpressions`,
      selector['matchExpressions'],
      'is not supported',
      fix,
    );
  }
  return { from: 'Selector', labels: textMapAt(selector, 'matchLabels') };
}
