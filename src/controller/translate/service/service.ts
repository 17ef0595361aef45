import { canonicalIp } from '#shared/workload/ip.ts';
import type { LoadBalancing, Service } from '#shared/workload/workload.ts';
import type { JsonObject } from '#shared/config/json.ts';
import type { KubeObject, ObjectMeta } from '../../source/kube-object.ts';
import { appProtocol } from '../app-protocol.ts';
import { type Cluster, serviceHostname } from '../cluster.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { flagAt, objectAt, objectsAt, textAt, textMapAt, textsAt } from '../loose-fields.ts';
import { INGRESS_USE_WAYPOINT, USE_WAYPOINT } from '../mesh-labels.ts';
import { isOpaque, OPAQUE_PORTS, type OpaquePort, readOpaquePorts } from '../opaque-ports.ts';
import { bindCanary, sayOfCanary, weightedWaypoints } from '../waypoint-gateway/bind-canary.ts';
import { bindWaypoint, type WaypointLookup } from '../waypoint-gateway/bind-waypoint.ts';
import { loadBalancing } from './load-balancing.ts';
import type { ServiceSpec, ServiceSpecPort } from './service-spec.ts';

/** Undefined for a Service that has no place in the mesh: ExternalName is a DNS alias and nothing else. */
export function readService(object: KubeObject, cluster: Cluster): Translated<ServiceSpec | undefined> {
  const diagnostics = new Diagnostics(object);
  const spec = objectAt(object.spec);
  if (textAt(spec, 'type') === 'ExternalName') return diagnostics.conclude(undefined);
  const { name, namespace } = object.metadata;
  return diagnostics.conclude({
    name,
    namespace,
    hostname: serviceHostname(cluster, namespace, name),
    selector: textMapAt(spec, 'selector'),
    ports: objectsAt(spec, 'ports').flatMap((port, i) => readPort(port, `spec.ports[${i}]`, diagnostics)),
    clusterIps: readClusterIps(spec, diagnostics),
    publishNotReadyAddresses: flagAt(spec, 'publishNotReadyAddresses'),
  });
}

export interface ServiceContext extends WaypointLookup {
  readonly cluster: Cluster;
  readonly namespace: NamespaceMeta;
  /** By a ServiceProfile of the service. @param hostname of the service */
  opaquePorts(hostname: string): readonly OpaquePort[];
  /** Of a waypoint. */
  hasReadyPod(namespace: string, waypoint: string): boolean;
}

/** What a namespace says for the objects in it. */
export type NamespaceMeta = Pick<ObjectMeta, 'labels' | 'annotations'>;

const EXPORT_TO = 'networking.istio.io/exportTo';

/** The service as proxies know it. */
export function translateService(
  object: KubeObject,
  spec: ServiceSpec,
  context: ServiceContext,
): Translated<Service> {
  const { cluster } = context;
  const namespaceLabels = context.namespace.labels;
  const { labels, name, namespace } = object.metadata;
  const diagnostics = new Diagnostics(object);
  const binding = bindWaypoint({ traffic: 'service', namespace, labels, namespaceLabels }, context, cluster);
  if ('message' in binding) {
    const message = `${binding.reason}: ${binding.message}`;
    const fix = 'create the Gateway or change the label';
    diagnostics.ignore(`metadata.labels.${USE_WAYPOINT}`, labels[USE_WAYPOINT], message, fix);
  }
  const canary = bindCanary(
    { namespace, own: object.metadata, ofNamespace: context.namespace },
    context,
    cluster,
  );
  sayOfCanary(canary, labels, diagnostics);
  const exportTo = object.metadata.annotations[EXPORT_TO];
  if (exportTo !== undefined && exportTo.trim() !== '*')
    diagnostics.ignore(
      `metadata.annotations.${EXPORT_TO}`,
      exportTo,
      'has no effect: a Service is known in every namespace, for who did not know it would pass by its waypoint',
      'remove it, and let an AuthorizationPolicy say who may reach it',
    );
  const opaque = [
    ...context.opaquePorts(spec.hostname),
    ...annotatedPorts(object, context, spec, diagnostics),
  ];
  const ingress = labels[INGRESS_USE_WAYPOINT] ?? namespaceLabels[INGRESS_USE_WAYPOINT];
  return diagnostics.conclude({
    name,
    namespace,
    hostname: spec.hostname,
    addresses: spec.clusterIps.map(ip => ({ network: cluster.network, ip, prefixLength: undefined })),
    ports: spec.ports.map(port => ({
      servicePort: port.port,
      // A named port is another number in each pod: workloads carry theirs.
      targetPort: typeof port.targetPort === 'number' ? port.targetPort : 0,
      appProtocol: isOpaque(opaque, port) ? ('tcp' as const) : port.appProtocol,
    })),
    subjectAltNames: [],
    waypoint: binding.address,
    loadBalancing: balancing(object, context.namespace, spec, diagnostics),
    ipFamilies: ipFamilies(objectAt(object.spec)),
    canonical: true,
    ingressUseWaypoint: ingress === 'true',
    weightedWaypoints: weightedWaypoints(canary, (ns, waypoint) => context.hasReadyPod(ns, waypoint)),
    visibility: 'public',
  });
}

/** A Service's own annotation goes before that of its namespace. */
function annotatedPorts(
  { metadata }: KubeObject,
  { namespace }: ServiceContext,
  spec: ServiceSpec,
  diagnostics: Diagnostics,
): readonly OpaquePort[] {
  const own = metadata.annotations[OPAQUE_PORTS];
  const text = own ?? namespace.annotations[OPAQUE_PORTS];
  if (text === undefined) return [];
  const { ports, wrong } = readOpaquePorts(text.split(','));
  const say = (message: string, fix: string): void =>
    diagnostics.ignore(`metadata.annotations.${OPAQUE_PORTS}`, text, message, fix);
  if (wrong.length > 0)
    say(`holds ${wrong.join(', ')}, which is no port`, 'write such as 3306, 4000-4010 or mysql');
  if (own !== undefined && ports.length > 0 && !spec.ports.some(port => isOpaque(ports, port)))
    say('has no effect: the Service has none of these ports', 'name ports of the Service, not of its pods');
  return ports;
}

function balancing(
  object: KubeObject,
  namespace: NamespaceMeta,
  spec: ServiceSpec,
  diagnostics: Diagnostics,
): LoadBalancing | undefined {
  const preference = loadBalancing(object, namespace.annotations, diagnostics);
  if (!spec.publishNotReadyAddresses) return preference;
  return { ...(preference ?? { routingPreference: [], mode: 'unspecified' }), healthPolicy: 'allow_all' };
}

/** Only TCP travels through the mesh; other ports stay as they are in the cluster. */
function readPort(port: JsonObject, at: string, diagnostics: Diagnostics): readonly ServiceSpecPort[] {
  if ((textAt(port, 'protocol') ?? 'TCP') !== 'TCP') return [];
  const number = port['port'];
  const targetPort = port['targetPort'] ?? number;
  if (!isPort(number)) {
    diagnostics.reject(`${at}.port`, number, 'is not a port', 'use a whole number from 1 to 65535');
    return [];
  }
  if (!isPort(targetPort) && (typeof targetPort !== 'string' || targetPort === '')) {
    diagnostics.reject(
      `${at}.targetPort`,
      targetPort,
      'is neither port nor name of one',
      'use 1 to 65535 or a name',
    );
    return [];
  }
  const name = textAt(port, 'name') ?? '';
  return [{ name, port: number, targetPort, appProtocol: appProtocol(textAt(port, 'appProtocol'), name) }];
}

function readClusterIps(spec: JsonObject, diagnostics: Diagnostics): readonly string[] {
  const one = textAt(spec, 'clusterIP');
  const all = textsAt(spec, 'clusterIPs');
  const written = all.length > 0 ? all : one === undefined ? [] : [one];
  return written.flatMap((text, i) => {
    // Headless.
    if (text === 'None') return [];
    const ip = canonicalIp(text);
    if (ip !== undefined) return [ip];
    diagnostics.reject(
      `spec.clusterIPs[${i}]`,
      text,
      'is no IP address',
      'use an IPv4 or IPv6 address, or None',
    );
    return [];
  });
}

function ipFamilies(spec: JsonObject): Service['ipFamilies'] {
  const families = textsAt(spec, 'ipFamilies');
  if (families.length > 1) return 'dual';
  if (families[0] === 'IPv4') return 'ipv4_only';
  return families[0] === 'IPv6' ? 'ipv6_only' : 'automatic';
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
}
