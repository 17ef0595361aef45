import { test } from 'tap';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { backendTlsPolicy, caConfigMap, tlsTarget } from '../testing/backend-tls-objects.ts';
import { IndexLab, namespace, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';
import { computeStatuses } from './compute-statuses.ts';
import type { Condition } from './condition.ts';

/** `status.ancestors` of BackendTLSPolicies: who of them is named, and what is said to each. */

const { rootPem } = await createTestCa();
const CA = caConfigMap('ca', rootPem);
const BEHIND = '{istio.io/use-waypoint: waypoint}';
const PORTS = '[{name: http, port: 80}, {name: https, port: 443}]';
const MESH = [
  SHOP,
  namespace('orders', '{}'),
  WAYPOINT,
  WAYPOINT.replace('namespace: shop', 'namespace: orders'),
  service('api', { labels: BEHIND, ports: PORTS }),
  service('plain', { ports: PORTS }),
  service('desk', { labels: BEHIND, namespace: 'orders' }),
];
const OLD = '2026-01-01T00:00:00Z';
const YOUNG = '2026-01-02T00:00:00Z';

/** Of the policy `it`: each ancestor, then its conditions. */
function ancestorsOf(...changes: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const lab = new IndexLab(...MESH);
  for (const yaml of changes) lab.apply(...yaml);
  const status = computeStatuses(lab.index).get('BackendTLSPolicy/shop/it');
  if (status?.kind !== 'policy') throw new Error('no status');
  return status.ancestors.map(({ ancestorRef, conditions }) => [
    `${String(ancestorRef['kind'])} ${String(ancestorRef['namespace'])}/${String(ancestorRef['name'])}`,
    ...conditions.map(shown),
  ]);
}

function shown({ message, reason, status, type }: Condition): string {
  return `${type} ${status} ${reason}: ${message}`;
}

const RESOLVED = /^ResolvedRefs True ResolvedRefs: $/;
const GATEWAY = 'Gateway shop/waypoint';
const rule = (spec: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: shop}
spec: {host: api, ${spec}}`;
const referring = (...refs: readonly string[]): string =>
  backendTlsPolicy('it', {
    authorities: `caCertificateRefs: [${refs.map(ref => `{group: "", ${ref}}`).join()}]`,
  });

type Row = readonly [string, readonly string[], RegExp, RegExp?];

const ROWS: readonly Row[] = [
  ['for a Service behind a waypoint', [CA, backendTlsPolicy('it')], /^Accepted True Accepted: $/],
  [
    'with authorities of the system',
    [backendTlsPolicy('it', { authorities: 'wellKnownCACertificates: System' })],
    /^Accepted True Accepted: $/,
  ],
  [
    'with an option',
    [CA, backendTlsPolicy('it').replace('spec: {', 'spec: {options: {a.b/c: d}, ')],
    /^Accepted True Accepted: .*spec\.options\.a\.b\/c: is not supported and has no effect/,
  ],
  [
    'with a ConfigMap that is not there',
    [backendTlsPolicy('it')],
    /^Accepted False NoValidCACertificate: there is no ConfigMap shop\/ca/,
    /^ResolvedRefs False InvalidCACertificateRef: there is no ConfigMap shop\/ca that the controller may read$/,
  ],
  [
    'with a ConfigMap without certificates',
    [caConfigMap('ca', 'none'), backendTlsPolicy('it')],
    /^Accepted False NoValidCACertificate/,
    /^ResolvedRefs False InvalidCACertificateRef: ConfigMap shop\/ca: data\.ca\.crt: .*holds no certificate/,
  ],
  [
    'with a kind that nobody reads',
    [referring('kind: Bucket, name: ca')],
    /^Accepted False NoValidCACertificate/,
    /^ResolvedRefs False InvalidKind: Bucket ca is of a kind that is not read: name a ConfigMap, or a Secret$/,
  ],
  [
    'with a Secret that is not there',
    [referring('kind: Secret, name: ca')],
    /^Accepted False NoValidCACertificate/,
    /^ResolvedRefs False InvalidCACertificateRef: there is no Secret shop\/ca with the label/,
  ],
  [
    'with one reference of two that leads nowhere',
    [CA, referring('kind: ConfigMap, name: ca', 'kind: ConfigMap, name: nope')],
    /^Accepted True Accepted: $/,
    /^ResolvedRefs False InvalidCACertificateRef: there is no ConfigMap shop\/nope/,
  ],
  [
    'for a port that is not there',
    [CA, backendTlsPolicy('it', { targets: tlsTarget('api', 'grpc') })],
    /^Accepted False TargetNotFound: Service shop\/api has no port of the name grpc; use one of http, https$/,
  ],
  [
    'for two ports of which one is not there',
    [CA, backendTlsPolicy('it', { targets: `${tlsTarget('api', 'grpc')}, ${tlsTarget('api', 'http')}` })],
    /^Accepted False TargetNotFound: .*\nit holds for port http of Service api$/,
  ],
  [
    'beside an older one',
    [CA, backendTlsPolicy('it', { created: YOUNG }), backendTlsPolicy('old', { created: OLD })],
    /^Accepted False Conflicted: BackendTLSPolicy old is for Service shop\/api too, and goes before; keep one of them$/,
  ],
  [
    'for a port, beside an older one for it',
    [
      CA,
      backendTlsPolicy('it', { created: YOUNG, targets: tlsTarget('api', 'https') }),
      backendTlsPolicy('old', { created: OLD, targets: tlsTarget('api', 'https') }),
    ],
    /^Accepted False Conflicted: BackendTLSPolicy old is for port https of Service shop\/api too/,
  ],
  [
    'for a port, beside one for the whole Service',
    [
      CA,
      backendTlsPolicy('it', { created: YOUNG, targets: tlsTarget('api', 'https') }),
      backendTlsPolicy('old', { created: OLD }),
    ],
    /^Accepted True Accepted: $/,
  ],
  [
    'beside a DestinationRule with TLS',
    [CA, backendTlsPolicy('it'), rule('trafficPolicy: {tls: {mode: DISABLE}}')],
    /^Accepted False Conflicted: DestinationRule shop\/api sets trafficPolicy\.tls for api\.shop\.svc\.cluster\.local, and goes before; keep one of the two$/,
  ],
  [
    'beside a DestinationRule with TLS of one port',
    [
      CA,
      backendTlsPolicy('it'),
      rule('trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]}'),
    ],
    /^Accepted True Accepted: DestinationRule shop\/api sets .*, port 80, and goes before there; keep one of the two$/,
  ],
  [
    'for a port whose TLS a DestinationRule sets',
    [
      CA,
      backendTlsPolicy('it', { targets: tlsTarget('api', 'http') }),
      rule('trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]}'),
    ],
    /^Accepted False Conflicted: DestinationRule shop\/api sets .*, and goes before; keep one of the two$/,
  ],
  [
    'beside a DestinationRule that says nothing of TLS',
    [CA, backendTlsPolicy('it'), rule('trafficPolicy: {loadBalancer: {simple: RANDOM}}')],
    /^Accepted True Accepted: $/,
  ],
];

test('what the status of a BackendTLSPolicy says to the waypoint of its Service', t => {
  for (const [name, yaml, accepted, resolved = RESOLVED] of ROWS) {
    const ancestors = ancestorsOf(yaml);
    t.match(ancestors, [[GATEWAY, accepted, resolved]], name);
    t.equal(ancestors.length, 1, name);
  }
  t.end();
});

test('one that is wrong says which field, and what becomes of its Services', t => {
  const wrong = backendTlsPolicy('it', { authorities: 'wellKnownCACertificates: Mozilla' });
  const [ancestor = []] = ancestorsOf([wrong]);
  t.match(ancestor, [
    GATEWAY,
    /^Accepted False Invalid: .*spec\.validation\.wellKnownCACertificates: is not one/,
  ]);
  t.match(ancestor[1], /\nConnections to its Services are refused until it is valid\.$/);
  t.equal(ancestor.length, 2, 'what it refers to is not looked at');
  const [after = []] = ancestorsOf([CA, backendTlsPolicy('it')], [wrong]);
  t.match(after, [GATEWAY, /^Accepted False Invalid: .*\nThe last good version of it is in force\.$/]);
  t.end();
});

test('a ConfigMap that goes bad is no longer valid, although what it held is in use', t => {
  t.match(ancestorsOf([CA, backendTlsPolicy('it')], [caConfigMap('ca', 'none')]), [
    [
      GATEWAY,
      /^Accepted False NoValidCACertificate: .*what it held before is in use$/,
      /^ResolvedRefs False InvalidCACertificateRef/,
    ],
  ]);
  t.end();
});

test('ancestors are the waypoints that reach the Service: its own, and those of Services whose routes lead there', t => {
  const grant = `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: it, namespace: shop}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: orders}]
  to: [{group: "", kind: Service}]`;
  const route = (name: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: it, namespace: orders}
spec:
  parentRefs: [{group: "", kind: Service, name: desk}]
  rules: [{backendRefs: [{name: ${name}, namespace: shop, port: 80}]}]`;
  const names = (...yaml: readonly string[]): unknown =>
    ancestorsOf([CA, grant, ...yaml]).map(([name]) => name);
  t.same(names(backendTlsPolicy('it'), route('api')), ['Gateway orders/waypoint', GATEWAY]);
  const canaried = '{istio.io/use-waypoint: waypoint, istio.io/use-waypoint-canary: next}';
  const NEXT = WAYPOINT.replace('name: waypoint', 'name: next');
  const behindBoth = service('api', { labels: canaried, ports: PORTS });
  t.same(names(backendTlsPolicy('it'), NEXT, behindBoth), ['Gateway shop/next', GATEWAY], 'and its canary');
  const plain = backendTlsPolicy('it', { targets: tlsTarget('plain') });
  t.same(names(plain, route('plain')), ['Gateway orders/waypoint']);
  t.match(ancestorsOf([CA, plain]), [
    [
      'Service shop/plain',
      /^Accepted True Accepted: Service plain uses no waypoint, nor do routes of one/,
      RESOLVED,
    ],
  ]);
  t.match(ancestorsOf([CA, backendTlsPolicy('it', { targets: tlsTarget('nope') })]), [
    [
      'Service shop/nope',
      /^Accepted False TargetNotFound: there is no Service shop\/nope; create it/,
      RESOLVED,
    ],
  ]);
  const both = backendTlsPolicy('it', { targets: `${tlsTarget('api')}, ${tlsTarget('plain')}` });
  t.same(names(both), [GATEWAY, 'Service shop/plain']);
  t.same(names(backendTlsPolicy('it', { targets: '{group: "", kind: Bucket, name: b}' })), []);
  t.end();
});
