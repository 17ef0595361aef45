import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from '#shared/discovery/mesh-resource.ts';
import { mesh } from '#shared/testing/topology.ts';
import type { MeshStore } from '#shared/workload/mesh-store.ts';
import { IndexLab, namespace, pod, policy, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';

test('a pod becomes a workload, endpoint of the services that select it', t => {
  const lab = new IndexLab(SHOP, pod('orders'), service('orders'));
  t.match(lab.workload('orders'), {
    addresses: ['10.0.0.1'],
    tunnelProtocol: 'hbone',
    trustDomain: 'td',
    serviceAccount: 'orders',
    canonicalName: 'orders',
    status: 'healthy',
  });
  const ports = [{ servicePort: 80, targetPort: 8080, appProtocol: 'http11' }];
  t.same(lab.workload('orders')?.services, new Map([['shop/orders.shop.svc.cluster.local', ports]]));
  t.end();
});

test('only what a change touches is published', t => {
  const lab = new IndexLab(
    SHOP,
    pod('orders'),
    pod('payments', { ip: '10.0.0.2' }),
    service('orders'),
    service('payments'),
  );
  lab.apply(pod('orders', { ready: 'False' }));
  t.same(lab.take(), ['c//Pod/shop/orders']);
  lab.apply(pod('orders', { ready: 'False' }), service('orders'), SHOP);
  t.same(lab.take(), [], 'the same again is no change');
  lab.remove(service('payments'));
  t.same(lab.take(), ['c//Pod/shop/payments', 'shop/payments.shop.svc.cluster.local']);
  lab.remove(pod('orders'));
  t.same(lab.take(), ['c//Pod/shop/orders']);
  t.equal(lab.workload('orders'), undefined);
  t.end();
});

test('a rejected object leaves the last good one in force, and says why', t => {
  const lab = new IndexLab(SHOP, pod('orders'), service('orders'));
  lab.apply(service('orders', { ports: '[{port: 99999}]' }));
  t.same(lab.take(), []);
  t.equal(lab.service('orders')?.ports[0]?.servicePort, 80);
  const status = lab.index.statuses().find(s => s.key === 'Service/shop/orders');
  t.equal(status?.state, 'stale');
  t.match(status?.diagnostics[0], { field: 'spec.ports[0].port', value: '99999', fix: /1 to 65535/ });
  lab.apply(service('broken', { ports: '[{port: 0}]' }));
  t.equal(lab.index.statuses().find(s => s.key === 'Service/shop/broken')?.state, 'rejected');
  t.same(lab.index.rejected(), [
    { kind: 'Service', state: 'stale', count: 1 },
    { kind: 'Service', state: 'rejected', count: 1 },
  ]);
  t.end();
});

test('a service behind a waypoint, and what asks for one that is not there is bound all the same', t => {
  const lab = new IndexLab(
    namespace('shop', '{istio.io/use-waypoint: waypoint}'),
    pod('orders'),
    service('orders'),
    WAYPOINT,
  );
  const address = {
    kind: 'hostname',
    namespace: 'shop',
    hostname: 'waypoint.shop.svc.cluster.local',
    hboneMtlsPort: 15008,
  };
  t.same(lab.service('orders')?.waypoint, address);
  t.equal(lab.workload('orders')?.waypoint, undefined, 'a waypoint for services');
  t.same(lab.routes('orders')?.routed, false, 'the waypoint is told that nothing is attached');
  lab.remove(WAYPOINT);
  t.same(lab.service('orders')?.waypoint, address, 'fail closed');
  const status = lab.index.statuses().find(s => s.key === 'Service/shop/orders');
  t.match(status?.diagnostics[0], { severity: 'ignored', message: /WaypointIsNotReady/ });
  lab.apply(namespace('shop', '{}'));
  t.equal(lab.service('orders')?.waypoint, undefined);
  t.equal(lab.routes('orders'), undefined);
  t.end();
});

test('a policy with a selector is named by the workloads it selects, and reaches ztunnels and waypoints', t => {
  const rule = '[{from: [{source: {principals: [td/ns/shop/sa/orders]}}]}]';
  const allow = policy('allow', `{selector: {matchLabels: {app: payments}}, action: ALLOW, rules: ${rule}}`);
  const use = service('payments', { labels: '{istio.io/use-waypoint: waypoint}' });
  const waypointPod = pod('waypoint-0', {
    labels: '{gateway.networking.k8s.io/gateway-name: waypoint, app: payments}',
    account: 'waypoint',
    ip: '10.0.0.9',
  });
  const lab = new IndexLab(SHOP, pod('orders'), pod('payments', { ip: '10.0.0.2' }), use, allow);
  t.same(lab.workload('payments')?.authorizationPolicies, ['shop/allow']);
  t.same(lab.workload('orders')?.authorizationPolicies, []);
  t.same(
    lab.routes('payments')?.authorizationPolicies.map(p => p.name),
    ['allow'],
  );
  t.equal(lab.policy('shop/allow')?.rules.length, 1, 'nobody else passes');
  lab.apply(WAYPOINT, waypointPod);
  t.same(lab.policy('shop/allow')?.rules[1]?.clauses[0]?.matches[0]?.principals, [
    { kind: 'exact', value: 'td/ns/shop/sa/waypoint' },
  ]);
  t.same(lab.workload('waypoint-0')?.authorizationPolicies, [], 'a gateway is no workload of the policy');
  lab.remove(allow);
  t.equal(lab.policy('shop/allow'), undefined);
  t.same(lab.workload('payments')?.authorizationPolicies, []);
  t.end();
});

test("a workload's own traffic goes through a waypoint that is for workloads, which holds its policies", t => {
  const waypoint = (traffic: string): string =>
    WAYPOINT.replace('namespace: shop', `namespace: shop, labels: {istio.io/waypoint-for: ${traffic}}`);
  const asks = '{app: payments, istio.io/use-waypoint: waypoint}';
  const selected =
    '{selector: {matchLabels: {app: payments}}, rules: [{to: [{operation: {methods: [GET]}}]}]}';
  const twin = pod('payments-2', { labels: asks, ip: '10.0.0.3' });
  const lab = new IndexLab(SHOP, waypoint('workload'), pod('orders'), policy('get', selected));
  lab.apply(pod('payments', { labels: asks, ip: '10.0.0.2' }), twin);
  const held = (name: string): unknown =>
    lab.routesOf(`shop/c//Pod/shop/${name}`)?.authorizationPolicies.map(p => p.name);
  t.match(lab.workload('payments')?.waypoint, { hostname: 'waypoint.shop.svc.cluster.local' });
  t.same(['payments', 'payments-2', 'orders'].map(held), [['get'], ['get'], undefined]);
  t.match(lab.policy('shop/get')?.rules.at(-1), {
    clauses: [{ matches: [{ principals: [{ value: 'td/ns/shop/sa/waypoint' }] }] }],
  });
  lab.apply(policy('all', '{action: DENY, rules: [{}]}'));
  t.same(held('payments'), ['all', 'get'], 'a policy that comes later as well');
  lab.apply(pod('payments', { labels: '{app: other, istio.io/use-waypoint: waypoint}', ip: '10.0.0.2' }));
  t.same(['payments', 'payments-2'].map(held), [['all'], ['all', 'get']], 'each by its own labels');
  lab.apply(waypoint('service'));
  t.same(['payments', 'payments-2'].map(held), [undefined, undefined], 'none by one for services alone');
  lab.apply(waypoint('all'));
  t.same(held('payments'), ['all']);
  lab.remove(twin);
  t.same(held('payments-2'), undefined);
  t.end();
});

test('policies of a namespace let its waypoint pass, whatever in it is behind it', t => {
  const allow = policy('allow', '{rules: [{from: [{source: {principals: [td/ns/shop/sa/orders]}}]}]}');
  const passes = (lab: IndexLab): boolean => lab.policy('shop/allow')?.rules.length === 2;
  const entry = (more: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
spec: {hosts: [api.test], resolution: STATIC, ports: [{number: 80, name: http}], ${more}}`;
  const rows: readonly [sentence: string, object: string, passes: boolean][] = [
    ['nothing', pod('orders'), false],
    ['a Service', service('payments', { labels: '{istio.io/use-waypoint: waypoint}' }), true],
    ['a pod', pod('payments', { labels: '{istio.io/use-waypoint: waypoint}' }), true],
    ['a ServiceEntry of pods', entry('workloadSelector: {labels: {app: payments}}'), true],
    ['a ServiceEntry of servers elsewhere', entry('endpoints: [{address: 192.0.2.1}]'), false],
    ['all of the namespace', namespace('shop', '{istio.io/use-waypoint: waypoint}'), true],
  ];
  for (const [sentence, object, expected] of rows) {
    t.equal(passes(new IndexLab(WAYPOINT, allow, object)), expected, sentence);
    const later = new IndexLab(WAYPOINT, allow);
    later.apply(object);
    t.equal(passes(later), expected, `${sentence}, which came later`);
    later.remove(object);
    t.equal(passes(later), false, `${sentence}, which has gone`);
  }
  t.end();
});

test('a policy that keeps everybody but the waypoint from a workload is held by its ztunnel alone', t => {
  const use = service('payments', { labels: '{istio.io/use-waypoint: waypoint}' });
  const source = (fields: string): string => `[{from: [{source: {${fields}}}]}]`;
  const selected = 'selector: {matchLabels: {app: payments}}';
  const only = policy('only', `{${selected}, rules: ${source('principals: [td/ns/shop/sa/waypoint]')}}`);
  const not = source('notPrincipals: [td/ns/shop/sa/waypoint]');
  const deny = policy('deny', `{${selected}, action: DENY, rules: ${not}}`);
  const attached = policy(
    'attached',
    `{targetRefs: [{kind: Service, group: "", name: payments}], action: DENY, rules: ${not}}`,
  );
  const lab = new IndexLab(SHOP, WAYPOINT, pod('payments'), use, only, deny, attached);
  t.same(lab.workload('payments')?.authorizationPolicies, ['shop/deny', 'shop/only']);
  t.same(
    lab.routes('payments')?.authorizationPolicies.map(p => p.name),
    ['attached'],
    'one that is attached means what it says',
  );
  t.equal(lab.policy('shop/only')?.rules.length, 1, 'the waypoint needs no rule of its own');
  t.equal(lab.policy('shop/deny')?.rules[0]?.clauses.length, 1);
  const other = pod('waypoint-0', {
    labels: '{gateway.networking.k8s.io/gateway-name: waypoint}',
    account: 'other',
    ip: '10.0.0.9',
  });
  lab.apply(other);
  t.same(
    lab.routes('payments')?.authorizationPolicies.map(p => p.name),
    ['attached', 'deny', 'only'],
    'a waypoint of another account is not the one that is named',
  );
  t.end();
});

test('a pod that is no more of a waypoint takes its identity out of the policies', t => {
  const of = (labels: string): string => pod('one', { labels, account: 'custom' });
  const use = service('payments', { labels: '{istio.io/use-waypoint: waypoint}' });
  const named = policy('p', '{rules: [{from: [{source: {principals: [td/ns/shop/sa/custom]}}]}]}');
  const lab = new IndexLab(SHOP, WAYPOINT, use, named);
  const held = (): readonly unknown[] => [
    lab.policy('shop/p')?.rules.length,
    lab.routes('payments')?.authorizationPolicies.length,
  ];
  t.same(held(), [2, 1]);
  lab.apply(of('{gateway.networking.k8s.io/gateway-name: waypoint}'));
  t.same(held(), [1, 0], 'the policy names the waypoint');
  lab.apply(of('{app: other}'));
  t.same(held(), [2, 1]);
  t.end();
});

test('whom a DENY names besides the waypoint is denied by way of the waypoint too', t => {
  const use = service('payments', { labels: '{istio.io/use-waypoint: waypoint}' });
  const from = (fields: string): string => `{from: [{source: {${fields}}}]}`;
  const direct = from('notPrincipals: [td/ns/shop/sa/waypoint, td/ns/mon/sa/prometheus]');
  const named = from('principals: [td/ns/dev/sa/stranger]');
  const lab = new IndexLab(SHOP, WAYPOINT, pod('payments'), use);
  lab.apply(policy('p', `{action: DENY, rules: [${direct}, ${named}]}`));
  const stranger = { principals: [{ kind: 'exact', value: 'td/ns/dev/sa/stranger' }] };
  const [held, ...more] = lab.routes('payments')?.authorizationPolicies ?? [];
  t.match(held, { name: 'p', action: 'deny' });
  t.match(held?.rules, [{ clauses: [{ matches: [stranger] }] }]);
  t.equal(held?.rules.length, 1, 'not who comes past it: against the real source that would be everybody');
  t.same(more, []);
  t.equal(lab.policy('shop/p')?.rules.length, 2, 'its ztunnels hold all of it');
  lab.apply(policy('p', `{rules: [${from('principals: [td/ns/shop/sa/waypoint]')}, ${named}]}`));
  t.same(
    lab.routes('payments')?.authorizationPolicies,
    [],
    'of an ALLOW the others may come past the waypoint',
  );
  t.end();
});

test('a wrong rule of an ALLOW that was never good lets in nobody, until it is good; an earlier good one stays in force', t => {
  const allow = (port: string): string =>
    policy(
      'allow',
      `{selector: {matchLabels: {app: payments}}, rules: [{to: [{operation: {ports: ["${port}"]}}]}]}`,
    );
  const use = service('payments', { labels: '{istio.io/use-waypoint: waypoint}' });
  const lab = new IndexLab(SHOP, pod('orders'), pod('payments', { ip: '10.0.0.2' }), use, allow('http'));
  t.same(lab.workload('payments')?.authorizationPolicies, ['shop/allow']);
  t.same(lab.workload('orders')?.authorizationPolicies, [], 'others are as open as before');
  t.same(lab.policy('shop/allow')?.rules, []);
  t.same(
    lab.routes('payments')?.authorizationPolicies.map(({ rules }) => rules),
    [[]],
  );
  const said = lab.index.statuses().find(s => s.key === 'AuthorizationPolicy/shop/allow');
  t.match(said, { state: 'rejected' });
  t.match(said?.diagnostics.at(-1), {
    message: /the wrong rules let in nobody until it is/,
    severity: 'rejected',
  });

  lab.apply(allow('8080'));
  t.equal(lab.policy('shop/allow')?.rules.length, 1);
  lab.apply(allow('https'));
  t.equal(lab.policy('shop/allow')?.rules.length, 1, 'the last good one');
  const stale = lab.index.statuses().find(s => s.key === 'AuthorizationPolicy/shop/allow');
  t.notMatch(stale?.diagnostics.at(-1), { message: /nobody/ });
  lab.remove(allow('https'));
  t.same(lab.workload('payments')?.authorizationPolicies, []);
  t.end();
});

test('a PeerAuthentication that was never good, and is STRICT, holds for every port', t => {
  const strict =
    'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: shop}\n' +
    'spec: {mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: PERMISSIVE}}}';
  const lab = new IndexLab(SHOP, pod('payments'), strict);
  const [name = ''] = lab.workload('payments')?.authorizationPolicies ?? [];
  t.match(lab.policy(name), { action: 'deny' });
  const said = lab.index.statuses().find(s => s.key === 'PeerAuthentication/shop/default');
  t.match(said, { state: 'rejected' });
  t.match(said?.diagnostics.at(-1), { message: /STRICT holds for every port/ });
  t.end();
});

test('a policy attached to a service is for its waypoint alone', t => {
  const deny = policy(
    'deny',
    '{targetRefs: [{kind: Service, group: "", name: orders}], action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}',
  );
  const use = '{istio.io/use-waypoint: waypoint}';
  const lab = new IndexLab(
    SHOP,
    WAYPOINT,
    service('orders', { labels: use }),
    service('payments', { labels: use }),
    deny,
  );
  t.equal(lab.policy('shop/deny'), undefined);
  t.same(
    lab.routes('orders')?.authorizationPolicies.map(p => p.name),
    ['deny'],
  );
  t.same(lab.routes('payments')?.authorizationPolicies, []);
  t.end();
});

test('a policy may be for a waypoint, for all of a class, for the hosts of a ServiceEntry', t => {
  const use = '{istio.io/use-waypoint: waypoint}';
  const deny = (name: string, target: string): string =>
    policy(name, `{targetRefs: [${target}], action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}`);
  const GATEWAY = 'group: gateway.networking.k8s.io';
  const lab = new IndexLab(
    SHOP,
    WAYPOINT,
    service('orders', { labels: use }),
    service('plain'),
    `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vendor, namespace: shop, labels: ${use}}
spec:
  hosts: [api.example]
  ports: [{number: 80, name: http}]
  resolution: STATIC
  endpoints: [{address: 1.2.3.4}]`,
    deny('of-waypoint', `{kind: Gateway, ${GATEWAY}, name: waypoint}`),
    deny('of-another', `{kind: Gateway, ${GATEWAY}, name: other}`),
    deny('of-entry', '{kind: ServiceEntry, group: networking.istio.io, name: vendor}'),
    deny('of-class-elsewhere', `{kind: GatewayClass, ${GATEWAY}, name: istio-waypoint}`),
    deny('of-class', `{kind: GatewayClass, ${GATEWAY}, name: istio-waypoint}`).replace(
      'namespace: shop',
      'namespace: root',
    ),
    deny('of-another-class', `{kind: GatewayClass, ${GATEWAY}, name: other}`).replace(
      'namespace: shop',
      'namespace: root',
    ),
  );
  const of = (routes: ReturnType<typeof lab.routes>): unknown =>
    routes?.authorizationPolicies.map(({ name }) => name).toSorted();
  t.same(of(lab.routes('orders')), ['of-class', 'of-waypoint']);
  t.same(of(lab.routesOf('shop/api.example')), ['of-class', 'of-entry', 'of-waypoint']);
  t.same(of(lab.routes('plain')) ?? [], [], 'without a waypoint nobody would hold it');
  lab.remove(deny('of-waypoint', ''));
  t.same(of(lab.routes('orders')), ['of-class']);
  t.end();
});

test('STRICT mutual TLS is a policy that its workloads name', t => {
  const strict =
    'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: shop}\nspec: {mtls: {mode: STRICT}}';
  const lab = new IndexLab(SHOP, pod('orders'), pod('legacy', { namespace: 'old', ip: '10.0.0.3' }), strict);
  const [name = ''] = lab.workload('orders')?.authorizationPolicies ?? [];
  t.match(lab.policy(name), { action: 'deny', scope: 'workload_selector' });
  t.same(lab.workload('legacy', 'old')?.authorizationPolicies, []);
  lab.remove(strict);
  t.same(lab.workload('orders')?.authorizationPolicies, []);
  t.equal(lab.policy(name), undefined);
  t.end();
});

test('intentions follow the service accounts of the services they name', t => {
  const intentions = (name: string, destination: string, source: string, action: string): string =>
    `apiVersion: consul.hashicorp.com/v1alpha1\nkind: ServiceIntentions\nmetadata: {name: ${name}, namespace: shop}\n` +
    `spec: {destination: {name: "${destination}"}, sources: [{name: "${source}", action: ${action}}]}`;
  const lab = new IndexLab(
    SHOP,
    pod('orders'),
    pod('payments', { ip: '10.0.0.2', account: 'pay' }),
    service('orders'),
    service('payments'),
    intentions('all', '*', '*', 'deny'),
    intentions('payments', 'payments', 'orders', 'allow'),
  );
  t.same(lab.workload('payments')?.authorizationPolicies, ['shop/serviceintentions_payments']);
  t.same(lab.workload('orders')?.authorizationPolicies, ['shop/serviceintentions_all']);
  const accounts = (): unknown =>
    lab.policy('shop/serviceintentions_payments')?.rules[0]?.clauses[0]?.matches[0]?.serviceAccounts;
  t.same(accounts(), [{ namespace: 'shop', serviceAccount: 'orders' }]);
  lab.apply(pod('orders', { account: 'renamed' }));
  t.same(accounts(), [{ namespace: 'shop', serviceAccount: 'renamed' }]);
  t.end();
});

test('permissions of an intention are for the waypoint; ztunnels let their source in through it alone', t => {
  const intentions = `
apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceIntentions
metadata: {name: payments, namespace: shop}
spec:
  destination: {name: payments}
  sources: [{name: orders, permissions: [{action: allow, http: {pathExact: /pay}}]}]`;
  const pods = [pod('orders'), pod('payments', { ip: '10.0.0.2' }), service('orders')];
  const lab = new IndexLab(SHOP, ...pods, service('payments'), intentions);
  const l4 = (): unknown =>
    lab.policy('shop/serviceintentions_payments')?.rules.map(({ clauses }) => clauses.map(c => c.matches));
  const orders = [{ serviceAccounts: [{ namespace: 'shop', serviceAccount: 'orders' }] }];
  t.match(l4(), [[orders]], 'a connection of the source is refused');
  const said = (): unknown =>
    lab.index
      .statuses()
      .find(({ key }) => key === 'ServiceIntentions/shop/payments')
      ?.diagnostics.map(({ message }) => message);
  t.match(said(), [/Service shop\/payments uses no waypoint.*connections of orders are refused/]);

  lab.apply(WAYPOINT, service('payments', { labels: '{istio.io/use-waypoint: waypoint}' }));
  t.same(said(), []);
  t.match(
    l4(),
    [[orders, [{ notPrincipals: [{ value: 'td/ns/shop/sa/waypoint' }] }]]],
    'unless it is the waypoint',
  );
  const full = lab.routes('payments')?.authorizationPolicies;
  t.match(full, [
    { action: 'deny', rules: [{ clauses: [{}, { matches: [{ http: { notPaths: [{}] } }] }] }] },
  ]);
  t.end();
});

test('routes are made again when the services they lead to come and go', t => {
  const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: split, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: payments}]
  rules: [{backendRefs: [{name: payments-v1, port: 80, weight: 90}, {name: payments-v2, port: 80, weight: 10}]}]`;
  const lab = new IndexLab(SHOP, service('payments'), service('payments-v1'), route);
  const backends = (): unknown => lab.routes('payments')?.rules[0]?.backends.map(b => b.service);
  t.same(backends(), ['shop/payments-v1.shop.svc.cluster.local', undefined]);
  lab.apply(service('payments-v2'));
  t.same(backends(), ['shop/payments-v1.shop.svc.cluster.local', 'shop/payments-v2.shop.svc.cluster.local']);
  lab.remove(route);
  t.equal(lab.routes('payments'), undefined);
  t.end();
});

test('the subsets of a DestinationRule are the workloads with its labels, as they come and go', t => {
  const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payments, namespace: shop}
spec: {host: payments, subsets: [{name: v1, labels: {version: v1}}]}`;
  const v1 = (name: string, ip: string): string => pod(name, { labels: '{app: payments, version: v1}', ip });
  const lab = new IndexLab(SHOP, service('payments'), rule, v1('one', '10.0.0.1'));
  const uids = (): unknown => lab.routes('payments')?.subsets[0]?.workloads;
  t.same(uids(), ['c//Pod/shop/one']);
  lab.apply(v1('two', '10.0.0.2'), pod('three', { labels: '{app: payments, version: v2}', ip: '10.0.0.3' }));
  t.same(uids(), ['c//Pod/shop/one', 'c//Pod/shop/two']);
  lab.remove(v1('one', ''));
  t.same(uids(), ['c//Pod/shop/two']);
  t.end();
});

test('endpoints of a Service without selector come from its slices', t => {
  const external = `
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{name: pg, port: 5432}]}`;
  const slice = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: pg, port: 15432}]
endpoints: [{addresses: [192.0.2.5]}, {addresses: [192.0.2.6], conditions: {ready: false}}]`;
  const lab = new IndexLab(SHOP, external, slice);
  const found = lab.store.get(ADDRESS_TYPE, 'c/discovery.k8s.io/EndpointSlice/shop/db-1/192.0.2.5')?.resource;
  t.match(found, { kind: 'workload', workload: { tunnelProtocol: 'none', status: 'healthy' } });
  const workload = found?.kind === 'workload' ? found.workload : undefined;
  t.equal(workload?.services.get('shop/db.shop.svc.cluster.local')?.[0]?.targetPort, 15_432);
  lab.remove(slice);
  t.equal(lab.store.all(ADDRESS_TYPE).size, 1);
  t.end();
});

test('a waypoint gets past policies of the mesh where services are behind it, and nowhere else', t => {
  const gateway = (ns: string): string => WAYPOINT.replace('namespace: shop', `namespace: ${ns}`);
  const behind = (name: string, ns: string): string =>
    service(name, { namespace: ns, labels: '{istio.io/use-waypoint: waypoint}' });
  const intention = `
apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceIntentions
metadata: {name: all, namespace: shop}
spec: {destination: {name: "*"}, sources: [{name: "*", action: deny}]}`;
  const allow = '{rules: [{from: [{source: {namespaces: [ops]}}]}]}';
  const selecting = '{action: DENY, selector: {matchLabels: {tier: db}}, rules: [{}]}';
  const labels = '{tier: db}';
  const lab = new IndexLab(
    pod('db', { labels }),
    pod('desk', { namespace: 'evil', ip: '10.0.0.2', labels }),
    pod('lone', { namespace: 'lone', ip: '10.0.0.3', labels }),
    policy('everywhere', allow, 'root'),
    policy('databases', selecting, 'root'),
    intention,
  );
  const passes = (waypoint: string, name: string, namespace: string): readonly boolean[] => {
    const view = storedMesh(lab);
    const workload = view.workload(`c//Pod/${namespace}/${name}`);
    const authz = authzConnection({
      sourceIdentity: `spiffe://td/ns/${waypoint}/sa/waypoint`,
      sourceIp: '10.0.0.9',
      destinationIp: '10.0.0.1',
      destinationPort: 8080,
    });
    const policies = workload === undefined ? [] : view.policiesFor(workload);
    return policies.map(one => evaluate(compile([one]), authz).allowed);
  };
  const [none, all] = [
    [false, false, false],
    [true, true, true],
  ];
  t.same(passes('shop', 'db', 'shop'), none, 'nobody uses it');
  lab.apply(gateway('shop'), gateway('evil'), behind('db', 'shop'), behind('desk', 'evil'));
  t.same(passes('shop', 'db', 'shop'), all, 'at home');
  t.same(passes('evil', 'desk', 'evil'), all, 'at home too');
  t.same(passes('evil', 'db', 'shop'), none, 'in the namespace of another');
  t.same(passes('evil', 'lone', 'lone'), none, 'in one without waypoint');
  lab.apply(pod('new', { namespace: 'new', ip: '10.0.0.4', labels }));
  t.same(passes('evil', 'new', 'new'), none, 'in one that has just come');
  t.same(passes('ops', 'db', 'shop'), [false, true, false], 'whom the policy names');
  lab.remove(gateway('shop'), gateway('evil'));
  t.same(passes('evil', 'desk', 'evil'), none, 'when it is gone');
  t.end();
});

/** The mesh as a proxy knows it. */
function storedMesh(lab: IndexLab): MeshStore {
  const all = ([ADDRESS_TYPE, AUTHORIZATION_TYPE] as const).flatMap(type => [
    ...lab.store.all(type).values(),
  ]);
  return mesh({
    workloads: all.flatMap(({ resource: r }) => (r.kind === 'workload' ? [r.workload] : [])),
    services: all.flatMap(({ resource: r }) => (r.kind === 'service' ? [r.service] : [])),
    policies: all.flatMap(({ resource: r }) => (r.kind === 'policy' ? [r.policy] : [])),
  });
}

test('which identities run on a node', t => {
  const lab = new IndexLab(SHOP, pod('orders'), pod('twin', { account: 'orders', ip: '10.0.0.2' }));
  const id = 'spiffe://td/ns/shop/sa/orders';
  t.ok(lab.index.isIdentityOnNode(id, 'node-a'));
  t.notOk(lab.index.isIdentityOnNode(id, 'node-b'));
  lab.remove(pod('orders'));
  t.ok(lab.index.isIdentityOnNode(id, 'node-a'), 'there is another pod of it');
  lab.remove(pod('twin'));
  t.notOk(lab.index.isIdentityOnNode(id, 'node-a'));
  t.end();
});

test('what credentials of a kubelet can make in any namespace gives its node no identity there', t => {
  const mirror = pod('static', {
    account: '',
    annotations: '{ambient.istio.io/redirection: enabled, kubernetes.io/config.mirror: abc}',
  });
  const onHost = pod('agent').replace('nodeName: node-a', 'nodeName: node-a\n  hostNetwork: true');
  const lab = new IndexLab(SHOP, mirror, onHost);
  t.notOk(lab.index.isIdentityOnNode('spiffe://td/ns/shop/sa/default', 'node-a'), 'a mirror pod');
  t.notOk(
    lab.index.isIdentityOnNode('spiffe://td/ns/shop/sa/agent', 'node-a'),
    'a pod on the network of the host',
  );
  lab.apply(pod('plain', { account: 'default' }));
  t.ok(
    lab.index.isIdentityOnNode('spiffe://td/ns/shop/sa/default', 'node-a'),
    'an ordinary pod of the account',
  );
  t.end();
});

test('2,000 pods: a change of one sends that one alone', t => {
  const pods = Array.from({ length: 2000 }, (_, i) =>
    pod(`p${i}`, { labels: `{app: app${i % 50}}`, ip: `10.1.${i >> 8}.${i & 255}` }),
  );
  const services = Array.from({ length: 50 }, (_, i) => service(`app${i}`));
  const lab = new IndexLab(SHOP, ...services, ...pods, policy('none', '{}'));
  for (let i = 0; i < 3; i++) {
    lab.apply(pod('p7', { labels: '{app: app7}', ip: `10.9.0.${i}` }));
    t.same(lab.take(), ['c//Pod/shop/p7']);
  }
  t.end();
});

test('with many policies the pods of a waypoint are gone through no more often than with few', t => {
  const walksWith = (policies: number): number => {
    const labels = '{istio.io/use-waypoint: waypoint}';
    const lab = new IndexLab(SHOP, WAYPOINT, pod('waypoint'), service('orders', { labels }), pod('orders'));
    for (let i = 0; i < policies; i++) lab.apply(policy(`p${i}`, '{}'));
    const { pods } = lab.index.objects;
    const inNamespace = pods.inNamespace.bind(pods);
    let walks = 0;
    pods.inNamespace = one => {
      walks++;
      return inNamespace(one);
    };
    lab.apply(policy('p0', '{rules: [{}]}'));
    t.equal(lab.routes('orders')?.authorizationPolicies.length, policies);
    return walks;
  };
  t.equal(walksWith(40), walksWith(2));
  t.end();
});

test('however much is said of rules that are for every service, the objects are gone through once for all of it', t => {
  const readsWith = (rules: number): number => {
    const lab = new IndexLab(SHOP, ...Array.from({ length: 20 }, (_, i) => service(`s${i}`)));
    for (let i = 0; i < rules; i++)
      lab.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: all, namespace: stranger${i}}
spec: {host: "*.svc.cluster.local", trafficPolicy: {tls: {mode: SIMPLE}}}`);
    const { services } = lab.index.objects;
    const statuses = services.statuses.bind(services);
    let reads = 0;
    services.statuses = function* () {
      for (const status of statuses())
        yield {
          ...status,
          get key() {
            reads++;
            return status.key;
          },
        };
    };
    const rule = lab.index.statuses().find(({ key }) => key === 'DestinationRule/stranger0/all');
    t.equal(rule?.diagnostics.length, 20, 'said for each service');
    return reads;
  };
  t.ok(readsWith(20) < 3 * readsWith(1));
  t.end();
});
