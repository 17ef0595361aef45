import fc from 'fast-check';
import type { AuthorizationPolicy, HttpMatch, Match, StringMatch } from '../authz/policy.ts';
import type { RouteFilter, ServiceRoutes, TrafficPolicy, ValueMatch } from '../route/model.ts';
import { ipFromBytes } from '../workload/ip.ts';
import type { GatewayAddress, Service, ServicePort, Workload } from '../workload/workload.ts';
import type { MeshResource } from './mesh-resource.ts';

/** For property tests: any valid value of the internal model, as the wire can carry it. */

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/);
const text = fc.string({ maxLength: 12, unit: 'binary' });
const port = fc.integer({ min: 1, max: 65_535 });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const millis = fc.option(fc.double({ min: 0, max: 1e9, noNaN: true, noDefaultInfinity: true }), {
  nil: undefined,
});
const flag = fc.boolean();

const ip = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(bytes => ipFromBytes(bytes) ?? '0.0.0.0');

const cidr = ip.chain(address =>
  fc.record({
    ip: fc.constant(address),
    prefixLength: fc.integer({ min: 0, max: address.includes(':') ? 128 : 32 }),
  }),
);

const gateway: fc.Arbitrary<GatewayAddress> = fc.oneof(
  fc.record({ kind: fc.constant('hostname' as const), namespace: name, hostname: name, hboneMtlsPort: port }),
  fc.record({ kind: fc.constant('address' as const), network: text, ip, hboneMtlsPort: port }),
);

const servicePort: fc.Arbitrary<ServicePort> = fc.record({
  servicePort: port,
  targetPort: fc.integer({ min: 0, max: 65_535 }),
  appProtocol: fc.constantFrom('unknown', 'http11', 'http2', 'grpc', 'tcp', 'tls'),
});

const workload: fc.Arbitrary<Workload> = fc.record({
  uid: name,
  name: text,
  namespace: name,
  addresses: fc.array(ip, { maxLength: 3 }),
  hostname: text,
  network: text,
  tunnelProtocol: fc.constantFrom('none', 'hbone', 'legacy_istio_mtls'),
  trustDomain: name,
  serviceAccount: name,
  waypoint: fc.option(gateway, { nil: undefined }),
  networkGateway: fc.option(gateway, { nil: undefined }),
  node: text,
  canonicalName: text,
  canonicalRevision: text,
  workloadType: fc.constantFrom('deployment', 'cronjob', 'pod', 'job'),
  workloadName: text,
  nativeTunnel: flag,
  applicationTunnel: fc.option(
    fc.record({
      protocol: fc.constantFrom('none' as const, 'proxy' as const),
      port: fc.integer({ min: 0, max: 65_535 }),
    }),
    { nil: undefined },
  ),
  services: fc
    .uniqueArray(fc.tuple(name, name, fc.array(servicePort, { maxLength: 3 })), {
      maxLength: 3,
      selector: ([ns, host]) => `${ns}/${host}`,
    })
    .map(list => new Map(list.map(([ns, host, ports]) => [`${ns}/${host}`, ports]))),
  authorizationPolicies: fc.array(text, { maxLength: 3 }),
  status: fc.constantFrom('healthy', 'unhealthy'),
  clusterId: text,
  locality: fc.record({ region: text, zone: text, subzone: text }),
  networkMode: fc.constantFrom('standard', 'host_network'),
  capacity: uint32,
});

const service: fc.Arbitrary<Service> = fc.record({
  name: text,
  namespace: name,
  hostname: name,
  addresses: fc.array(
    cidr.chain(({ ip: address, prefixLength }) =>
      fc.record({
        network: text,
        ip: fc.constant(address),
        prefixLength: fc.constantFrom(undefined, prefixLength),
      }),
    ),
    { maxLength: 3 },
  ),
  ports: fc.array(servicePort, { maxLength: 3 }),
  subjectAltNames: fc.array(text, { maxLength: 2 }),
  waypoint: fc.option(gateway, { nil: undefined }),
  loadBalancing: fc.option(
    fc.record({
      routingPreference: fc.array(
        fc.constantFrom(
          'region' as const,
          'zone' as const,
          'subzone' as const,
          'node' as const,
          'cluster' as const,
          'network' as const,
        ),
        { maxLength: 6 },
      ),
      mode: fc.constantFrom(
        'unspecified' as const,
        'strict' as const,
        'failover' as const,
        'passthrough' as const,
      ),
      healthPolicy: fc.constantFrom('only_healthy' as const, 'allow_all' as const),
    }),
    { nil: undefined },
  ),
  ipFamilies: fc.constantFrom('automatic', 'ipv4_only', 'ipv6_only', 'dual'),
  canonical: flag,
  ingressUseWaypoint: flag,
  weightedWaypoints: fc.array(fc.record({ destination: gateway, weight: uint32 }), { maxLength: 2 }),
  visibility: fc.constantFrom('public', 'namespace'),
});

const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const), value: text }),
  fc.constant({ kind: 'presence' as const }),
);
const stringMatches = fc.array(stringMatch, { maxLength: 2 });
const accounts = fc.array(fc.record({ namespace: name, serviceAccount: name }), { maxLength: 2 });
const cidrs = fc.array(cidr, { maxLength: 2 });
const ports = fc.array(port, { maxLength: 2 });

const httpMatch: fc.Arbitrary<HttpMatch> = fc.record({
  hosts: stringMatches,
  notHosts: stringMatches,
  methods: stringMatches,
  notMethods: stringMatches,
  paths: stringMatches,
  notPaths: stringMatches,
  headers: fc.array(fc.record({ name, values: stringMatches, notValues: stringMatches }), { maxLength: 2 }),
});

function policyWith(http: fc.Arbitrary<HttpMatch | undefined>): fc.Arbitrary<AuthorizationPolicy> {
  const match: fc.Arbitrary<Match> = fc.record({
    namespaces: stringMatches,
    notNamespaces: stringMatches,
    serviceAccounts: accounts,
    notServiceAccounts: accounts,
    principals: stringMatches,
    notPrincipals: stringMatches,
    sourceIps: cidrs,
    notSourceIps: cidrs,
    destinationIps: cidrs,
    notDestinationIps: cidrs,
    destinationPorts: ports,
    notDestinationPorts: ports,
    http,
  });
  const clause = fc.record({ matches: fc.array(match, { maxLength: 2 }) });
  return fc.record({
    name,
    namespace: name,
    scope: fc.constantFrom('global', 'namespace', 'workload_selector'),
    action: fc.constantFrom('allow', 'deny'),
    rules: fc.array(fc.record({ clauses: fc.array(clause, { maxLength: 2 }) }), { maxLength: 2 }),
    dryRun: flag,
  });
}

const optionalText = fc.option(text, { nil: undefined });
const valueMatches: fc.Arbitrary<readonly ValueMatch[]> = fc.array(
  fc.record({ name, kind: fc.constantFrom('exact', 'prefix', 'regex', 'present'), value: name }),
  { maxLength: 2 },
);
const headerValues = fc.array(fc.record({ name, value: text }), { maxLength: 2 });
const change = fc.record({ set: headerValues, add: headerValues, remove: fc.array(name, { maxLength: 2 }) });
const modifier = fc.option(
  fc.record({ kind: fc.constantFrom('full' as const, 'prefix' as const), value: text }),
  { nil: undefined },
);
const status = fc.integer({ min: 200, max: 599 });

const filter: fc.Arbitrary<RouteFilter> = fc.oneof(
  fc.record({ kind: fc.constantFrom('request_headers' as const, 'response_headers' as const), change }),
  fc.record({
    kind: fc.constant('redirect' as const),
    redirect: fc.record({
      scheme: optionalText,
      hostname: optionalText,
      port: fc.option(port, { nil: undefined }),
      path: modifier,
      status,
    }),
  }),
  fc.record({
    kind: fc.constant('rewrite' as const),
    rewrite: fc.record({ hostname: optionalText, path: modifier }),
  }),
  fc.record({ kind: fc.constant('direct_response' as const), status, body: text }),
);
const filters = fc.array(filter, { maxLength: 2 });

const count = fc.option(uint32, { nil: undefined });
const trafficPolicy: fc.Arbitrary<TrafficPolicy> = fc.record({
  loadBalancer: fc.constantFrom(undefined, 'least_request', 'round_robin', 'random', 'passthrough'),
  connectTimeoutMs: millis,
  maxConnections: count,
  http1MaxPendingRequests: count,
  maxRequestsPerConnection: count,
  retryBudget: fc.option(
    fc.record({ ratio: fc.double({ min: 0, max: 1, noNaN: true }), minPerSecond: uint32, ttlMs: uint32 }),
    { nil: undefined },
  ),
});

const routes: fc.Arbitrary<ServiceRoutes> = fc.record({
  namespace: name,
  hostname: name,
  rules: fc.array(
    fc.record({
      name: text,
      ports,
      consumer: optionalText,
      hosts: fc.array(text, { maxLength: 2 }),
      matches: fc.array(
        fc.record({
          path: fc.option(
            fc.record({
              kind: fc.constantFrom(
                'exact' as const,
                'prefix' as const,
                'string_prefix' as const,
                'regex' as const,
              ),
              value: name,
              ignoreCase: flag,
            }),
            { nil: undefined },
          ),
          method: optionalText,
          headers: valueMatches,
          withoutHeaders: valueMatches,
          query: valueMatches,
        }),
        { maxLength: 2 },
      ),
      filters,
      backends: fc.array(
        fc.record({
          weight: uint32,
          service: optionalText,
          port: fc.integer({ min: 0, max: 65_535 }),
          subset: optionalText,
          filters,
        }),
        { maxLength: 2 },
      ),
      timeouts: fc.record({ requestMs: millis, backendRequestMs: millis }),
      retry: fc.option(
        fc.record({
          attempts: uint32,
          on: fc.array(
            fc.constantFrom('connect_failure' as const, '5xx' as const, 'grpc_unavailable' as const),
            { maxLength: 3 },
          ),
          statusCodes: fc.array(status, { maxLength: 2 }),
          perTryTimeoutMs: millis,
          backoffBaseMs: uint32,
          backoffMaxMs: uint32,
        }),
        { nil: undefined },
      ),
    }),
    { maxLength: 2 },
  ),
  subsets: fc.array(
    fc.record({
      name,
      trafficPolicy: fc.option(trafficPolicy, { nil: undefined }),
      workloads: fc.array(text, { maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
  trafficPolicy,
  authorizationPolicies: fc.array(policyWith(fc.option(httpMatch, { nil: undefined })), { maxLength: 2 }),
  routed: flag,
});

export const meshResource: fc.Arbitrary<MeshResource> = fc.oneof(
  workload.map(value => ({ kind: 'workload' as const, workload: value })),
  service.map(value => ({ kind: 'service' as const, service: value })),
  policyWith(fc.constant(undefined)).map(value => ({ kind: 'policy' as const, policy: value })),
  routes.map(value => ({ kind: 'routes' as const, routes: value })),
);
