import { test } from 'tap';
import type { RouteRule } from '#shared/route/model.ts';
import { computeStatuses } from '../status/compute-statuses.ts';
import { IndexLab, pod, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';

const MESH = SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}');
const GATEWAY = service('waypoint', { ports: '[{name: mesh, port: 15008}]' });

const server = (name: string, spec = '{podSelector: {matchLabels: {app: payments}}, port: web}'): string => `
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: ${name}, namespace: shop}
spec: ${spec.replace(/}$/, ', accessPolicy: all-unauthenticated}')}`;

const limit = (name: string, of = 'web', created = '2026-01-01T00:00:00Z'): string => `
apiVersion: policy.linkerd.io/v1alpha1
kind: HTTPLocalRateLimitPolicy
metadata: {name: ${name}, namespace: shop, creationTimestamp: "${created}"}
spec: {targetRef: {group: policy.linkerd.io, kind: Server, name: ${of}}, total: {requestsPerSecond: 10}}`;

const PORTS = '[{name: http, port: 80, targetPort: web}, {name: admin, port: 81, targetPort: 9000}]';
const BASE = [MESH, WAYPOINT, GATEWAY, service('payments', { ports: PORTS })];
const POD = pod('one', { labels: '{app: payments}' });

/** Port, and what its filters of limits share their buckets as. */
function limited(rules: readonly RouteRule[] | undefined): unknown {
  return rules?.map(({ filters, ports }) => [
    ports,
    filters.flatMap(filter => (filter.kind === 'local_rate_limit' ? [filter.limit.sharedAs] : [])),
  ]);
}

function status(lab: IndexLab, name: string): string {
  const desired = computeStatuses(lab.index).get(`HTTPLocalRateLimitPolicy/shop/${name}`);
  const [condition] = desired?.kind === 'conditions' ? desired.conditions : [];
  return `${condition?.status} ${condition?.reason}: ${condition?.message}`;
}

const SHARED = 'HTTPLocalRateLimitPolicy/shop/rl/80';

test('a limit is for the port of the service whose pods the Server selects', t => {
  const lab = new IndexLab(...BASE, POD, server('web'), limit('rl'));
  t.match(lab.routes('payments')?.rules, [
    {
      name: 'Service/shop/payments',
      ports: [80],
      backends: [{ port: 80 }],
      filters: [{ limit: { total: { maxTokens: 10 } } }],
    },
  ]);
  t.same(limited(lab.routes('payments')?.rules), [[[80], [SHARED]]]);
  t.equal(lab.routes('payments')?.routed, false, 'the other port goes to the service as before');
  t.match(status(lab, 'rl'), /^True Accepted: held for shop\/payments.shop.svc.cluster.local$/);
  t.match(computeStatuses(lab.index).get('HTTPLocalRateLimitPolicy/shop/rl'), {
    more: { targetRef: { group: 'policy.linkerd.io', kind: 'Server', name: 'web' } },
  });
  lab.remove(limit('rl'));
  t.same(lab.routes('payments')?.rules, []);
  t.end();
});

test('every rule of the port has the limit, and they share the buckets', t => {
  const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: payments}]
  rules:
    - {matches: [{path: {value: /a}}], backendRefs: [{name: payments, port: 80}]}
    - {backendRefs: [{name: payments, port: 80}]}`;
  const lab = new IndexLab(...BASE, POD, server('web'), limit('rl'), route);
  t.same(limited(lab.routes('payments')?.rules), [
    [[80], [SHARED]],
    [[81], []],
    [[80], [SHARED]],
    [[81], []],
  ]);
  t.end();
});

test('a route for another port leaves the limited one its own rule', t => {
  const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: payments, port: 81}]
  rules: [{backendRefs: [{name: payments, port: 81}]}]`;
  const lab = new IndexLab(...BASE, POD, server('web'), limit('rl'), route);
  t.same(limited(lab.routes('payments')?.rules), [
    [[81], []],
    [[80], [SHARED]],
  ]);
  t.end();
});

const UNHELD: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no Server', [POD, limit('rl')], /^False NoMatchingTarget: there is no Server shop\/web; create it/],
  [
    'a Server of another port',
    [POD, server('web', '{podSelector: {}, port: 7}'), limit('rl')],
    /^False AncestorNotBound: Server shop\/web selects no port of a Service that uses a waypoint/,
  ],
  ['no pods yet', [server('web'), limit('rl')], /^False AncestorNotBound/],
  [
    'a Server of some of the pods',
    [
      POD,
      pod('two', { ip: '10.0.0.2', labels: '{app: payments, track: canary}' }),
      server('web', '{podSelector: {matchLabels: {track: canary}}, port: web}'),
      limit('rl'),
    ],
    /^False AncestorNotBound[^]*limits nothing on port 80 of Service payments: the Server selects some of its pods only/,
  ],
  [
    'a Service without waypoint',
    [POD, server('web'), limit('rl')],
    /^False AncestorNotBound.*label the Service istio.io\/use-waypoint/,
  ],
];

test('a limit that nobody holds is said to be none', t => {
  for (const [name, objects, expected] of UNHELD) {
    const lab = new IndexLab(...BASE, ...objects);
    if (name === 'a Service without waypoint') lab.apply(SHOP);
    t.match(status(lab, 'rl'), expected, name);
    t.same(limited(lab.routes('payments')?.rules) ?? [], [], name);
  }
  t.end();
});

test('a Server has one limit: the oldest', t => {
  const older = limit('older', 'web', '2025-01-01T00:00:00Z');
  const lab = new IndexLab(...BASE, POD, server('web'), limit('rl'), older);
  t.same(limited(lab.routes('payments')?.rules), [[[80], ['HTTPLocalRateLimitPolicy/shop/older/80']]]);
  t.match(
    status(lab, 'rl'),
    /^False RateLimitReasonAlreadyExists: HTTPLocalRateLimitPolicy older is for Server shop\/web too, and older/,
  );
  lab.remove(older);
  t.match(status(lab, 'rl'), /^True/);
  t.end();
});

test('a number and a name of a port are the same port, and pods may number it differently', t => {
  const other = pod('two', { ip: '10.0.0.2', labels: '{app: payments}' }).replace('8080', '8090');
  const lab = new IndexLab(...BASE, POD, server('web', '{podSelector: {}, port: 8080}'), limit('rl'));
  t.same(limited(lab.routes('payments')?.rules), [[[80], [SHARED]]]);
  lab.apply(other);
  t.same(lab.routes('payments')?.rules, [], 'the number is that of one of them only');
  lab.apply(server('web'));
  t.same(limited(lab.routes('payments')?.rules), [[[80], [SHARED]]], 'the name is that of both');
  t.end();
});

test('a rejected change leaves the last good limit', t => {
  const lab = new IndexLab(...BASE, POD, server('web'), limit('rl'));
  lab.apply(limit('rl').replace('10', '0'));
  t.same(limited(lab.routes('payments')?.rules), [[[80], [SHARED]]]);
  t.match(status(lab, 'rl'), /^False Invalid: [^]*The last good version of it is in force/);
  t.end();
});
