import { test } from 'tap';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { ResourceStore } from '../discovery/resource-store.ts';
import { MeshIndex } from '../index/mesh-index.ts';
import { parseObjectFile } from '../source/object-file.ts';
import { computeStatuses } from './compute-statuses.ts';
import type { Condition } from './condition.ts';

/** Statuses of objects in YAML, each change applied after the one before. */
function statusesOf(...changes: readonly string[]): ReturnType<typeof computeStatuses> {
  return computeStatuses(indexOf(...changes));
}

function indexOf(...changes: readonly string[]): MeshIndex {
  const index = new MeshIndex({
    cluster: { clusterId: 'c', clusterDomain: 'cluster.local', trustDomain: 'td', network: '' },
    rootNamespace: 'root',
    store: new ResourceStore(),
    logger: quietLogger,
  });
  for (const yaml of changes) {
    const { objects, problems } = parseObjectFile(yaml, 'test', undefined);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    index.apply({ upserts: [...objects.values()], deletes: [] });
  }
  return index;
}

const SHOP = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}, {name: grpc, port: 7070}]}
---
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: shop}
spec: {clusterIP: 10.96.0.2, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: pods, namespace: shop}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: ledger, namespace: bank}
spec: {clusterIP: 10.96.0.3, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: waypoint, namespace: shop}
spec: {clusterIP: 10.96.0.9, ports: [{name: mesh, port: 15008}]}`;

const gateway = (more = '', labels = '{}'): string => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop, generation: 3, labels: ${labels}}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE${more}}]}`;

const POD = `
---
apiVersion: v1
kind: Pod
metadata: {name: waypoint-1, namespace: shop, labels: {gateway.networking.k8s.io/gateway-name: waypoint}}
spec: {nodeName: n, serviceAccountName: waypoint}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}], conditions: [{type: Ready, status: "True"}]}`;

const ALL = SHOP + gateway() + POD;
function service(labels: string, namespace = 'shop'): string {
  return `
---
apiVersion: v1
kind: Service
metadata: {name: it, namespace: ${namespace}, labels: ${labels}}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}`;
}

/** Another waypoint, and a Service that it gets a share of. */
const NEXT = gateway().replace('name: waypoint', 'name: next');
const podOf = (waypoint: string): string =>
  POD.replace('name: waypoint-1', `name: ${waypoint}-1`).replace('name: waypoint}', `name: ${waypoint}}`);
const canary = (waypoint: string, weight: string): string =>
  service(`{istio.io/use-waypoint: waypoint, istio.io/use-waypoint-canary: ${waypoint}}`).replace(
    'namespace: shop,',
    `namespace: shop, annotations: {istio.io/use-waypoint-canary-weight: "${weight}"},`,
  );
const ORDERS = '{group: "", kind: Service, name: orders}';

const TO_ORDERS = '[{backendRefs: [{name: orders, port: 80}]}]';

interface RouteOptions {
  readonly kind?: string;
  readonly namespace?: string;
}

function route(
  parents: string,
  rules = TO_ORDERS,
  { kind = 'HTTPRoute', namespace = 'shop' }: RouteOptions = {},
): string {
  return `
---
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: it, namespace: ${namespace}, generation: 5}
spec: {parentRefs: [${parents}], rules: ${rules}}`;
}

function shown({ message, reason, status, type }: Condition): string {
  return `${type} ${status} ${reason}: ${message}`;
}

function parentsOf(yaml: string, kind = 'HTTPRoute', namespace = 'shop'): string[][] {
  const status = statusesOf(yaml).get(`${kind}/${namespace}/it`);
  if (status?.kind !== 'route') throw new Error('no status of the route');
  return status.parents.map(({ conditions }) => conditions.map(shown));
}

const istio = (kind: string, spec: string, labels = '{}'): string => `
---
apiVersion: networking.istio.io/v1
kind: ${kind}
metadata: {name: it, namespace: shop, labels: ${labels}}
spec: ${spec}`;
const OUTSIDE = '{hosts: [api.example.com], resolution: DNS, ports: [{number: 80, name: http}]}';

const SERVER = '{group: policy.linkerd.io, kind: Server, name: web}';
const server = (more = ''): string => `
---
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: web, namespace: shop}
spec: {podSelector: {}, port: 80${more}}`;

const ROUTES: readonly [string, string, RegExp, RegExp][] = [
  ['a route of a Service', route(ORDERS), /^Accepted True Accepted: $/, /^ResolvedRefs True ResolvedRefs/],
  [
    'a Server as the parent',
    route(SERVER, '[{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x]}}]}]') +
      server(),
    /^Accepted True Accepted: $/,
    /^ResolvedRefs True ResolvedRefs/,
  ],
  [
    'a Server that does not exist',
    route(SERVER, '[{}]'),
    /Accepted False NoMatchingParent: there is no Server shop\/web; create it/,
    /True/,
  ],
  [
    'a Server of another protocol',
    route(SERVER, '[{}]') + server(', proxyProtocol: gRPC'),
    /Accepted False NotAllowedByListeners: does nothing for a Server of protocol gRPC; set proxyProtocol: HTTP\/2/,
    /True/,
  ],
  [
    'a filter that a Server does not apply',
    route(SERVER, '[{filters: [{type: URLRewrite, urlRewrite: {hostname: a}}]}]') + server(),
    /Accepted False UnsupportedValue: .*is no filter that a Server applies.*It is a route of no requests/s,
    /True/,
  ],
  [
    'a Service that does not exist',
    route('{group: "", kind: Service, name: nope}'),
    /Accepted False NoMatchingParent: there is no Service shop\/nope; create it/,
    /True/,
  ],
  [
    'a port that does not exist',
    route('{group: "", kind: Service, name: orders, port: 81}'),
    /Accepted False NoMatchingParent: .*no such port; use one of 80, 7070/,
    /True/,
  ],
  [
    'a waypoint as the parent',
    route('{name: waypoint}'),
    /Accepted False NotAllowedByListeners: .*name the Service as the parent/,
    /True/,
  ],
  [
    'a Service without a waypoint',
    route('{group: "", kind: Service, name: plain}'),
    /Accepted True Accepted: Service shop\/plain uses no waypoint, so the route has no effect/,
    /True/,
  ],
  [
    'a ServiceEntry behind a waypoint',
    route('{group: networking.istio.io, kind: ServiceEntry, name: it}') +
      istio('ServiceEntry', OUTSIDE, '{istio.io/use-waypoint: waypoint}'),
    /^Accepted True Accepted: $/,
    /True/,
  ],
  [
    'a ServiceEntry without a waypoint',
    route('{group: networking.istio.io, kind: ServiceEntry, name: it}') + istio('ServiceEntry', OUTSIDE),
    /Accepted True Accepted: ServiceEntry shop\/it uses no waypoint, so the route has no effect/,
    /True/,
  ],
  [
    'a ServiceEntry that does not exist',
    route('{group: networking.istio.io, kind: ServiceEntry, name: nope}'),
    /Accepted False NoMatchingParent: there is no ServiceEntry shop\/nope; create it/,
    /True/,
  ],
  [
    'a backend outside of the cluster',
    route(
      ORDERS,
      '[{backendRefs: [{group: networking.istio.io, kind: Hostname, name: nobody.test, port: 80}]}]',
    ),
    /Accepted True/,
    /ResolvedRefs False BackendNotFound: .*no Service or ServiceEntry of host nobody.test; create a ServiceEntry/,
  ],
  [
    'a headless Service',
    route('{group: "", kind: Service, name: pods}'),
    /Accepted True Accepted: Service shop\/pods is headless/,
    /True/,
  ],
  [
    'a backend that does not exist',
    route(ORDERS, '[{backendRefs: [{name: nope, port: 80}]}]'),
    /Accepted True/,
    /ResolvedRefs False BackendNotFound: spec.rules\[0\].backendRefs\[0\].name: there is no Service shop\/nope/,
  ],
  [
    'a backend of another kind',
    route(ORDERS, '[{backendRefs: [{kind: Bucket, name: b}]}]'),
    /Accepted True/,
    /ResolvedRefs False InvalidKind: .*use a Service/,
  ],
  [
    'an extension nobody knows',
    route(ORDERS, '[{filters: [{type: ExtensionRef, extensionRef: {group: x.io, kind: Magic, name: m}}]}]'),
    /Accepted True/,
    /ResolvedRefs False InvalidKind: spec.rules\[0\].filters\[0\].extensionRef.kind: x.io\/Magic m is no filter of this mesh/,
  ],
  [
    'a backend in another namespace without a ReferenceGrant',
    route(ORDERS, '[{backendRefs: [{name: ledger, namespace: bank, port: 80}]}]'),
    /Accepted True/,
    /ResolvedRefs False RefNotPermitted: .*create a ReferenceGrant in bank/,
  ],
  [
    'a misspelt field',
    route(ORDERS, '[{backendRef: []}]'),
    /Accepted False UnsupportedValue: HTTPRoute shop\/it rejected: spec.rules\[0\].backendRef: is no field/,
    /True/,
  ],
  [
    'a bad pattern',
    route(ORDERS, '[{matches: [{path: {type: RegularExpression, value: "/a(?=b)"}}]}]'),
    /Accepted False UnsupportedValue: .*path.value.*lookahead is no part of RE2/,
    /True/,
  ],
  [
    'a redirect with a rewrite',
    route(
      ORDERS,
      '[{filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {}}]}]',
    ),
    /Accepted False IncompatibleFilters: /,
    /True/,
  ],
  [
    'an HTTPRoute where a GRPCRoute is',
    route(ORDERS, TO_ORDERS, { kind: 'GRPCRoute' }) +
      route('{group: "", kind: Service, name: orders, port: 80}'),
    /Accepted False Conflicted: on port 80 a GRPCRoute is applied instead/,
    /True/,
  ],
  [
    'an HTTPRoute on all ports where a GRPCRoute has one',
    route('{group: "", kind: Service, name: orders, port: 7070}', TO_ORDERS, { kind: 'GRPCRoute' }) +
      route(ORDERS),
    /Accepted True Accepted: on port 7070 a GRPCRoute is applied instead/,
    /True/,
  ],
  [
    "a route for Linkerd that leads to its parent, on all ports where a GRPCRoute has one: the others are the route's",
    route('{group: "", kind: Service, name: orders, port: 7070}', TO_ORDERS, { kind: 'GRPCRoute' }) +
      route('{group: core, kind: Service, name: orders}', '[{}]'),
    /Accepted True Accepted: on port 7070 a GRPCRoute is applied instead/,
    /True/,
  ],
  [
    'such a route, where a GRPCRoute has every port',
    route(ORDERS, TO_ORDERS, { kind: 'GRPCRoute' }) +
      route('{group: core, kind: Service, name: orders}', '[{}]'),
    /Accepted False Conflicted: on port 80 a GRPCRoute is applied instead; on port 7070 a GRPCRoute/,
    /True/,
  ],
];

test('what the status of a route says', async t => {
  for (const [name, yaml, accepted, resolved] of ROUTES) {
    const [[first = '', second = ''] = []] = parentsOf(ALL + yaml);
    t.match(first, accepted, name);
    t.match(second, resolved, name);
  }
  t.same(
    parentsOf(ALL + route('{name: somebody-elses-gateway}')),
    [],
    'a parent that is not ours gets no word',
  );
});

test('a route that becomes bad keeps its last good version, and says so', async t => {
  const bad = route(ORDERS, '[{backendRef: []}]');
  const status = statusesOf(ALL + route(ORDERS), bad).get('HTTPRoute/shop/it');
  if (status?.kind !== 'route') throw new Error('no status of the route');
  const [accepted] = status.parents[0]?.conditions.map(shown) ?? [];
  t.match(accepted, /Accepted False UnsupportedValue: .*\nThe last good version of it is in force/s);
});

test('the parent is named as the route names it', async t => {
  const parent = '{group: "", kind: Service, name: ledger, namespace: bank, port: 80}';
  const status = statusesOf(ALL + route(parent)).get('HTTPRoute/shop/it');
  if (status?.kind !== 'route') throw new Error('no status of the route');
  t.same(status.parents[0]?.parentRef, {
    group: '',
    kind: 'Service',
    name: 'ledger',
    namespace: 'bank',
    port: 80,
  });
});

const GATEWAYS: readonly [string, readonly string[], RegExp, RegExp][] = [
  ['a waypoint with a ready pod', [ALL], /Accepted True/, /Programmed True Programmed: 1 pod is ready/],
  [
    'a waypoint without one',
    [SHOP + gateway()],
    /Accepted True/,
    /Programmed False Pending: no pod of it is ready/,
  ],
  [
    'a waypoint whose Service is not there yet',
    [gateway() + POD],
    /Accepted True/,
    /Programmed False AddressNotAssigned/,
  ],
  [
    'another port',
    [SHOP + gateway().replace('15008', '15009')],
    /Accepted False ListenersNotValid: .*spec.listeners\[0\].port.*set 15008/,
    /Programmed False Invalid/,
  ],
  [
    'a kind of traffic that is none',
    [SHOP + gateway('', '{istio.io/waypoint-for: everything}')],
    /Accepted False Invalid: .*is no kind of traffic.*use one of service, workload, all, none/,
    /Programmed False Invalid/,
  ],
  [
    'one that was good and is wrong now',
    [ALL, gateway().replace('15008', '15009')],
    /ListenersNotValid.*\nThe last good version of it is in force/s,
    /Programmed True/,
  ],
  [
    'parameters, which waypoints have none of',
    [
      ALL,
      gateway().replace(
        'listeners:',
        'infrastructure: {parametersRef: {group: "", kind: ConfigMap, name: a}}, listeners:',
      ),
    ],
    /Accepted False InvalidParameters/,
    /Programmed True/,
  ],
];

test('what the status of a waypoint says', async t => {
  for (const [name, changes, accepted, programmed] of GATEWAYS) {
    const status = statusesOf(...changes).get('Gateway/shop/waypoint');
    if (status?.kind !== 'gateway') throw new Error(`no status: ${name}`);
    const [first, second] = status.conditions.map(shown);
    t.match(first, accepted, name);
    t.match(second, programmed, name);
  }
});

test('a waypoint that cannot be made says why', async t => {
  const index = indexOf(ALL);
  index.setWaypointFailure(
    'Gateway/shop/waypoint',
    'Service shop/waypoint exists and is not of this Gateway',
  );
  const status = computeStatuses(index).get('Gateway/shop/waypoint');
  if (status?.kind !== 'gateway') throw new Error('no status');
  t.match(status.conditions.map(shown)[1], /Programmed False Invalid: Service shop\/waypoint exists/);
});

test('addresses, listeners and how many routes a waypoint serves', async t => {
  const other = route('{group: "", kind: Service, name: plain}').replace('name: it', 'name: other');
  const status = statusesOf(ALL + route(ORDERS) + other).get('Gateway/shop/waypoint');
  if (status?.kind !== 'gateway') throw new Error('no status');
  t.same(status.addresses, [
    { type: 'IPAddress', value: '10.96.0.9' },
    { type: 'Hostname', value: 'waypoint.shop.svc.cluster.local' },
  ]);
  t.match(status.listeners, [{ name: 'mesh', attachedRoutes: 1 }]);
  const ofCanary = route('{group: "", kind: Service, name: it}');
  const second = statusesOf(ALL + NEXT + canary('next', '0') + ofCanary).get('Gateway/shop/next');
  t.match(second, { listeners: [{ name: 'mesh', attachedRoutes: 1 }] }, 'a canary serves them as well');
  t.same(
    status.listeners[0]?.conditions.map(({ status: is, type }) => `${type} ${is}`),
    ['Accepted True', 'ResolvedRefs True', 'Conflicted False', 'Programmed True'],
  );
  const foreign = ALL.replace('istio-waypoint', 'another');
  t.equal(
    statusesOf(foreign).has('Gateway/shop/waypoint'),
    false,
    'a Gateway of another class is not ours to judge',
  );
});

const policy = (spec: string, kind = 'AuthorizationPolicy'): string => `
---
apiVersion: security.istio.io/v1
kind: ${kind}
metadata: {name: it, namespace: shop, generation: 2}
spec: ${spec}`;
const target = (name: string): string => `{group: "", kind: Service, name: ${name}}`;

const consul = (kind: string, spec: string, name = 'it'): string => `
---
apiVersion: consul.hashicorp.com/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: shop}
spec: ${spec}`;
const intentions = (source: string, destination = 'orders'): string =>
  `{destination: {name: ${destination}}, sources: [${source}]}`;
const PERMISSIONS = '{name: "*", permissions: [{action: allow, http: {pathPrefix: /}}]}';
const profile = (spec: string): string => `
---
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: orders.shop.svc.cluster.local, namespace: shop}
spec: ${spec}`;

const CONDITIONS: readonly [string, string, string, RegExp][] = [
  [
    'bound to a waypoint',
    service('{istio.io/use-waypoint: waypoint}'),
    'Service',
    /WaypointBound True WaypointAccepted/,
  ],
  [
    'bound to a waypoint that does not exist',
    service('{istio.io/use-waypoint: nope}'),
    'Service',
    /WaypointBound False WaypointIsNotReady: there is no waypoint shop\/nope: traffic is refused/,
  ],
  [
    'bound to a waypoint of another namespace that does not allow it',
    `${service('{istio.io/use-waypoint: waypoint, istio.io/use-waypoint-namespace: shop}', 'bank')}`,
    'Service/bank',
    /WaypointBound False AttachmentDenied: .*does not allow namespace bank/,
  ],
  [
    'a share of its connections goes to a canary',
    canary('next', '20') + NEXT + podOf('next'),
    'Service',
    /WaypointBound True WaypointAccepted: attached to waypoint shop\/waypoint; 20 of 100 connections go to canary shop\/next$/m,
  ],
  [
    'a canary that does not exist',
    canary('lost', '20'),
    'Service',
    /WaypointBound False WaypointIsNotReady: canary: there is no waypoint shop\/lost; all connections go to waypoint shop\/waypoint/,
  ],
  [
    'a canary without a ready pod',
    canary('next', '20') + NEXT,
    'Service',
    /WaypointBound False WaypointIsNotReady: canary: no pod of waypoint shop\/next is ready; all connections go to waypoint shop\/waypoint/,
  ],
  [
    'a canary of a share that is none',
    canary('next', '20%') + NEXT,
    'Service',
    /WaypointBound False CanaryInvalidWeight: canary: .* must be an integer in \[0,100\]; all/,
  ],
  [
    'a canary that is the waypoint itself',
    canary('waypoint', '20'),
    'Service',
    /WaypointBound False CanarySameAsPrimary: canary: shop\/waypoint is the waypoint itself; all/,
  ],
  [
    'an ALLOW by identity',
    policy('{rules: [{from: [{source: {namespaces: [a]}}]}]}'),
    'AuthorizationPolicy',
    /ZtunnelAccepted True Accepted: attached to ztunnel/,
  ],
  [
    'an ALLOW by path, without a target',
    policy('{rules: [{to: [{operation: {paths: [/a]}}]}]}'),
    'AuthorizationPolicy',
    /ZtunnelAccepted False UnsupportedValue: attributes of HTTP, server names, .* are enforced by waypoints alone/,
  ],
  [
    'a policy of a Service',
    policy(`{targetRefs: [${target('orders')}]}`),
    'AuthorizationPolicy',
    /WaypointAccepted True Accepted: bound to Service orders/,
  ],
  [
    'an ALLOW by trust domain, which a ztunnel holds as principals',
    policy('{rules: [{from: [{source: {trustDomains: [td]}}]}]}'),
    'AuthorizationPolicy',
    /ZtunnelAccepted True Accepted: attached to ztunnel/,
  ],
  [
    'an ALLOW by the end of a trust domain',
    policy('{rules: [{from: [{source: {trustDomains: ["*.td"]}}]}]}'),
    'AuthorizationPolicy',
    /ZtunnelAccepted False UnsupportedValue: .*trust domains that principals cannot say/,
  ],
  [
    'a policy of a Service, a part of which has no effect',
    policy(
      `{targetRefs: [${target('orders')}], rules: [{when: [{key: experimental.envoy.filters, values: [a]}]}]}`,
    ),
    'AuthorizationPolicy',
    /WaypointAccepted True Accepted: bound to Service orders\n.*the rule allows nothing/s,
  ],
  [
    'a CUSTOM policy of a provider that nobody has configured',
    policy(`{targetRefs: [${target('orders')}], action: CUSTOM, provider: {name: opa}, rules: [{}]}`),
    'AuthorizationPolicy',
    /WaypointAccepted False Invalid: there is no external authorizer "opa": requests that match are refused; add it to extensionProviders/,
  ],
  [
    'a policy of a Service that does not exist',
    policy(`{targetRefs: [${target('nope')}]}`),
    'AuthorizationPolicy',
    /WaypointAccepted False TargetNotFound: there is no Service shop\/nope/,
  ],
  [
    'a policy of a Service without a waypoint',
    policy(`{targetRefs: [${target('plain')}]}`),
    'AuthorizationPolicy',
    /WaypointAccepted False AncestorNotBound: Service shop\/plain uses no waypoint, so nothing enforces/,
  ],
  [
    'a policy one of whose targets is missing',
    policy(`{targetRefs: [${target('orders')}, ${target('nope')}]}`),
    'AuthorizationPolicy',
    /WaypointAccepted False PartiallyInvalid: there is no Service shop\/nope/,
  ],
  [
    'a policy with a misspelt field',
    policy('{rulez: []}'),
    'AuthorizationPolicy',
    /ZtunnelAccepted False UnsupportedValue: AuthorizationPolicy shop\/it rejected: spec.rulez/,
  ],
  [
    'a policy of a Service with a misspelt field',
    policy(`{targetRefs: [${target('orders')}], rulez: []}`),
    'AuthorizationPolicy',
    /WaypointAccepted False Invalid: .*spec.rulez/,
  ],
  [
    'strict mTLS',
    policy('{mtls: {mode: STRICT}}', 'PeerAuthentication'),
    'PeerAuthentication',
    /ZtunnelAccepted True Accepted/,
  ],
  [
    'an mTLS mode that is none',
    policy('{mtls: {mode: SOMETIMES}}', 'PeerAuthentication'),
    'PeerAuthentication',
    /ZtunnelAccepted False UnsupportedValue: .*spec.mtls.mode/,
  ],
  [
    'a policy of a ServiceEntry behind a waypoint',
    policy('{targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: it}]}') +
      istio('ServiceEntry', OUTSIDE, '{istio.io/use-waypoint: waypoint}'),
    'AuthorizationPolicy',
    /WaypointAccepted True Accepted: bound to ServiceEntry it/,
  ],
  [
    'a policy of a ServiceEntry without a waypoint',
    policy('{targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: it}]}') +
      istio('ServiceEntry', OUTSIDE),
    'AuthorizationPolicy',
    /WaypointAccepted False AncestorNotBound: ServiceEntry shop\/it uses no waypoint/,
  ],
  [
    'tokens for a namespace',
    policy('{jwtRules: [{issuer: a}]}', 'RequestAuthentication'),
    'RequestAuthentication',
    /WaypointAccepted True Accepted: held by the waypoints/,
  ],
  [
    'tokens for a Service without a waypoint',
    policy(`{targetRefs: [${target('plain')}], jwtRules: [{issuer: a}]}`, 'RequestAuthentication'),
    'RequestAuthentication',
    /WaypointAccepted False AncestorNotBound: Service shop\/plain uses no waypoint/,
  ],
  [
    'keys that cannot be used',
    policy('{jwtRules: [{issuer: a, jwks: "x"}]}', 'RequestAuthentication'),
    'RequestAuthentication',
    /WaypointAccepted False Invalid: .*spec.jwtRules\[0\].jwks/,
  ],
  [
    'telemetry of a Service without a waypoint',
    policy(`{targetRefs: [${target('plain')}], accessLogging: [{}]}`, 'Telemetry').replace(
      'security',
      'telemetry',
    ),
    'Telemetry',
    /WaypointAccepted False AncestorNotBound: Service shop\/plain uses no waypoint/,
  ],
  [
    'telemetry that goes nowhere we know',
    policy('{accessLogging: [{providers: [{name: nope}]}]}', 'Telemetry').replace('security', 'telemetry'),
    'Telemetry',
    /WaypointAccepted False Invalid: .*spec.accessLogging\[0\].providers\[0\].name/,
  ],
  ['a host outside', istio('ServiceEntry', OUTSIDE), 'ServiceEntry', /^Accepted True Accepted: .*$/],
  [
    'a host outside that is none',
    istio('ServiceEntry', '{hosts: ["a b"]}'),
    'ServiceEntry',
    /^Accepted False Invalid: .*spec.hosts: "a b" is no host name/,
  ],
  [
    'a host outside behind a waypoint',
    istio('ServiceEntry', OUTSIDE, '{istio.io/use-waypoint: waypoint}'),
    'ServiceEntry',
    /Accepted True .*WaypointBound True WaypointAccepted/s,
  ],
  [
    'a workload behind a waypoint for services',
    istio('WorkloadEntry', '{address: 10.1.1.1}', '{istio.io/use-waypoint: waypoint}'),
    'WorkloadEntry',
    /Accepted True .*WaypointBound False UnsupportedTrafficType/s,
  ],
  [
    'intentions',
    consul('ServiceIntentions', intentions('{name: "*", action: deny}')),
    'ServiceIntentions',
    /^Accepted True Accepted: /,
  ],
  [
    'intentions with a misspelt field',
    consul('ServiceIntentions', '{source: []}'),
    'ServiceIntentions',
    /^Accepted False Invalid: .*spec.source: is no field/s,
  ],
  [
    'permissions where no waypoint sees requests',
    consul('ServiceIntentions', intentions(PERMISSIONS, 'plain')),
    'ServiceIntentions',
    /^Accepted True Accepted: .*Service shop\/plain uses no waypoint/s,
  ],
  [
    'intentions for a destination that another object has',
    consul('ServiceIntentions', intentions('{name: "*", action: deny}'), 'first') +
      consul('ServiceIntentions', intentions('{name: "*", action: allow}')),
    'ServiceIntentions',
    /^Accepted False Conflicted: .*ServiceIntentions shop\/first is for the same destination/s,
  ],
  [
    'a router with a misspelt field',
    consul('ServiceRouter', '{route: []}'),
    'ServiceRouter',
    /^Accepted False Invalid: .*spec.route/,
  ],
  [
    'a splitter whose shares do not add up',
    consul('ServiceSplitter', '{splits: [{weight: 50}]}'),
    'ServiceSplitter',
    /^Accepted False Invalid: .*adds up to 50/,
  ],
  [
    'a resolver with a misspelt field',
    consul('ServiceResolver', '{subset: {}}'),
    'ServiceResolver',
    /^Accepted False Invalid: .*spec.subset/,
  ],
  [
    'a VirtualService beside a route of another dialect',
    route(ORDERS).replace('generation: 5', 'creationTimestamp: "2026-01-01T00:00:00Z"') +
      istio('VirtualService', '{hosts: [orders], http: [{route: [{destination: {host: orders}}]}]}').replace(
        'name: it,',
        'name: it, creationTimestamp: "2026-01-02T00:00:00Z",',
      ),
    'VirtualService',
    /^Accepted True Accepted: .*nothing of it is applied to .*HTTPRoute shop\/it was there first/,
  ],
];

test('conditions of services and policies', async t => {
  for (const [name, yaml, kind, condition] of CONDITIONS) {
    const [bare = '', namespace = 'shop'] = kind.split('/');
    const status = statusesOf(ALL + yaml).get(`${bare}/${namespace}/it`);
    if (status?.kind !== 'conditions') throw new Error(`no status: ${name}`);
    t.match(status.conditions.map(shown).join(), condition, name);
  }
});

const backendPolicy = (name: string, spec: string, created = ''): string => `
---
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: {name: ${name}, namespace: shop, creationTimestamp: "${created}"}
spec: ${spec}`;
const SESSIONS = 'sessionPersistence: {}';

const ANCESTORS: readonly [string, string, readonly RegExp[]][] = [
  [
    'for a Service',
    backendPolicy('it', `{targetRefs: [${target('orders')}], ${SESSIONS}}`),
    [/^Accepted True Accepted: $/],
  ],
  [
    'for a Service without a waypoint',
    backendPolicy('it', `{targetRefs: [${target('plain')}], ${SESSIONS}}`),
    [/^Accepted True Accepted: Service shop\/plain uses no waypoint: only routes of other Services/],
  ],
  [
    'for a Service that is there and one that is not',
    backendPolicy('it', `{targetRefs: [${target('orders')}, ${target('nope')}], ${SESSIONS}}`),
    [/^Accepted True/, /^Accepted False TargetNotFound: there is no Service shop\/nope/],
  ],
  [
    'for a Service that an older one is for',
    backendPolicy('it', `{targetRefs: [${target('orders')}], ${SESSIONS}}`, '2026-01-02T00:00:00Z') +
      backendPolicy('old', `{targetRefs: [${target('orders')}], ${SESSIONS}}`, '2026-01-01T00:00:00Z'),
    [/^Accepted False Conflicted: XBackendTrafficPolicy old is for Service shop\/orders too, and older/],
  ],
  [
    'with a wrong field',
    backendPolicy('it', `{targetRefs: [${target('orders')}], sessionPersistence: {type: Query}}`),
    [/^Accepted False Invalid: .*spec.sessionPersistence.type/],
  ],
  [
    'for something that is no Service',
    backendPolicy('it', '{targetRefs: [{group: "", kind: Bucket, name: b}]}'),
    [],
  ],
];

test('what the status of an XBackendTrafficPolicy says of each Service', async t => {
  for (const [name, yaml, expected] of ANCESTORS) {
    const status = statusesOf(ALL + yaml).get('XBackendTrafficPolicy/shop/it');
    if (status?.kind !== 'policy') throw new Error(`no status: ${name}`);
    t.match(
      status.ancestors.map(({ conditions }) => conditions.map(shown).join()),
      expected,
      name,
    );
    t.equal(status.ancestors.length, expected.length, name);
  }
});

test('the condition of a ServiceProfile', async t => {
  const shownFor = (spec: string): string | undefined => {
    const status = statusesOf(ALL + profile(spec)).get('ServiceProfile/shop/orders.shop.svc.cluster.local');
    return status?.kind === 'conditions' ? status.conditions.map(shown).join() : undefined;
  };
  t.match(shownFor('{routes: [{name: a, condition: {pathRegex: /a}}]}'), /^Accepted True Accepted/);
  t.match(shownFor('{route: []}'), /^Accepted False Invalid: .*spec.route/, 'one with a misspelt field');
});

test('two waypoints of which one is for another kind of traffic', async t => {
  const workloads = gateway('', '{istio.io/waypoint-for: workload}').replace(
    'name: waypoint,',
    'name: other,',
  );
  const status = statusesOf(ALL + workloads + service('{istio.io/use-waypoint: other}')).get(
    'Service/shop/it',
  );
  if (status?.kind !== 'conditions') throw new Error('no status');
  t.match(
    status.conditions.map(shown)[0],
    /WaypointBound False UnsupportedTrafficType: .*is for workload traffic/,
  );
});

test('a Service that asks for nothing has no condition, and loses the one it had', async t => {
  t.match(statusesOf(ALL).get('Service/shop/plain'), { conditions: [], owned: ['istio.io/WaypointBound'] });
});
