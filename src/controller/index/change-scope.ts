import { isJsonObject } from '#shared/config/json.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { serverParents } from '../translate/linkerd-policy/inbound-route.ts';
import { MESH_CONFIG_NAME } from '../translate/mesh-config/mesh-config.ts';
import { GATEWAY_NAME, USE_WAYPOINT, USE_WAYPOINT_CANARY } from '../translate/mesh-labels.ts';

/** Which resources a change of objects may have changed. Too wide costs time, too narrow would leave proxies stale. */
export interface ChangeScope {
  /** Pods, WorkloadEntries and ExternalWorkloads, by namespace and name; `all` of a namespace. */
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
  /** Who knows of objects that do not say it. */
  readonly exports: boolean;
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
  /** What was known of one that changed. */
  readonly before?: KubeObject | undefined;
}

/** What decides how far a change reaches. */
export interface MeshTraits {
  /** Policies in this namespace hold for the whole mesh. */
  readonly rootNamespace: string;
  readonly hasIntentions: boolean;
  /** Some route asks for workloads by their labels. */
  readonly hasLabelledSources: boolean;
}

type MeshWide =
  | 'workloads'
  | 'services'
  | 'routes'
  | 'lookups'
  | 'policies'
  | 'gateways'
  | 'telemetry'
  | 'exports';

/** How far a change of one object of a kind reaches. */
interface Reach {
  /** Of its namespace; `itself`: the one workload it is. */
  readonly workloads?: 'itself' | 'all';
  readonly services?: 'all';
  readonly routes?: 'all';
  /** Of the whole mesh. */
  readonly every?: readonly MeshWide[];
  /** Of the whole mesh too, where the object or the mesh is such. */
  readonly everyIf?: (changed: ChangedObject, mesh: MeshTraits) => readonly MeshWide[];
}

const NOTHING: Reach = {};
const ALL_ROUTES: Reach = { every: ['routes'] };
const WORKLOAD: Reach = {
  workloads: 'itself',
  // Subsets, policies by selector.
  routes: 'all',
  everyIf(changed, { hasIntentions, hasLabelledSources }) {
    // A waypoint's identity is in policies; an intention names services, which stand for their pods' accounts.
    const isWaypoint = hasLabel(changed, GATEWAY_NAME);
    // Policies let the waypoint pass that a workload is behind.
    const isInPolicies = hasIntentions || isWaypoint || hasLabel(changed, USE_WAYPOINT);
    return [
      // DestinationRules select waypoints by their labels.
      ...(hasLabelledSources || isWaypoint ? (['routes'] as const) : []),
      ...(isInPolicies ? (['policies'] as const) : []),
      // A canary without a ready pod gets no connections.
      ...(isWaypoint ? (['services'] as const) : []),
    ];
  },
};
const SELECTING_POLICY: Reach = {
  workloads: 'all',
  every: ['policies', 'routes'],
  everyIf: ({ namespace }, { rootNamespace }) => (namespace === rootNamespace ? ['workloads'] : []),
};

/** What it means, and for whom, follows from others of its dialect. */
const EVERY_POLICY: Reach = { every: ['workloads', 'policies', 'routes'] };
/** A Server of Linkerd as its parent lets in by it, and by nothing else then. */
const SERVER_ROUTE: Reach = {
  every: ['routes'],
  everyIf: ({ before, object }) =>
    [before, object].some(one => one !== undefined && serverParents(one).length > 0)
      ? ['workloads', 'policies']
      : [],
};

const REACH: ReadonlyMap<string, Reach> = new Map<string, Reach>([
  ['Pod', WORKLOAD],
  ['WorkloadEntry', WORKLOAD],
  ['ExternalWorkload', WORKLOAD],
  ['EndpointSlice', { workloads: 'all', routes: 'all' }],
  // What routes refer to, and identities of waypoints in policies.
  ['Service', { workloads: 'all', services: 'all', every: ['lookups', 'policies', 'routes'] }],
  [
    'ServiceEntry',
    {
      workloads: 'all',
      services: 'all',
      // Addresses given to one may move those of others.
      every: ['lookups', 'services', 'routes'],
      everyIf: changed =>
        hasLabel(changed, USE_WAYPOINT) || hasLabel(changed, USE_WAYPOINT_CANARY) ? ['policies'] : [],
    },
  ],
  ['Namespace', { workloads: 'all', services: 'all', routes: 'all', every: ['policies'] }],
  // Its locality.
  ['Node', { every: ['workloads'] }],
  // Any namespace may ask for the waypoint.
  ['Gateway', { every: ['workloads', 'services', 'routes', 'policies'] }],
  ['GatewayClass', { every: ['gateways', 'workloads', 'services', 'routes', 'policies'] }],
  // The configuration of the mesh, or authorities that policies refer to.
  [
    'ConfigMap',
    {
      every: ['telemetry', 'routes'],
      everyIf: ({ name, namespace }, { rootNamespace }) =>
        name === MESH_CONFIG_NAME && namespace === rootNamespace ? ['exports', 'lookups', 'services'] : [],
    },
  ],
  ['AuthorizationPolicy', SELECTING_POLICY],
  ['PeerAuthentication', SELECTING_POLICY],
  ['RequestAuthentication', { every: ['policies', 'routes'] }],
  ['ServiceIntentions', EVERY_POLICY],
  ['JWTProvider', { every: ['policies', 'routes'] }],
  ['ReferenceGrant', { every: ['lookups', 'routes'] }],
  // Those that others delegate to are translated into their routes.
  ['VirtualService', { every: ['routes'], everyIf: ({ object }) => (isDelegate(object) ? ['lookups'] : []) }],
  ['HTTPRoute', SERVER_ROUTE],
  ['HTTPRoute.policy.linkerd.io', SERVER_ROUTE],
  ['GRPCRoute', SERVER_ROUTE],
  ['TLSRoute', ALL_ROUTES],
  ['TCPRoute', ALL_ROUTES],
  ['XBackendTrafficPolicy', ALL_ROUTES],
  ['BackendTLSPolicy', ALL_ROUTES],
  ['Telemetry', ALL_ROUTES],
  ['DestinationRule', ALL_ROUTES],
  // Opaque ports.
  ['ServiceProfile', { every: ['routes', 'services'] }],
  ['Server', EVERY_POLICY],
  ['AuthorizationPolicy.policy.linkerd.io', EVERY_POLICY],
  ['MeshTLSAuthentication', EVERY_POLICY],
  ['NetworkAuthentication', EVERY_POLICY],
  ['ServerAuthorization', EVERY_POLICY],
  ['HTTPLocalRateLimitPolicy', ALL_ROUTES],
  ['ServiceRouter', ALL_ROUTES],
  ['ServiceSplitter', ALL_ROUTES],
  ['ServiceResolver', ALL_ROUTES],
]);

/** What a Secret holds is looked at after each change, whatever the scope. */
export function scopeOf(changed: readonly ChangedObject[], mesh: MeshTraits): ChangeScope {
  const workloads = new Map<string, Set<string> | 'all'>();
  const services = new Set<string>();
  const routes = new Set<string>();
  const every = new Set<MeshWide>();
  for (const object of changed) {
    const { kind, name } = object;
    const reach = REACH.get(kind) ?? NOTHING;
    const namespace = kind === 'Namespace' ? name : object.namespace;
    if (reach.workloads === 'all') workloads.set(namespace, 'all');
    else if (reach.workloads === 'itself') addName(workloads, namespace, `${kind}/${name}`);
    if (reach.services === 'all') services.add(namespace);
    if (reach.routes === 'all') routes.add(namespace);
    for (const what of reach.every ?? []) every.add(what);
    for (const what of reach.everyIf?.(object, mesh) ?? []) every.add(what);
  }
  return {
    workloads,
    everyWorkload: every.has('workloads'),
    services,
    everyService: every.has('services'),
    lookups: every.has('lookups'),
    gateways: every.has('gateways'),
    telemetry: every.has('telemetry'),
    exports: every.has('exports'),
    policies: every.has('policies'),
    routes,
    everyRoute: every.has('routes'),
  };
}

function addName(workloads: Map<string, Set<string> | 'all'>, namespace: string, name: string): void {
  const names = workloads.getOrInsertComputed(namespace, () => new Set());
  if (names !== 'all') names.add(name);
}

/** Now or before. */
function hasLabel({ before, object }: ChangedObject, label: string): boolean {
  return [before, object].some(one => one?.metadata.labels[label] !== undefined);
}

/** A VirtualService without hosts, which others may delegate to. */
function isDelegate(object: KubeObject | undefined): boolean {
  const hosts = isJsonObject(object?.spec) ? object.spec['hosts'] : undefined;
  return !Array.isArray(hosts) || hosts.length === 0;
}
