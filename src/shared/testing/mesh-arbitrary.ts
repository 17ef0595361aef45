import fc from 'fast-check';
import type { AuthorizationPolicy, HttpMatch, Match, StringMatch } from '../authz/policy.ts';
import type { ServiceRoutes } from '../route/model.ts';
import { ipFromBytes } from '../workload/ip.ts';
import type { GatewayAddress, Service, ServicePort, Workload } from '../workload/workload.ts';
import type { MeshResource } from '../discovery/mesh-resource.ts';
import { flag, name, port, text, uint32 } from './arbitrary-values.ts';
import { externalAuthorizer, routeRule, streamRule } from './route-arbitrary.ts';
import { telemetry } from './telemetry-arbitrary.ts';
import { tokenIssuer } from './token-issuer-arbitrary.ts';
import { portPolicies, trafficPolicy } from './traffic-policy-arbitrary.ts';
import type { TlsCredential } from '../route/tls-credential.ts';

/** For property tests: any valid value of the internal model, as the wire can carry it. */

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

const anyWorkload: fc.Arbitrary<Workload> = fc.record({
  uid: name,
  name: text,
  namespace: name,
  addresses: fc.array(ip, { maxLength: 3 }),
  hostname: text,
  dnsName: text,
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

/** Who has an address is not found by a name. */
const workload = anyWorkload.map(w => ({
  ...w,
  ...(w.addresses.length > 0 ? { hostname: '' } : { dnsName: '' }),
}));

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
  visibility: fc.oneof(
    fc.constantFrom('public' as const, 'namespace' as const),
    fc.array(name, { minLength: 1, maxLength: 3 }),
  ),
});

const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const), value: text }),
  fc.constant({ kind: 'presence' as const }),
);
const stringMatches = fc.array(stringMatch, { maxLength: 2 });
const textMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  stringMatch,
  fc.record({ kind: fc.constantFrom('regex' as const, 'template' as const), value: name }),
  fc.record({
    kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const, 'contains' as const),
    value: name,
    ignoreCase: fc.constant(true as const),
  }),
  fc.record({ kind: fc.constant('contains' as const), value: name }),
  fc.constant({ kind: 'any' as const }),
);
const textMatches = fc.array(textMatch, { maxLength: 2 });
const accounts = fc.array(fc.record({ namespace: name, serviceAccount: name }), { maxLength: 2 });
const cidrs = fc.array(cidr, { maxLength: 2 });
const ports = fc.array(port, { maxLength: 2 });

const valueMatches = fc.array(fc.record({ name, values: textMatches, notValues: textMatches }), {
  maxLength: 2,
});

const httpMatch: fc.Arbitrary<HttpMatch> = fc.record({
  hosts: textMatches,
  notHosts: textMatches,
  methods: textMatches,
  notMethods: textMatches,
  paths: textMatches,
  notPaths: textMatches,
  headers: valueMatches,
  queryParams: valueMatches,
  requestPrincipals: textMatches,
  notRequestPrincipals: textMatches,
  remoteIps: cidrs,
  notRemoteIps: cidrs,
  claims: fc.array(
    fc.record({ claim: fc.array(name, { maxLength: 2 }), values: textMatches, notValues: textMatches }),
    { maxLength: 2 },
  ),
});

const noNames = fc.constant<readonly StringMatch[]>([]);

function policyWith(
  http: fc.Arbitrary<HttpMatch | undefined>,
  forWaypoints: fc.Arbitrary<readonly StringMatch[]>,
  action: fc.Arbitrary<AuthorizationPolicy['action']>,
  provider: fc.Arbitrary<string | undefined> = fc.constant(undefined),
): fc.Arbitrary<AuthorizationPolicy> {
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
    trustDomains: forWaypoints,
    notTrustDomains: forWaypoints,
    serverNames: forWaypoints,
    notServerNames: forWaypoints,
    http,
  });
  const clause = fc.record({ matches: fc.array(match, { maxLength: 2 }) });
  return fc.record({
    name,
    namespace: name,
    scope: fc.constantFrom('global', 'namespace', 'workload_selector'),
    action,
    rules: fc.array(fc.record({ clauses: fc.array(clause, { maxLength: 2 }) }), { maxLength: 2 }),
    dryRun: flag,
    provider,
  });
}

const policies = fc.oneof(
  policyWith(
    fc.option(httpMatch, { nil: undefined }),
    textMatches,
    fc.constantFrom('allow', 'deny', 'audit'),
  ),
  policyWith(fc.constant(undefined), textMatches, fc.constant('custom'), name),
);

const oneWaypoints: fc.Arbitrary<ServiceRoutes> = fc.record({
  namespace: name,
  hostname: name,
  rules: fc.array(routeRule, { maxLength: 2 }),
  inboundRules: fc.array(routeRule, { maxLength: 2 }),
  pathNormalization: fc.constantFrom('base', 'merge_slashes', 'decode_and_merge_slashes'),
  streamRules: fc.array(streamRule(cidrs), { maxLength: 2 }),
  subsets: fc.array(
    fc.record({
      name,
      trafficPolicy: fc.option(trafficPolicy, { nil: undefined }),
      portPolicies,
      workloads: fc.array(text, { maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
  trafficPolicy,
  portPolicies,
  authorizationPolicies: fc.array(policies, { maxLength: 2 }),
  authorizers: fc.array(externalAuthorizer, { maxLength: 2 }),
  tokenIssuers: fc.array(tokenIssuer, { maxLength: 2 }),
  telemetry,
  routed: flag,
  endpointsByHost: flag,
  canary: fc.constant(undefined),
});

const canaries = fc.option(fc.record({ namespace: name, hostname: name }), { nil: undefined });
const routes: fc.Arbitrary<ServiceRoutes> = fc
  .tuple(oneWaypoints, oneWaypoints, canaries)
  .map(([own, others, waypoint]) => {
    const { hostname, namespace } = own;
    const canary = waypoint && { waypoint, routes: { ...others, namespace, hostname } };
    return { ...own, canary };
  });

const credential: fc.Arbitrary<TlsCredential> = fc.record({
  name,
  certificateChainPem: text,
  privateKeyPem: text,
  trustedRootsPem: text,
  revocationListsPem: text,
});

export const meshResource: fc.Arbitrary<MeshResource> = fc.oneof(
  // Its audience is not sent.
  credential.map(value => ({ kind: 'credential' as const, credential: value, audience: [] })),
  workload.map(value => ({ kind: 'workload' as const, workload: value })),
  service.map(value => ({ kind: 'service' as const, service: value })),
  policyWith(fc.constant(undefined), noNames, fc.constantFrom('allow', 'deny')).map(value => ({
    kind: 'policy' as const,
    policy: value,
  })),
  routes.map(value => ({ kind: 'routes' as const, routes: value })),
);
