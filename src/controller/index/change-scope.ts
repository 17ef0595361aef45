import { isJsonObject } from '#shared/config/json.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { GATEWAY_NAME } from '../translate/mesh-labels.ts';

/** Which resources a change of objects may have changed. Too wide costs time, too narrow would leave proxies stale. */
export interface ChangeScope {
  /** Pods and WorkloadEntries, by namespace and name; `all` of a namespace. */
  readonly workloads: ReadonlyMap<string, ReadonlySet<string> | 'all'>;
  readonly everyWorkload: boolean;
  readonly services: ReadonlySet<string>;
  readonly everyService: boolean;
  /** The Services there are, their ports, or who may refer to them: what routes are translated by. */
  readonly lookups: boolean;
  /** Which Gateways are waypoints. */
  readonly gateways: boolean;
  /** Providers that Telemetry objects name. */
  readonly telemetry: boolean;
  readonly policies: boolean;
  readonly routes: ReadonlySet<string>;
  readonly everyRoute: boolean;
}

/** An object that came, changed or went; `object` is the newest that is known of it. */
export interface ChangedObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly object: KubeObject | undefined;
}

/** What decides how far a change reaches. */
export interface MeshTraits {
  /** Policies in this namespace hold for the whole mesh. */
  readonly rootNamespace: string;
  readonly hasIntentions: boolean;
  /** Some route asks for workloads by their labels. */
  readonly hasLabelledSources: boolean;
}

/**
 *     Pod, WorkloadEntry ─► itself; routes of its namespace (subsets, policies by selector)
 *     EndpointSlice ──────► workloads and routes of its namespace
 *     Service ────────────► its namespace; what routes refer to; policies (waypoints' identities)
 *     Namespace ──────────► all of it, policies
 *     Node ───────────────► every workload (locality)
 *     Gateway ────────────► everything: any namespace may ask for the waypoint
 *     GatewayClass ───────► everything, and whether Gateways of it are ours
 *     policies ───────────► workloads they may select, all routes
 *     routes ─────────────► all routes; a VirtualService that others delegate to: translated again
 *     ConfigMap ──────────► all routes; Telemetry, translated again
 *     Secret ─────────────► itself, which is looked at after each change
 *     ReferenceGrant ─────► all routes, translated again
 */
export function scopeOf(changed: readonly ChangedObject[], mesh: MeshTraits): ChangeScope {
  const { hasIntentions, hasLabelledSources, rootNamespace } = mesh;
  const workloads = new Map<string, Set<string> | 'all'>();
  const services = new Set<string>();
  const routes = new Set<string>();
  const every = {
    workload: false,
    service: false,
    route: false,
    lookups: false,
    policies: false,
    gateways: false,
    telemetry: false,
  };
  for (const { kind, name, namespace, object } of changed) {
    switch (kind) {
      case 'Pod':
      case 'WorkloadEntry':
        addName(workloads, namespace, `${kind}/${name}`);
        routes.add(namespace);
        every.route ||= hasLabelledSources;
        // A waypoint's identity is in policies; an intention names services, which stand for their pods' accounts.
        every.policies ||= hasIntentions || object?.metadata.labels[GATEWAY_NAME] !== undefined;
        break;
      case 'EndpointSlice':
        workloads.set(namespace, 'all');
        routes.add(namespace);
        break;
      case 'Service':
        workloads.set(namespace, 'all');
        services.add(namespace);
        every.lookups = every.policies = every.route = true;
        break;
      case 'ServiceEntry':
        workloads.set(namespace, 'all');
        services.add(namespace);
        // Addresses given to one may move those of others.
        every.lookups = every.service = every.route = true;
        break;
      case 'Namespace':
        workloads.set(name, 'all');
        services.add(name);
        routes.add(name);
        every.policies = true;
        break;
      case 'Node':
        every.workload = true;
        break;
      case 'GatewayClass':
        every.gateways = true;
        every.workload = every.service = every.route = every.policies = true;
        break;
      case 'Gateway':
        every.workload = every.service = every.route = every.policies = true;
        break;
      case 'RequestAuthentication':
        every.policies = every.route = true;
        break;
      case 'ConfigMap':
        every.telemetry = every.route = true;
        break;
      case 'AuthorizationPolicy':
      case 'PeerAuthentication':
        workloads.set(namespace, 'all');
        every.workload ||= namespace === rootNamespace;
        every.policies = every.route = true;
        break;
      case 'ServiceIntentions':
        every.workload = every.policies = every.route = true;
        break;
      case 'ReferenceGrant':
        every.lookups = every.route = true;
        break;
      case 'HTTPRoute':
      case 'GRPCRoute':
      case 'TLSRoute':
      case 'TCPRoute':
      case 'XBackendTrafficPolicy':
      case 'Telemetry':
      case 'DestinationRule':
      case 'ServiceProfile':
      case 'Server':
      case 'HTTPLocalRateLimitPolicy':
      case 'ServiceRouter':
      case 'ServiceSplitter':
      case 'ServiceResolver':
        every.route = true;
        break;
      case 'VirtualService':
        every.route = true;
        every.lookups ||= isDelegate(object);
        break;
      default:
        break;
    }
  }
  return {
    workloads,
    everyWorkload: every.workload,
    services,
    everyService: every.service,
    lookups: every.lookups,
    gateways: every.gateways,
    telemetry: every.telemetry,
    policies: every.policies,
    routes,
    everyRoute: every.route,
  };
}

function addName(workloads: Map<string, Set<string> | 'all'>, namespace: string, name: string): void {
  const names = workloads.get(namespace);
  if (names === 'all') return;
  if (names === undefined) workloads.set(namespace, new Set([name]));
  else names.add(name);
}

/** A VirtualService without hosts, which others may delegate to. */
function isDelegate(object: KubeObject | undefined): boolean {
  const hosts = isJsonObject(object?.spec) ? object.spec['hosts'] : undefined;
  return !Array.isArray(hosts) || hosts.length === 0;
}
