import { test } from 'tap';
import { IndexLab, pod, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';

/** What comes of several objects together, of kinds that are not Gateway API's. */

function virtualService(name: string, spec: string, created = ''): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: shop, creationTimestamp: "${created}"}
spec: ${spec}`;
}

const HTTP_ROUTE = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route, namespace: shop, creationTimestamp: "2026-01-02T00:00:00Z"}
spec:
  parentRefs: [{group: "", kind: Service, name: payments}]
  rules: [{backendRefs: [{name: payments, port: 80}]}]`;

const TO_PAYMENTS = '{hosts: [payments], http: [{route: [{destination: {host: payments}}]}]}';

function names(lab: IndexLab, of = 'payments'): unknown {
  return lab.routes(of)?.rules.map(rule => rule.name);
}

function said(lab: IndexLab, key: string): readonly string[] {
  return (
    lab.index
      .statuses()
      .find(status => status.key === key)
      ?.diagnostics.map(d => d.message) ?? []
  );
}

test('routes of two dialects for one service: the one that was there first is applied, the other refused', t => {
  const lab = new IndexLab(SHOP, service('payments'), HTTP_ROUTE);
  lab.apply(virtualService('young', TO_PAYMENTS, '2026-01-03T00:00:00Z'));
  t.same(names(lab), ['HTTPRoute/shop/route/0']);
  t.match(said(lab, 'VirtualService/shop/young'), [
    /nothing of it is applied .* HTTPRoute shop\/route was there first/,
  ]);
  lab.remove(HTTP_ROUTE);
  t.same(names(lab), ['VirtualService/shop/young/0'], 'when the first goes, the other is applied');
  t.same(said(lab, 'VirtualService/shop/young'), []);
  lab.apply(HTTP_ROUTE);
  t.same(names(lab), ['HTTPRoute/shop/route/0'], 'age is that of the object, not of its arrival');
  lab.apply(virtualService('old', TO_PAYMENTS, '2026-01-01T00:00:00Z'));
  t.same(names(lab), ['VirtualService/shop/old/0', 'VirtualService/shop/young/0']);
  t.match(said(lab, 'HTTPRoute/shop/route'), [/VirtualService shop\/old was there first/]);
  t.end();
});

test('XBackendTrafficPolicy: budget and sessions of a service, whatever its subsets; of several the oldest holds', t => {
  const policy = (name: string, created: string, spec: string): string => `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: {name: ${name}, namespace: shop, creationTimestamp: "${created}"}
spec: {targetRefs: [{group: "", kind: Service, name: payments}], ${spec}}`;
  const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payments, namespace: shop}
spec:
  host: payments
  subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}]`;
  const lab = new IndexLab(SHOP, service('payments'), rule);
  lab.apply(policy('young', '2026-01-02T00:00:00Z', 'retryConstraint: {budget: {percent: 40}}'));
  t.equal(lab.routes('payments')?.trafficPolicy.retryBudget?.ratio, 0.4);
  lab.apply(policy('old', '2026-01-01T00:00:00Z', 'sessionPersistence: {sessionName: s}'));
  const session = { kind: 'cookie', name: 's', lifetime: 'session' };
  t.match(lab.routes('payments')?.trafficPolicy, { retryBudget: undefined, session });
  t.match(lab.routes('payments')?.subsets, [
    { trafficPolicy: { loadBalancer: { kind: 'random' }, session } },
  ]);
  lab.remove(policy('old', '2026-01-01T00:00:00Z', ''));
  lab.apply(destinationRule('payments', '{host: payments, trafficPolicy: {retryBudget: {percent: 5}}}'));
  t.match(
    lab.routes('payments')?.trafficPolicy,
    { retryBudget: undefined, retryConcurrency: { ratio: 0.05 } },
    'what a DestinationRule says goes before',
  );
  t.end();
});

const telemetry = (
  name: string,
  spec: string,
  namespace = 'shop',
  created = '2026-01-01T00:00:00Z',
): string => `
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: ${name}, namespace: ${namespace}, creationTimestamp: "${created}"}
spec: ${spec}`;

test('Telemetry: the narrowest that says something holds, setting by setting', t => {
  const behind = service('payments', { labels: '{istio.io/use-waypoint: waypoint}' });
  const lab = new IndexLab(SHOP, WAYPOINT, behind, pod('payments'));
  const now = (): unknown => lab.routes('payments')?.telemetry;
  t.match(now(), { accessLog: undefined, traceSamplingPercent: undefined, metrics: [] });
  const percent = (value: number): string => `tracing: [{randomSamplingPercentage: ${value}}]`;
  lab.apply(telemetry('mesh', `{accessLogging: [{}], ${percent(1)}}`, 'root'));
  t.match(now(), { accessLog: true, traceSamplingPercent: 1 }, 'of the mesh');
  lab.apply(telemetry('all', `{${percent(2)}}`));
  t.match(now(), { accessLog: true, traceSamplingPercent: 2 }, 'of the namespace');
  lab.apply(
    telemetry(
      'gateway',
      `{targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}], ${percent(3)}}`,
    ),
  );
  t.match(now(), { traceSamplingPercent: 3 }, 'of the waypoint');
  lab.apply(telemetry('pods', `{selector: {matchLabels: {app: payments}}, ${percent(4)}}`));
  t.match(now(), { traceSamplingPercent: 4 }, 'of its workloads');
  const REQUESTS = 'match: {metric: REQUEST_COUNT}';
  const off = `metrics: [{overrides: [{${REQUESTS}, disabled: true}]}]`;
  lab.apply(
    telemetry(
      'one',
      `{targetRefs: [{group: "", kind: Service, name: payments}], accessLogging: [{disabled: true}], ${off}}`,
    ),
  );
  const metrics = [{ metric: 'requests', disabled: true, labels: [] }];
  t.match(now(), { accessLog: false, traceSamplingPercent: 4, metrics }, 'of the service');
  lab.apply(telemetry('young', `{${percent(9)}}`, 'root', '2026-02-01T00:00:00Z'));
  t.match(said(lab, 'Telemetry/root/young'), [
    /Telemetry root\/mesh is for all of the namespace too, and older/,
  ]);
  lab.remove(telemetry('pods', '{}'), telemetry('gateway', '{}'), telemetry('all', '{}'));
  t.match(now(), { traceSamplingPercent: 1 }, 'of two on one level the older');
  t.end();
});

test('Telemetry: a filter of the log holds with its entry; after a wrong one the last good one stays', t => {
  const behind = service('payments', { labels: '{istio.io/use-waypoint: waypoint}' });
  const lab = new IndexLab(SHOP, WAYPOINT, behind);
  const now = (): unknown => lab.routes('payments')?.telemetry;
  const log = (expression: string): string => `{accessLogging: [{filter: {expression: "${expression}"}}]}`;
  lab.apply(telemetry('mesh', log('response.code >= 400'), 'root'));
  t.match(now(), { accessLog: true, accessLogFilter: 'response.code >= 400' });
  lab.apply(telemetry('mesh', log('response.cod >= 400'), 'root'));
  t.match(said(lab, 'Telemetry/root/mesh'), [/"response.cod" is no attribute that the log knows/]);
  t.match(now(), { accessLog: true, accessLogFilter: 'response.code >= 400' });
  lab.apply(telemetry('all', '{accessLogging: [{}]}'));
  t.match(now(), { accessLog: true, accessLogFilter: undefined }, 'of the namespace, which has none');
  t.end();
});

test('Telemetry: providers are those of the configuration of the mesh, whichever comes first', t => {
  const behind = service('payments', { labels: '{istio.io/use-waypoint: waypoint}' });
  const lab = new IndexLab(SHOP, WAYPOINT, behind);
  lab.apply(
    telemetry('mesh', '{tracing: [{providers: [{name: otel}], randomSamplingPercentage: 7}]}', 'root'),
  );
  t.equal(lab.routes('payments')?.telemetry.traceSamplingPercent, undefined);
  t.match(said(lab, 'Telemetry/root/mesh'), [/no provider of traces/]);
  lab.apply(`
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: root}
data: {mesh: "extensionProviders: [{name: otel, opentelemetry: {service: a.b, port: 4317}}]"}`);
  t.equal(lab.routes('payments')?.telemetry.traceSamplingPercent, 7);
  t.end();
});

test('a VirtualService follows the one it delegates to', t => {
  const root = virtualService('root', '{hosts: [payments], http: [{delegate: {name: leaf}}]}');
  const leaf = virtualService('leaf', '{http: [{route: [{destination: {host: payments}}]}]}');
  const lab = new IndexLab(SHOP, service('payments'), root);
  t.same(names(lab), []);
  t.match(said(lab, 'VirtualService/shop/root'), [/no VirtualService shop\/leaf/]);
  lab.apply(leaf);
  t.same(names(lab), ['VirtualService/shop/leaf/0']);
  lab.remove(leaf);
  t.same(names(lab), []);
  t.end();
});

test('sources asked for by labels are the workloads that have them, as they come and go', t => {
  const rule = virtualService(
    'web',
    '{hosts: [payments], http: [{match: [{sourceLabels: {app: web}}], route: [{destination: {host: payments}}]}]}',
  );
  const lab = new IndexLab(SHOP, service('payments'), rule);
  const workloads = (): unknown => lab.routes('payments')?.rules[0]?.matches[0]?.source?.workloads;
  t.same(workloads(), [], 'none is none, not any');
  lab.apply(pod('web', { namespace: 'other' }));
  t.same(workloads(), ['c//Pod/other/web']);
  lab.remove(pod('web', { namespace: 'other' }));
  t.same(workloads(), []);
  t.end();
});

test('a wildcard gives way to who names the service', t => {
  const all = virtualService(
    'all',
    '{hosts: ["*.shop.svc.cluster.local"], http: [{route: [{destination: {host: orders}}]}]}',
  );
  const lab = new IndexLab(
    SHOP,
    service('payments'),
    service('orders'),
    all,
    virtualService('one', TO_PAYMENTS),
  );
  t.same(names(lab), ['VirtualService/shop/one/0']);
  t.same(names(lab, 'orders'), ['VirtualService/shop/all/0']);
  t.match(said(lab, 'VirtualService/shop/all'), [/VirtualService shop\/one names it/]);
  t.end();
});

function destinationRule(name: string, spec: string, namespace = 'shop'): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}`;
}

test('a DestinationRule holds from the namespace of the waypoint, of the service, or of the mesh', t => {
  const host = 'host: payments.shop.svc.cluster.local';
  const max = (n: number): string =>
    `{${host}, trafficPolicy: {connectionPool: {tcp: {maxConnections: ${n}}}}}`;
  const lab = new IndexLab(SHOP, service('payments'), destinationRule('mesh', max(1), 'root'));
  const limit = (): unknown => lab.routes('payments')?.trafficPolicy.maxConnections;
  t.equal(limit(), 1);
  lab.apply(destinationRule('own', max(2)));
  t.equal(limit(), 2, "the service's own goes before the mesh's");
  lab.apply(destinationRule('foreign', max(3), 'bank'));
  t.equal(limit(), 2, 'another namespace has no say');
  t.match(said(lab, 'DestinationRule/bank/foreign'), [/rule of namespace bank has no effect/]);
  lab.apply(destinationRule('own', `{${host}, exportTo: [bank]}`));
  t.equal(limit(), 1);
  t.match(said(lab, 'DestinationRule/shop/own'), [/not exported to shop/]);
  t.end();
});

test('a DestinationRule that was never good and asks for TLS lets nothing pass in plaintext; one that goes bad stays as it was', t => {
  const secured = (more: string): string => `{host: payments, ${more}trafficPolicy: {tls: {mode: SIMPLE}}}`;
  const lab = new IndexLab(SHOP, service('payments'), destinationRule('it', secured('mispelt: 1, ')));
  const roots = (): unknown => lab.routes('payments')?.trafficPolicy.tls?.trustedRoots;
  const refused = {
    kind: 'unresolved',
    reason: /^DestinationRule shop\/it rejected: spec\.mispelt: is no field/,
  };
  t.match(roots(), refused);
  const key = 'DestinationRule/shop/it';
  t.match(said(lab, key), [
    /is no field/,
    /never valid: connections to shop\/payments.* are refused \(503\)/,
  ]);
  lab.apply(destinationRule('it', secured('')));
  t.same([roots(), said(lab, key)], [{ kind: 'system' }, []]);
  lab.apply(destinationRule('it', secured('mispelt: 1, ')));
  t.same(roots(), { kind: 'system' });
  lab.remove(destinationRule('it', '{}'));
  t.equal(roots(), undefined);
  lab.apply(
    destinationRule('plain', '{host: payments, mispelt: 1, trafficPolicy: {loadBalancer: {simple: RANDOM}}}'),
  );
  t.same(lab.routes('payments')?.trafficPolicy.tls, undefined);
  t.match(
    said(lab, 'DestinationRule/shop/plain'),
    [/is no field/],
    'without TLS it is as if it were not there',
  );
  t.end();
});

test('a DestinationRule that was never good and asks for TLS gives way as if it were good', t => {
  const bad = '{host: payments, mispelt: 1, trafficPolicy: {tls: {mode: SIMPLE}}}';
  const lab = new IndexLab(SHOP, service('payments'), destinationRule('b-bad', bad));
  lab.apply(destinationRule('c-good', '{host: payments, trafficPolicy: {tls: {mode: DISABLE}}}'));
  const kind = (): unknown => lab.routes('payments')?.trafficPolicy.tls?.trustedRoots.kind;
  t.equal(kind(), 'unresolved', 'one that is younger');
  lab.apply(destinationRule('a-good', '{host: payments, trafficPolicy: {loadBalancer: {simple: RANDOM}}}'));
  t.equal(kind(), undefined, 'to one that is older');
  t.match(said(lab, 'DestinationRule/shop/b-bad'), [/is no field/]);
  t.end();
});

const exportedBy = (word: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: root}
data: {mesh: '{defaultServiceExportTo: ["${word}"], defaultVirtualServiceExportTo: ["${word}"], defaultDestinationRuleExportTo: ["${word}"]}'}`;

test('a DestinationRule that was never good and asks for TLS is exported as one that is good', t => {
  const host = 'host: payments.shop.svc.cluster.local';
  const bad = (more = ''): string => `{${host}, ${more}mispelt: 1, trafficPolicy: {tls: {mode: SIMPLE}}}`;
  const lab = new IndexLab(SHOP, service('payments'), destinationRule('it', bad(), 'root'));
  const kind = (): unknown => lab.routes('payments')?.trafficPolicy.tls?.trustedRoots.kind;
  t.equal(kind(), 'unresolved', 'to all where nothing is said');
  lab.apply(exportedBy('.'));
  t.equal(kind(), undefined, 'to its own namespace where the configuration of the mesh says so');
  t.match(said(lab, 'DestinationRule/root/it'), [/is no field/, /not exported to shop/]);
  lab.apply(destinationRule('it', bad('exportTo: ["*"], '), 'root'));
  t.equal(kind(), 'unresolved', 'to whom it says itself');
  lab.apply(destinationRule('it', bad('exportTo: "*", '), 'root'));
  t.equal(kind(), 'unresolved', 'to all where whom it says cannot be read');
  lab.remove(destinationRule('it', bad(), 'root'));
  lab.apply(destinationRule('own', bad()));
  t.equal(kind(), 'unresolved', 'one of the namespace itself');
  t.end();
});

test('a DestinationRule may be for waypoints of its namespace by their labels, and goes before the others', t => {
  const mesh = SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}');
  const selecting = (labels: string, max: number): string =>
    `{host: payments.shop.svc.cluster.local, workloadSelector: {matchLabels: ${labels}}, trafficPolicy: {connectionPool: {tcp: {maxConnections: ${max}}}}}`;
  const lab = new IndexLab(mesh, WAYPOINT, service('payments'), destinationRule('all', '{host: payments}'));
  const limit = (): unknown => lab.routes('payments')?.trafficPolicy.maxConnections;
  lab.apply(destinationRule('one', selecting('{gateway.networking.k8s.io/gateway-name: waypoint}', 1)));
  t.equal(limit(), 1, 'before it has a pod');
  lab.apply(destinationRule('one', selecting('{gateway.networking.k8s.io/gateway-name: other}', 2)));
  t.equal(limit(), undefined);
  t.match(said(lab, 'DestinationRule/shop/one'), [/does not select the waypoint of shop\/payments/]);
  lab.apply(destinationRule('one', selecting('{tier: edge}', 3)));
  t.equal(limit(), undefined);
  lab.apply(pod('waypoint-0', { labels: '{gateway.networking.k8s.io/gateway-name: waypoint, tier: edge}' }));
  t.equal(limit(), 3, 'by labels of its pods');
  t.same(said(lab, 'DestinationRule/shop/one'), []);
  lab.apply(destinationRule('one', selecting('{}', 4)));
  t.equal(limit(), 4, 'without labels all of them');
  lab.apply(destinationRule('root', selecting('{}', 5), 'root'));
  t.equal(limit(), 4);
  t.match(
    said(lab, 'DestinationRule/root/root'),
    [/does not select the waypoint/],
    'not beyond its namespace',
  );
  t.end();
});

test('DestinationRules of one namespace: the one that names the service, and the subsets of all', t => {
  const lab = new IndexLab(
    SHOP,
    service('payments'),
    destinationRule(
      'all',
      '{host: "*.shop.svc.cluster.local", trafficPolicy: {loadBalancer: {simple: RANDOM}}}',
    ),
  );
  const balancer = (): unknown => lab.routes('payments')?.trafficPolicy.loadBalancer?.kind;
  t.equal(balancer(), 'random');
  lab.apply(
    destinationRule('a', '{host: payments, subsets: [{name: v1}]}'),
    destinationRule(
      'b',
      '{host: payments, subsets: [{name: v2}], trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}',
    ),
  );
  t.equal(balancer(), 'round_robin');
  t.same(
    lab.routes('payments')?.subsets.map(subset => subset.name),
    ['v1', 'v2'],
  );
  t.end();
});

test('tokens and providers reach the services whose policies they are for', t => {
  const security = (kind: string, name: string, spec: string): string => `
apiVersion: security.istio.io/v1
kind: ${kind}
metadata: {name: ${name}, namespace: shop}
spec: ${spec}`;
  const target = 'targetRefs: [{kind: Service, group: "", name: payments}]';
  const config = (service: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: root}
data:
  mesh: |
    extensionProviders:
      - name: opa
        envoyExtAuthzGrpc: {service: ${service}, port: 80}`;
  const lab = new IndexLab(
    SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}'),
    service('payments'),
    service('orders'),
    service('opa'),
    config('opa.shop.svc.cluster.local'),
    security('RequestAuthentication', 'users', `{${target}, jwtRules: [{issuer: https://a}]}`),
    security(
      'RequestAuthentication',
      'pods',
      '{selector: {matchLabels: {app: orders}}, jwtRules: [{issuer: https://b}]}',
    ),
    security('AuthorizationPolicy', 'ask', `{${target}, action: CUSTOM, provider: {name: opa}, rules: [{}]}`),
    pod('orders'),
  );
  const issuers = (of: string): unknown => lab.routes(of)?.tokenIssuers.map(({ issuer }) => issuer);
  const authorizers = (of: string): unknown => lab.routes(of)?.authorizers.map(one => one.service);
  t.same(issuers('payments'), ['https://a']);
  t.same(issuers('orders'), ['https://b'], 'by the labels of its endpoints');
  t.same(issuers('opa'), []);
  t.same(authorizers('payments'), ['shop/opa.shop.svc.cluster.local']);
  t.same(authorizers('orders'), [], 'no policy of it asks');
  t.equal(lab.policy('shop/ask'), undefined, 'ztunnels do not ask');
  lab.apply(config('orders.shop.svc.cluster.local'));
  t.same(authorizers('payments'), ['shop/orders.shop.svc.cluster.local']);
  lab.remove(config(''));
  t.same(authorizers('payments'), []);
  t.end();
});

test('hosts of a ServiceEntry are services, with endpoints of their own or by labels, and routes lead to them', t => {
  const entry = (name: string, spec: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
spec: ${spec}`;
  const api = entry(
    'api',
    '{hosts: [api.example.com], resolution: STATIC, ports: [{number: 80, name: http, targetPort: 8080}], endpoints: [{address: 192.0.2.7}]}',
  );
  const vms = entry(
    'vms',
    '{hosts: [vm.internal], resolution: STATIC, ports: [{number: 80, name: http}], workloadSelector: {labels: {app: vm}}}',
  );
  const route = virtualService(
    'to-api',
    '{hosts: [api.example.com], http: [{route: [{destination: {host: vm.internal}}]}]}',
  );
  const lab = new IndexLab(SHOP, api, vms, route, pod('vm', { ip: '10.0.0.9' }));
  const found = lab.resource('shop/api.example.com');
  t.match(found, { kind: 'service', service: { addresses: [{ ip: /^240\.240\./ }, { ip: /^2001:2::/ }] } });
  const endpoint = lab.resource('c/networking.istio.io/ServiceEntry/shop/api/0');
  t.match(endpoint, { kind: 'workload', workload: { addresses: ['192.0.2.7'], tunnelProtocol: 'none' } });
  const ports = (of: unknown, name: string): unknown =>
    of instanceof Object && 'workload' in of && of.workload instanceof Object && 'services' in of.workload
      ? of.workload.services instanceof Map && of.workload.services.get(name)
      : undefined;
  t.match(ports(endpoint, 'shop/api.example.com'), [{ servicePort: 80, targetPort: 8080 }]);
  t.match(lab.workload('vm')?.services.get('shop/vm.internal'), [{ servicePort: 80, targetPort: 80 }]);
  const backends = lab.routesOf('shop/api.example.com')?.rules[0]?.backends;
  t.match(backends, [{ service: 'shop/vm.internal', port: 80 }]);
  const both = '{hosts: [a.example.com, b.example.com], resolution: DNS, ports: [{number: 80, name: http}]';
  const edge = 'c/networking.istio.io/ServiceEntry/shop/dns/0';
  lab.apply(entry('dns', `${both}, endpoints: [{address: edge.example.com}]}`));
  t.match(ports(lab.resource(edge), 'shop/a.example.com'), [{ servicePort: 80 }], 'an endpoint by name');
  t.match(ports(lab.resource(edge), 'shop/b.example.com'), [{ servicePort: 80 }], 'is of every host');
  lab.apply(entry('dns', `${both}}`));
  const own = lab.resource('c/networking.istio.io/ServiceEntry/shop/dns/a.example.com');
  t.match(ports(own, 'shop/a.example.com'), [{ servicePort: 80 }]);
  t.equal(ports(own, 'shop/b.example.com'), undefined, 'a host that is its own is no other’s');
  lab.remove(api);
  t.equal(lab.resource('shop/api.example.com'), undefined);
  t.equal(lab.resource('c/networking.istio.io/ServiceEntry/shop/api/0'), undefined);
  t.equal(lab.routesOf('shop/api.example.com'), undefined);
  t.end();
});

test('routes of Gateway API are for hosts of a ServiceEntry as well, wildcards too, and lead there', t => {
  const mesh = SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}');
  const lab = new IndexLab(mesh, service('payments'));
  const route = (kind: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: outside, namespace: shop}
spec:
  parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: vendor}]
  ${kind === 'TLSRoute' ? 'hostnames: [a.vendor.test]' : ''}
  rules: [{backendRefs: [{group: networking.istio.io, kind: Hostname, name: "*.vendor.test", port: 443}]}]`;
  const http = route('HTTPRoute');
  lab.apply(http);
  t.equal(lab.routesOf('shop/*.vendor.test'), undefined, 'the entry is not there yet');
  t.match(said(lab, 'HTTPRoute/shop/outside').join(), /there is no ServiceEntry shop\/vendor/);
  lab.apply(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vendor, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
spec: {hosts: ["*.api.test", "*.vendor.test"], ports: [{number: 443, name: http}], resolution: DYNAMIC_DNS}`);
  const backends = [{ service: 'shop/*.vendor.test', port: 443 }];
  const rules = [{ name: 'HTTPRoute/shop/outside/0', backends }];
  t.match(lab.routesOf('shop/*.vendor.test'), { routed: true, endpointsByHost: true, rules });
  t.match(lab.routesOf('shop/*.api.test'), { rules }, 'each of its hosts');
  t.notMatch(said(lab, 'HTTPRoute/shop/outside').join(), /there is no/);
  lab.apply(route('TLSRoute'));
  t.match(lab.routesOf('shop/*.vendor.test'), { rules, streamRules: [] }, 'of two kinds the more specific');
  lab.remove(http);
  t.match(lab.routesOf('shop/*.vendor.test'), {
    rules: [],
    streamRules: [{ name: 'TLSRoute/shop/outside/0', protocol: 'tls', backends }],
  });
  t.end();
});

test('annotations of Linkerd on a Service and on a route', t => {
  const annotations = '{retry.linkerd.io/http: 5xx, balancer.linkerd.io/failure-accrual: consecutive}';
  const annotated = (yaml: string, on: string): string =>
    yaml.replace('namespace: shop', `namespace: shop, annotations: ${on}`);
  const mesh = SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}');
  const lab = new IndexLab(mesh, annotated(service('payments'), annotations));
  const found = (): unknown => lab.routes('payments');
  const accrual = { consecutiveFailures: 7, successRate: undefined };
  t.match(found(), {
    routed: false,
    rules: [{ name: 'Service/shop/payments', ports: [80], retry: { on: ['5xx'] } }],
    trafficPolicy: { failureAccrual: accrual },
  });
  lab.apply(annotated(HTTP_ROUTE, '{timeout.linkerd.io/request: 2s, retry.linkerd.io/http: magic}'));
  t.match(found(), {
    rules: [{ name: 'HTTPRoute/shop/route/0', retry: undefined, timeouts: { requestMs: 2000 } }],
  });
  t.match(said(lab, 'HTTPRoute/shop/route'), [/"magic" is nothing to retry on/]);
  lab.apply(destinationRule('dr', '{host: payments, trafficPolicy: {outlierDetection: {}}}'));
  t.match(found(), { trafficPolicy: { failureAccrual: undefined, outlierDetection: {} } });
  const ofService = said(lab, 'Service/shop/payments');
  t.ok(ofService.some(text => /a DestinationRule sets outlierDetection/.test(text)));
  t.ok(ofService.includes('has no effect: the service has routes'));
  t.end();
});

test('penalties for failures by annotation of Linkerd: of a service that is balanced by latency', t => {
  const annotated = (more = ''): string =>
    service('payments').replace(
      'namespace: shop',
      `namespace: shop, annotations: {balancer.alpha.linkerd.io/penalize-failures: "true"${more}}`,
    );
  const mesh = SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}');
  const penalty = { penaltyMs: 5_000, maxRetryAfterMs: 300_000 };
  const lab = new IndexLab(mesh, annotated());
  const balancer = (): unknown => lab.routes('payments')?.trafficPolicy.loadBalancer;
  t.same(balancer(), { kind: 'peak_ewma', penalty }, 'as in Linkerd, which has no other balancer');
  lab.apply(annotated(', ambient.mesh/load-balancer: peak-ewma'));
  t.same(balancer(), { kind: 'peak_ewma', penalty }, 'also where it is asked for');
  const ofService = (): string => said(lab, 'Service/shop/payments').join();
  t.notMatch(ofService(), /no effect/);
  lab.apply(annotated(', ambient.mesh/load-balancer: random'));
  t.same(balancer(), { kind: 'random' });
  t.match(ofService(), /no effect where the load balancer is random/);
  lab.apply(annotated());
  const subset =
    '{name: v1, labels: {}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}, connectionPool: {tcp: {maxConnections: 5}}}}';
  const portLevel = '[{port: {number: 80}, connectionPool: {tcp: {maxConnections: 9}}}]';
  lab.apply(
    destinationRule(
      'dr',
      `{host: payments, trafficPolicy: {portLevelSettings: ${portLevel}}, subsets: [${subset}]}`,
    ),
  );
  t.match(lab.routes('payments'), {
    trafficPolicy: { loadBalancer: { kind: 'peak_ewma', penalty } },
    portPolicies: [{ port: 80, policy: { maxConnections: 9, loadBalancer: { kind: 'peak_ewma', penalty } } }],
    subsets: [{ trafficPolicy: { loadBalancer: { kind: 'round_robin' } } }],
  });
  t.match(ofService(), /no effect where the load balancer is round_robin/);
  t.end();
});

const HEDGED: readonly (readonly [string, string, string, hedge: string | undefined, RegExp | undefined])[] =
  [
    [
      'a rule with both timeouts',
      'on-try-timeout',
      '{request: 1s, backendRequest: 100ms}',
      'on_try_timeout',
      undefined,
    ],
    [
      'a rule without a timeout of one try',
      'on-try-timeout',
      '{request: 1s}',
      undefined,
      /rule HTTPRoute\/shop\/route\/0: one try has no timeout/,
    ],
    ['a rule without timeouts', 'on-try-timeout', '{}', undefined, /one try has no timeout/],
    [
      'a rule whose request has no timeout',
      'on-try-timeout',
      '{backendRequest: 100ms}',
      undefined,
      /the request has no timeout/,
    ],
    [
      'a try that may take all of the time',
      'on-try-timeout',
      '{request: 1s, backendRequest: 1s}',
      undefined,
      /one try may take as long as the request/,
    ],
    ['another word', 'always', '{request: 1s, backendRequest: 100ms}', undefined, /is no way to hedge/],
  ];

test('an HTTPRoute is hedged by its annotation', t => {
  for (const [name, word, timeouts, hedge, expected] of HEDGED) {
    const route = HTTP_ROUTE.replace(
      'namespace: shop',
      `namespace: shop, annotations: {ambient.mesh/hedge: ${word}}`,
    );
    const lab = new IndexLab(
      SHOP,
      service('payments'),
      route.replace('backendRefs', `timeouts: ${timeouts}, backendRefs`),
    );
    const rule = lab.routes('payments')?.rules[0];
    t.equal(rule?.hedge, hedge, name);
    if (expected === undefined) t.same(said(lab, 'HTTPRoute/shop/route'), [], name);
    else t.match(said(lab, 'HTTPRoute/shop/route'), [expected], name);
  }
  t.end();
});

test('a VirtualService is hedged by its annotation, where it retries', t => {
  const hedged = (spec: string): string =>
    virtualService('vs', spec).replace(
      'namespace: shop',
      'namespace: shop, annotations: {ambient.mesh/hedge: on-try-timeout}',
    );
  const http = (retries: string): string =>
    `{hosts: [payments], http: [{timeout: 2s, retries: ${retries}, route: [{destination: {host: payments}}]}]}`;
  const lab = new IndexLab(SHOP, service('payments'), hedged(http('{attempts: 2, perTryTimeout: 100ms}')));
  t.equal(lab.routes('payments')?.rules[0]?.hedge, 'on_try_timeout');
  t.same(said(lab, 'VirtualService/shop/vs'), []);
  lab.apply(hedged(http('{attempts: 0}')));
  t.equal(lab.routes('payments')?.rules[0]?.hedge, undefined);
  t.match(said(lab, 'VirtualService/shop/vs'), [/it has no retries/]);
  t.end();
});

const HEDGED_SERVICE = `{ambient.mesh/hedge: on-try-timeout, retry.linkerd.io/http: 5xx, retry.linkerd.io/timeout: 100ms,
  timeout.linkerd.io/request: 2s}`;

test('a Service is hedged by its annotation, for requests without a route of their own', t => {
  const annotated = (annotations: string): string =>
    service('payments').replace('namespace: shop', `namespace: shop, annotations: ${annotations}`);
  const mesh = SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}');
  const lab = new IndexLab(mesh, annotated(HEDGED_SERVICE));
  const key = 'Service/shop/payments';
  const hedging = (): unknown => said(lab, key).filter(message => !message.startsWith('WaypointIsNotReady'));
  t.match(lab.routes('payments')?.rules, [{ name: key, hedge: 'on_try_timeout' }]);
  t.same(hedging(), []);
  lab.apply(annotated('{ambient.mesh/hedge: on-try-timeout}'));
  t.same(lab.routes('payments')?.rules, [], 'nothing else is said of it: the rule of the waypoint holds');
  t.match(hedging(), [/no effect on rule Service\/shop\/payments: one try has no timeout/]);
  lab.apply(annotated('{ambient.mesh/hedge: always}'));
  t.match(hedging(), [/is no way to hedge/]);
  t.end();
});

test('the annotation on a Service says nothing of its routes', t => {
  const annotated = service('payments').replace(
    'namespace: shop',
    `namespace: shop, annotations: ${HEDGED_SERVICE}`,
  );
  const profile = `
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: payments.shop.svc.cluster.local, namespace: shop}
spec: {routes: [{name: pay, condition: {pathRegex: /pay}, isRetryable: true, timeout: 2s}]}`;
  for (const routes of [HTTP_ROUTE, profile]) {
    const lab = new IndexLab(SHOP, annotated, routes);
    t.ok(lab.routes('payments')?.rules.every(({ hedge }) => hedge === undefined));
    t.match(said(lab, 'Service/shop/payments'), [/no effect: the service has routes/]);
  }
  t.end();
});

test('a ServiceProfile of a client’s namespace is for callers from there', t => {
  const profile = (namespace: string): string => `
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: payments.shop.svc.cluster.local, namespace: ${namespace}}
spec: {routes: [{name: pay, condition: {pathRegex: /pay}}]}`;
  const lab = new IndexLab(SHOP, service('payments'), profile('bank'), profile('shop'));
  t.same(
    lab
      .routes('payments')
      ?.rules.map(rule => [rule.name.split('/')[1], rule.name.split('/').at(-1), rule.consumer]),
    [
      ['bank', 'pay', 'bank'],
      ['bank', '[DEFAULT]', 'bank'],
      ['shop', 'pay', undefined],
      ['shop', '[DEFAULT]', undefined],
    ],
  );
  t.end();
});

test('opaque ports of Linkerd: of a Service, of its namespace, of its ServiceProfile', t => {
  const profile = (namespace: string): string => `
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: payments.shop.svc.cluster.local, namespace: ${namespace}}
spec: {opaquePorts: ["80"]}`;
  const annotated = (value: string): string =>
    service('payments').replace(
      'namespace: shop',
      `namespace: shop, annotations: {config.linkerd.io/opaque-ports: "${value}"}`,
    );
  const lab = new IndexLab(SHOP, service('payments'));
  const protocol = (): unknown => {
    const found = lab.resource('shop/payments.shop.svc.cluster.local');
    return found?.kind === 'service' && found.service.ports[0]?.appProtocol;
  };
  const plain = protocol();
  t.not(plain, 'tcp');
  lab.apply(profile('shop'));
  t.equal(protocol(), 'tcp');
  lab.remove(profile('shop'));
  t.equal(protocol(), plain);
  lab.apply(profile('bank'));
  t.equal(protocol(), plain);
  t.match(said(lab, 'ServiceProfile/bank/payments.shop.svc.cluster.local'), [/for callers of bank alone/]);
  lab.apply(annotated('80'));
  t.equal(protocol(), 'tcp');
  lab.apply(annotated('3306, a_b'));
  t.equal(protocol(), plain);
  const about = said(lab, 'Service/shop/payments').join();
  t.match(about, /holds a_b, which is no port/);
  t.match(about, /the Service has none of these ports/);
  lab.apply(service('payments'));
  const namespace =
    '{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {config.linkerd.io/opaque-ports: 1-100}}}';
  lab.apply(namespace);
  t.equal(protocol(), 'tcp', 'of the namespace');
  lab.apply(annotated('3306'));
  t.equal(protocol(), plain, 'the Service says otherwise');
  t.end();
});

test('Consul: routes, subsets and failover of a service', t => {
  const consul = (kind: string, name: string, spec: string): string => `
apiVersion: consul.hashicorp.com/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: shop}
spec: ${spec}`;
  const resolver = consul(
    'ServiceResolver',
    'payments',
    `{defaultSubset: v1, connectTimeout: 2s, subsets: {v1: {filter: 'Service.Meta.version == v1'}},
      failover: {v1: {service: orders}, "*": {targets: [{service: orders}]}}}`,
  );
  const v1 = pod('one', { labels: '{app: payments, version: v1}' });
  const lab = new IndexLab(SHOP, service('payments'), service('orders'), resolver, v1);
  const failover = [{ service: 'shop/orders.shop.svc.cluster.local', subset: undefined }];
  t.match(lab.routes('payments'), {
    rules: [{ name: 'ServiceResolver/shop/payments/0', backends: [{ subset: 'v1' }] }],
    subsets: [
      { name: 'v1', workloads: ['c//Pod/shop/one'], trafficPolicy: { connectTimeoutMs: 2000, failover } },
    ],
    trafficPolicy: { connectTimeoutMs: 2000, failover },
  });
  lab.apply(
    consul(
      'ServiceRouter',
      'payments',
      '{routes: [{match: {http: {pathPrefix: /x}}, destination: {service: orders}}]}',
    ),
  );
  t.same(names(lab), ['ServiceRouter/shop/payments/0', 'ServiceRouter/shop/payments/1']);
  const ofResolver = { subsets: [{ name: 'v1' }], trafficPolicy: { connectTimeoutMs: 2000 } };
  for (const more of ['', ', trafficPolicy: {tls: {mode: SIMPLE}, misspelt: 1}']) {
    const spec = `{host: payments.shop.svc.cluster.local${more}}`;
    const foreign = destinationRule('dr', spec, 'stranger');
    lab.apply(foreign);
    t.match(lab.routes('payments'), ofResolver, `whoever has another namespace takes nothing away${more}`);
    t.same(said(lab, 'ServiceResolver/shop/payments'), []);
    lab.remove(foreign);
  }
  lab.apply(destinationRule('dr', '{host: payments}'));
  t.match(lab.routes('payments'), { subsets: [], trafficPolicy: { connectTimeoutMs: undefined } });
  t.match(said(lab, 'ServiceResolver/shop/payments'), [/a DestinationRule is for the same service/]);
  t.end();
});

test('Consul: subsets go by the metadata that annotations say, and by labels for what they leave out', t => {
  const resolver = `
apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceResolver
metadata: {name: payments, namespace: shop}
spec: {subsets: {v1: {filter: 'Service.Meta.version == v1'}, a: {filter: 'Service.Meta.version == v1 and Service.Meta.track == a'}}}`;
  const meta = (version: string): string => `{consul.hashicorp.com/service-meta-version: ${version}}`;
  const lab = new IndexLab(
    SHOP,
    service('payments'),
    resolver,
    pod('annotated', { labels: '{app: payments, track: a}', annotations: meta('v1') }),
    pod('labelled', { labels: '{app: payments, version: v1}', ip: '10.0.0.2' }),
    pod('both', { labels: '{app: payments, version: v1}', annotations: meta('v2'), ip: '10.0.0.3' }),
  );
  const members = (): unknown =>
    lab.routes('payments')?.subsets.map(({ workloads }) => [...workloads].sort());
  const [annotated, labelled] = ['c//Pod/shop/annotated', 'c//Pod/shop/labelled'];
  t.same(members(), [[annotated, labelled], [annotated]]);
  lab.apply(pod('annotated', { labels: '{app: payments, track: a}', annotations: meta('v2') }));
  t.same(members(), [[labelled], []]);
  t.end();
});

const LIMITED = `{ambient.mesh/rate-limit: "local: {requestsPerSecond: 5}"}`;

test('rate limits by annotation: of each rule of a route, of a Service for requests without a route', t => {
  const annotated = (yaml: string): string =>
    yaml.replace('namespace: shop', `namespace: shop, annotations: ${LIMITED}`);
  const mesh = SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}');
  const limits = (lab: IndexLab): unknown =>
    lab.routes('payments')?.rules.map(({ filters }) => filters.at(-1)?.kind);
  const route = new IndexLab(mesh, service('payments'), annotated(HTTP_ROUTE));
  t.same(limits(route), ['local_rate_limit'], 'HTTPRoute');
  const http = '{hosts: [payments], http: [{route: [{destination: {host: payments}}]}]}';
  const istio = new IndexLab(mesh, service('payments'), annotated(virtualService('vs', http)));
  t.same(limits(istio), ['local_rate_limit'], 'VirtualService');
  const own = new IndexLab(mesh, annotated(service('payments')));
  t.same(limits(own), ['local_rate_limit'], 'Service');
  own.apply(HTTP_ROUTE);
  t.same(limits(own), [undefined], 'not of its routes');
  t.ok(said(own, 'Service/shop/payments').includes('has no effect: the service has routes'), 'which is said');
  t.end();
});

test('the load balancer of a Service by annotation, where nothing else names one', t => {
  const annotated = (kind: string): string =>
    service('payments').replace(
      'namespace: shop',
      `namespace: shop, annotations: {ambient.mesh/load-balancer: ${kind}}`,
    );
  const mesh = SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}');
  const lab = new IndexLab(mesh, annotated('peak-ewma'));
  const balancer = (): unknown => lab.routes('payments')?.trafficPolicy.loadBalancer;
  const byLatency = { kind: 'peak_ewma', penalty: undefined };
  t.same(balancer(), byLatency);
  lab.apply(destinationRule('dr', '{host: payments, trafficPolicy: {outlierDetection: {}}}'));
  t.same(balancer(), byLatency, 'beside other settings');
  lab.apply(destinationRule('dr', '{host: payments, trafficPolicy: {loadBalancer: {simple: RANDOM}}}'));
  t.same(balancer(), { kind: 'random' });
  const ofService = (): string => said(lab, 'Service/shop/payments').join();
  t.match(ofService(), /no effect: a DestinationRule or ServiceResolver of the service says random/);
  lab.apply(annotated('fastest'));
  t.match(ofService(), /is no load balancer/);
  t.end();
});

test('a wildcard host of a ServiceEntry is a service that routes may be for and lead to, and a DestinationRule too', t => {
  const entry = (labels: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vendor, namespace: shop, labels: ${labels}}
spec: {hosts: ["*.example.com"], resolution: DYNAMIC_DNS, ports: [{number: 80, name: http}]}`;
  const key = 'shop/*.example.com';
  const lab = new IndexLab(SHOP, WAYPOINT, service('payments'), entry('{istio.io/use-waypoint: waypoint}'));
  t.match(lab.resource(key), {
    service: { hostname: '*.example.com', addresses: [{ ip: /^240\.240\./ }, {}] },
  });
  t.match(lab.routesOf(key), { endpointsByHost: true, routed: false, rules: [] });
  lab.apply(
    virtualService('to', '{hosts: [payments], http: [{route: [{destination: {host: "*.example.com"}}]}]}'),
    virtualService(
      'for',
      '{hosts: ["*.example.com"], http: [{route: [{destination: {host: "*.example.com"}}]}]}',
    ),
    `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: tls, namespace: shop}
spec: {host: "*.example.com", trafficPolicy: {tls: {mode: SIMPLE}}}`,
  );
  t.match(lab.routes('payments')?.rules, [{ backends: [{ service: key, port: 80 }] }]);
  t.match(lab.routesOf(key), {
    rules: [{ name: 'VirtualService/shop/for/0', backends: [{ service: key }] }],
    trafficPolicy: { tls: { mode: 'simple' } },
    endpointsByHost: true,
  });
  t.same(said(lab, 'ServiceEntry/shop/vendor'), []);
  lab.apply(
    virtualService('one', '{hosts: [api.example.com], http: [{route: [{destination: {host: payments}}]}]}'),
  );
  const one = lab.index.statuses().find(status => status.key === 'VirtualService/shop/one')?.diagnostics;
  t.match(one, [
    { message: /there is no service api.example.com/, fix: /write \*.example.com, which it is under/ },
  ]);
  lab.apply(entry('{istio.io/use-waypoint: none}'));
  t.match(said(lab, 'ServiceEntry/shop/vendor'), [/found by a waypoint, and the entry uses none/]);
  t.match(lab.routesOf(key), { endpointsByHost: true }, 'waypoints of other services may lead there');
  t.end();
});

test('a ServiceEntry is known in the namespaces it is exported to', t => {
  const lab = new IndexLab(
    SHOP,
    `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec: {hosts: [api.test], exportTo: [., bank], addresses: [192.0.2.1], resolution: STATIC, endpoints: [{address: 198.51.100.1}], ports: [{number: 443, name: tls}]}`,
  );
  t.match(lab.resource('shop/api.test'), { service: { visibility: ['shop', 'bank'] } });
  t.end();
});

test('two namespaces may have an entry for one host each, and routes of their own', t => {
  const entry = (namespace: string, exportTo: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: ${namespace}, labels: {istio.io/use-waypoint: waypoint}}
spec: {hosts: [api.test], exportTo: [${exportTo}], resolution: DNS, ports: [{number: 80, name: http}]}`;
  const route = (namespace: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: to-api, namespace: ${namespace}}
spec: {hosts: [api.test], http: [{timeout: 1s, route: [{destination: {host: api.test}}]}]}`;
  const rule = (namespace: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: ${namespace}}
spec: {host: api.test, trafficPolicy: {connectionPool: {tcp: {maxConnections: ${namespace === 'bank' ? 7 : 8}}}}}`;
  const of = (namespace: string, kind: string): string => `${kind}/${namespace}/to-api`;
  const waypointOf = (namespace: string): string =>
    WAYPOINT.replace('namespace: shop', `namespace: ${namespace}`);
  const lab = new IndexLab(SHOP, WAYPOINT, waypointOf('bank'), entry('bank', '.'), entry('shop', '.'));
  lab.apply(route('bank'), rule('bank'), route('shop'), rule('shop'), route('books'));
  for (const [namespace, maxConnections] of [
    ['bank', 7],
    ['shop', 8],
  ] as const) {
    const backends = [{ service: `${namespace}/api.test` }];
    t.match(lab.routesOf(`${namespace}/api.test`), {
      rules: [{ backends }],
      trafficPolicy: { maxConnections },
    });
    t.same(said(lab, of(namespace, 'VirtualService')), [], namespace);
  }
  lab.apply(entry('shop', 'shop, books'));
  lab.remove(entry('bank', '.'));
  t.match(lab.routesOf('shop/api.test'), { trafficPolicy: { maxConnections: 8 } });
  t.end();
});

test('of several entries for one host that are not its own a route is for the first by name, whichever came first', t => {
  const entry = (namespace: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: ${namespace}, labels: {istio.io/use-waypoint: waypoint, istio.io/use-waypoint-namespace: shop}}
spec: {hosts: [api.test], resolution: DNS, ports: [{number: 80, name: http}]}`;
  const route = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: to-api, namespace: books}
spec: {hosts: [api.test], http: [{timeout: 1s, route: [{destination: {host: api.test}}]}]}`;
  for (const order of [
    ['bank', 'shop'],
    ['shop', 'bank'],
  ]) {
    const lab = new IndexLab(SHOP, WAYPOINT, ...order.map(entry), route);
    const rules = [{ backends: [{ service: 'bank/api.test' }] }];
    t.match(lab.routesOf('bank/api.test'), { rules }, order.join(', '));
  }
  t.end();
});

test('objects without exportTo are exported as the configuration of the mesh says', t => {
  const entry = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec: {hosts: [api.test], resolution: DNS, ports: [{number: 80, name: http}]}`;
  const foreign = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: foreign, namespace: bank}
spec: {hosts: [payments.shop.svc.cluster.local], http: [{route: [{destination: {host: payments.shop.svc.cluster.local}}]}]}`;
  const hidden =
    '{host: payments.shop.svc.cluster.local, trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}}}';
  const meant = (lab: IndexLab): readonly unknown[] => [
    lab.resource('shop/api.test'),
    lab.routes('payments')?.rules[0]?.callers,
    lab.routes('payments')?.trafficPolicy.maxConnections,
  ];
  const objects = [service('payments'), entry, foreign, destinationRule('it', hidden, 'root')];
  const [all, own, none] = [
    [{ service: { visibility: 'public' } }, [], 7],
    [{ service: { visibility: 'namespace' } }, ['bank'], undefined],
    [{ service: { visibility: ['~'] } }, ['~'], undefined],
  ];
  const lab = new IndexLab(SHOP, ...objects);
  t.match(meant(lab), all, 'to all where it says nothing');
  lab.apply(exportedBy('.'));
  t.match(meant(lab), own, 'a change of it reaches objects that are there');
  lab.apply(exportedBy('~'));
  t.match(meant(lab), none);
  t.match(meant(new IndexLab(SHOP, exportedBy('.'), ...objects)), own, 'and those that come later');
  lab.apply(exportedBy('bank'));
  t.match(meant(lab), own, 'what it cannot say is no less than the strictest of use');
  t.match(said(lab, 'ConfigMap/root/istio'), [/not one of/, /not one of/, /not one of/]);
  lab.remove(exportedBy('.'));
  t.match(meant(lab), all);
  t.end();
});

test('a Service is known everywhere, and an annotation that says otherwise is told so', t => {
  const annotated = (value: string): string =>
    service('payments').replace(
      'namespace: shop',
      `namespace: shop, annotations: {networking.istio.io/exportTo: "${value}"}`,
    );
  const lab = new IndexLab(SHOP, annotated('.'));
  t.match(lab.resource('shop/payments.shop.svc.cluster.local'), { service: { visibility: 'public' } });
  t.match(said(lab, 'Service/shop/payments'), [/would pass by its waypoint/]);
  lab.apply(annotated('*'));
  t.same(said(lab, 'Service/shop/payments'), []);
  t.end();
});

test('a range of addresses leads to a host of a ServiceEntry', t => {
  const lab = new IndexLab(
    SHOP,
    `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: cloud, namespace: shop}
spec: {hosts: ["*.cloud.test"], addresses: [203.0.113.0/24, 192.0.2.1], ports: [{number: 443, name: tls}]}`,
  );
  t.match(lab.resource('shop/*.cloud.test'), {
    service: {
      addresses: [
        { ip: '192.0.2.1', prefixLength: undefined },
        { ip: '203.0.113.0', prefixLength: 24 },
      ],
      loadBalancing: { mode: 'passthrough' },
    },
  });
  t.end();
});
