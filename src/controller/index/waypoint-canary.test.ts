import { test } from 'tap';
import { IndexLab, pod, policy, service, WAYPOINT } from '../testing/index-lab.ts';

const LABELS = 'istio.io/use-waypoint: waypoint, istio.io/use-waypoint-canary: next';
const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name';
const NEXT = WAYPOINT.replace('name: waypoint', 'name: next');
const NEXT_POD = pod('next-0', { labels: `{${GATEWAY_NAME}: next}`, account: 'next', ip: '10.0.0.8' });

const shop = (labels = '{}', annotations = '{}'): string =>
  `apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: ${labels}, annotations: ${annotations}}`;
const share = (weight: number): string => `{istio.io/use-waypoint-canary-weight: "${weight}"}`;
const withShare = (yaml: string, weight: number): string =>
  yaml.replace('namespace: shop,', `namespace: shop, annotations: ${share(weight)},`);
const payments = (weight: number): string =>
  withShare(service('payments', { labels: `{${LABELS}}` }), weight);
const ENTRY = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vendor, namespace: shop, labels: {${LABELS}}}
spec: {hosts: [api.test], resolution: STATIC, ports: [{number: 80, name: http}], endpoints: [{address: 192.0.2.1}]}`;

const ENTRY_OF_NAMESPACE = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vendor, namespace: shop, labels: {istio.io/use-waypoint-canary: next}}
spec: {hosts: [api.test], resolution: STATIC, ports: [{number: 80, name: http}], workloadSelector: {labels: {app: payments}}}`;

interface Weighted {
  readonly weightedWaypoints: readonly { readonly destination: object; readonly weight: number }[];
}
const shares = (found: Weighted | undefined): readonly string[] | undefined =>
  found?.weightedWaypoints.map(({ destination, weight }) => {
    const hostname = 'hostname' in destination ? String(destination.hostname) : '';
    return `${hostname.replace('.svc.cluster.local', '')} ${weight}`;
  });
const SHARED = ['waypoint.shop 80', 'next.shop 20'];

test('services, hosts of entries, and all of a namespace share their connections with a canary', t => {
  const lab = new IndexLab(shop(), WAYPOINT, NEXT, NEXT_POD, payments(20), withShare(ENTRY, 20));
  t.same(shares(lab.service('payments')), SHARED);
  t.match(lab.service('payments')?.waypoint, { hostname: 'waypoint.shop.svc.cluster.local' });
  const found = lab.resource('shop/api.test');
  t.same(shares(found?.kind === 'service' ? found.service : undefined), SHARED);
  lab.apply(shop(`{${LABELS}}`, share(20)), service('orders'));
  t.same(shares(lab.service('orders')), SHARED);
  lab.apply(shop(`{${LABELS}}`, share(50)));
  t.same(shares(lab.service('orders')), ['waypoint.shop 50', 'next.shop 50'], 'as the namespace changes');
  lab.apply(shop(`{${LABELS}}`));
  t.same(shares(lab.service('orders')), ['waypoint.shop 100', 'next.shop 0']);
  lab.apply(shop());
  t.same(shares(lab.service('orders')), []);
  const asks = pod('one', { labels: `{app: one, ${LABELS}}` });
  lab.apply(
    asks,
    WAYPOINT.replace('namespace: shop', 'namespace: shop, labels: {istio.io/waypoint-for: all}'),
  );
  t.match(
    lab.workload('one')?.waypoint,
    { hostname: 'waypoint.shop.svc.cluster.local' },
    'a pod has the waypoint alone',
  );
  t.end();
});

test('a canary has its share while some pod of it is ready', t => {
  const lab = new IndexLab(shop(), WAYPOINT, payments(20));
  t.same(shares(lab.service('payments')), [], 'there is no such Gateway');
  lab.apply(NEXT);
  t.same(shares(lab.service('payments')), [], 'it has no pod');
  lab.apply(NEXT_POD);
  t.same(shares(lab.service('payments')), SHARED);
  lab.apply(NEXT_POD.replace('type: Ready, status: "True"', 'type: Ready, status: "False"'));
  t.same(shares(lab.service('payments')), [], 'its only pod is not ready');
  lab.apply(NEXT_POD);
  t.same(shares(lab.service('payments')), SHARED);
  lab.remove(NEXT_POD);
  t.same(shares(lab.service('payments')), []);
  lab.apply(NEXT_POD);
  lab.remove(NEXT);
  t.same(shares(lab.service('payments')), [], 'its Gateway has gone');
  t.end();
});

test('what is wrong with a canary is said of the service', t => {
  const lab = new IndexLab(shop(), WAYPOINT, payments(101), withShare(ENTRY, 101));
  const said = (key: string): unknown => lab.index.statuses().find(s => s.key === key)?.diagnostics;
  const expected = {
    field: 'metadata.labels.istio.io/use-waypoint-canary',
    severity: 'ignored',
    message:
      /^CanaryInvalidWeight: canary: .*"101" must be an integer in \[0,100\]; all connections go to waypoint shop\/waypoint$/,
  };
  t.match(said('Service/shop/payments'), [expected]);
  t.match(said('ServiceEntry/shop/vendor'), [expected]);
  t.same(shares(lab.service('payments')), []);
  t.end();
});

test('policies let a canary pass, before its first pod too, and no longer than it is one', t => {
  const allow = policy('allow', '{rules: [{from: [{source: {principals: [td/ns/shop/sa/orders]}}]}]}');
  const selecting = ENTRY.replace(
    'endpoints: [{address: 192.0.2.1}]',
    'workloadSelector: {labels: {app: payments}}',
  );
  const rows: readonly [sentence: string, ...objects: string[]][] = [
    ['a Service', payments(0)],
    ['a ServiceEntry of pods', selecting],
    [
      'a ServiceEntry that has the canary alone of its own',
      ENTRY_OF_NAMESPACE,
      shop('{istio.io/use-waypoint: waypoint}'),
    ],
    ['all of a namespace', shop(`{${LABELS}}`), service('payments')],
  ];
  const passing = (lab: IndexLab): unknown =>
    lab
      .policy('shop/allow')
      ?.rules[1]?.clauses[0]?.matches[0]?.principals.map(p => ('value' in p ? p.value : p));
  for (const [sentence, ...objects] of rows) {
    const lab = new IndexLab(WAYPOINT, NEXT, allow);
    lab.apply(...objects);
    t.same(passing(lab), ['td/ns/shop/sa/next', 'td/ns/shop/sa/waypoint'], sentence);
    lab.remove(NEXT);
    t.same(passing(lab), ['td/ns/shop/sa/waypoint'], `${sentence}: its Gateway has gone`);
    lab.apply(NEXT);
    lab.remove(...objects);
    t.same(passing(lab), undefined, `${sentence}: who asked has gone`);
  }
  t.end();
});

test('each of the two waypoints holds what is for it', t => {
  const held = (routes: ReturnType<IndexLab['routes']>): readonly string[] | undefined =>
    routes?.authorizationPolicies.map(({ name }) => name);
  const deny = (name: string, target: string): string =>
    policy(
      name,
      `{targetRefs: [{${target}}], action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}`,
    );
  const gateway = (name: string): string => `group: gateway.networking.k8s.io, kind: Gateway, name: ${name}`;
  const lab = new IndexLab(shop(), WAYPOINT, NEXT, payments(20));
  t.equal(lab.routes('payments')?.canary, undefined, 'what is the same is said once');
  lab.apply(deny('of-service', 'group: "", kind: Service, name: payments'));
  t.equal(lab.routes('payments')?.canary, undefined);
  lab.apply(deny('of-waypoint', gateway('waypoint')), deny('of-canary', gateway('next')));
  t.same(held(lab.routes('payments')), ['of-service', 'of-waypoint']);
  const { canary } = lab.routes('payments') ?? {};
  t.same(canary?.waypoint, { namespace: 'shop', hostname: 'next.shop.svc.cluster.local' });
  t.same(held(canary?.routes), ['of-canary', 'of-service']);
  t.equal(canary?.routes.canary, undefined);
  lab.remove(deny('of-waypoint', gateway('waypoint')), deny('of-canary', gateway('next')));
  t.equal(lab.routes('payments')?.canary, undefined);
  const rule = (name: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payments, namespace: shop}
spec:
  host: payments
  workloadSelector: {matchLabels: {${GATEWAY_NAME}: ${name}}}
  trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}}`;
  lab.apply(rule('next'));
  t.notSame(lab.routes('payments')?.canary?.routes.trafficPolicy, lab.routes('payments')?.trafficPolicy);
  const said = (): unknown =>
    lab.index.statuses().find(s => s.key === 'DestinationRule/shop/payments')?.diagnostics;
  t.same(said(), [], 'a rule for one of them has its effect there');
  lab.apply(rule('third'));
  t.match(said(), [{ message: /does not select the waypoint/ }], 'a rule for neither has none');
  t.end();
});
