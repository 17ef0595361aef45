import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { serviceRuleset } from '../network/service-rules.ts';
import { serviceAddresses } from '../network/address-plan.ts';
import { endpointSlices, isManagedSlice } from './endpoint-slices.ts';
import { hostsFile } from './hosts-file.ts';
import { child, children } from '#shared/config/json-fields.ts';
import { labels, type ObjectRef, parseManifest } from './kube-object.ts';
import { ObjectStore } from './object-store.ts';
import { podSpec, runsTheSame } from './pod-spec.ts';
import { isReportedReady, withPodStatus } from './pod-status.ts';
import { allocateClusterIps, type ServiceSpec, serviceSpec } from './service-spec.ts';
import { isWaypointGateway, isWaypointObject, waypointObjects } from './waypoint-objects.ts';

const SHOP = readFileSync(new URL('../../../examples/shop/manifests/00-shop.yaml', import.meta.url), 'utf8');

function one(text: string) {
  const [object] = parseManifest(text, 'test');
  if (object === undefined) throw new Error('no object');
  return object;
}

const describeRef = ({ kind, namespace, name }: ObjectRef): string =>
  `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`;

test('manifests', async t => {
  const objects = parseManifest(SHOP, 'shop');
  t.match(objects.map(describeRef), ['Namespace shop', 'Namespace legacy', 'ServiceAccount shop/frontend']);
  t.equal(one('{apiVersion: v1, kind: Pod, metadata: {name: a}}').namespace, 'default');
  t.same(parseManifest('---\n---\n', 'empty'), []);
  for (const [sentence, text, message] of [
    ['broken YAML is named', 'a: [', /^test: /],
    ['a list is no object', '[]', 'test, document 1: not an object'],
    ['apiVersion is needed', 'kind: Pod', 'test, document 1: apiVersion is missing'],
    ['kind is needed', '{apiVersion: v1, kind: ../x}', 'test, document 1: kind is missing or not a kind'],
    [
      'a name cannot leave the directory',
      '{apiVersion: v1, kind: Pod, metadata: {name: ../x}}',
      'test, document 1: metadata.name is missing or not a name',
    ],
    [
      'nor can a namespace',
      '{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: a/b}}',
      'test, document 1: metadata.namespace is not a name',
    ],
  ] as const) {
    t.throws(() => parseManifest(text, 'test'), { message }, sentence);
  }
});

test('the store', async t => {
  const root = mkdtempSync(join(tmpdir(), 'store-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const [directory, staging] = [join(root, 'objects'), join(root, 'staging')];
  let now = Date.UTC(2026, 0, 1);
  const store = new ObjectStore(directory, staging, () => now);
  const service = one(
    '{apiVersion: v1, kind: Service, metadata: {name: a, namespace: x}, spec: {ports: []}}',
  );
  store.apply(service);
  t.same(readdirSync(directory), ['service_x_a.yaml'], 'one file an object');
  t.same(readdirSync(staging), []);

  const other = new ObjectStore(directory, staging);
  other.refresh();
  for (const changed of allocateClusterIps(other.list('Service'), serviceAddresses)) other.put(changed);
  store.apply(service);
  t.match(
    store.get(service)?.body,
    { spec: { clusterIP: '10.96.0.10' } },
    'applying again keeps what the cluster wrote',
  );

  t.equal(store.apply(service), 1, 'what has not changed keeps its generation');
  const changed = one(
    '{apiVersion: v1, kind: Service, metadata: {name: a, namespace: x}, spec: {ports: [{port: 82}]}}',
  );
  now += 1_000;
  t.equal(store.apply(changed), 2, 'what has changed gets another one');
  const { metadata } = store.get(service)?.body ?? {};
  t.match(metadata, { creationTimestamp: '2026-01-01T00:00:00.000Z' }, 'and keeps its age');

  const file = join(directory, 'service_x_a.yaml');
  writeFileSync(file, 'kind: [');
  t.match(other.refresh(), [/service_x_a/], 'a damaged file is reported');
  t.ok(other.get(service), 'and its last good object stays');
  t.equal(other.remove(service), true);
  t.equal(other.remove(service), false);
  t.same(store.refresh(), []);
  t.equal(store.get(service), undefined, 'another process sees it');
});

test('pods', async t => {
  const orders = parseManifest(SHOP, 'shop').find(o => o.kind === 'Pod' && o.name === 'orders-0');
  const spec = podSpec(orders ?? one(''));
  t.match(spec, {
    nodeName: 'node-b',
    serviceAccount: 'orders',
    command: ['node', 'examples/shop/orders.ts'],
    env: { SERVICE: 'orders' },
    ports: [8080],
  });
  t.ok(runsTheSame(spec, { ...spec, labels: {} }), 'labels do not restart a pod');
  t.notOk(runsTheSame(spec, { ...spec, env: {} }), 'its environment does');
  const none = one('{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{image: x}]}}');
  t.throws(() => podSpec(none), { message: /needs a command; images are not run here/ });

  const facts = {
    uid: 'u',
    nodeName: 'n',
    podIps: ['10.0.0.1'],
    hostIp: '172.18.0.11',
    ready: true,
    captured: true,
  };
  const running = withPodStatus(none, facts);
  t.match(running.body, {
    metadata: { uid: 'u', annotations: { 'ambient.istio.io/redirection': 'enabled' } },
    status: { podIP: '10.0.0.1' },
  });
  t.ok(isReportedReady(running));
  const left = withPodStatus(running, { ...facts, captured: false, ready: false });
  t.same(
    child(child(left.body, 'metadata'), 'annotations'),
    {},
    'a pod that left the mesh loses the annotation',
  );
  t.notOk(isReportedReady(left));
});

test('services and endpoints', async t => {
  const text = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: x}, spec: {selector: {app: web}, ipFamilies: [IPv4, IPv6], ports: [{port: 80, targetPort: 8080, appProtocol: http}]}}`;
  const headless = one(
    '{apiVersion: v1, kind: Service, metadata: {name: h, namespace: x}, spec: {clusterIP: None}}',
  );
  const [allocated, ...others] = allocateClusterIps([headless, one(text)], serviceAddresses);
  t.same(others, [], 'a headless service gets no address');
  const service = serviceSpec(allocated ?? headless);
  t.same(service.clusterIps, ['10.96.0.10', 'fd00:10:96::a']);
  t.same(serviceSpec(headless).clusterIps, []);

  const pod = {
    name: 'p',
    namespace: 'x',
    labels: { app: 'web' },
    nodeName: 'n',
    ips: ['10.244.1.2', 'fd00::2'],
    ready: true,
    namedPorts: {},
  };
  const slices = endpointSlices(
    [service],
    [pod, { ...pod, namespace: 'y' }, { ...pod, labels: {} }, { ...pod, name: 'q', ready: false }],
  );
  t.equal(slices.length, 2, 'one slice a family');
  t.match(slices[0]?.body, {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.1.2'], conditions: { ready: true } }, { conditions: { ready: false } }],
    ports: [{ port: 8080, appProtocol: 'http' }],
  });
  t.match(slices[1]?.body, { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::2'] }, {}] });

  t.equal(hostsFile('y', [service]).split('\n')[2], '10.96.0.10 web.x web.x.svc web.x.svc.cluster.local');
  t.equal(
    hostsFile('x', [service]).split('\n')[3],
    'fd00:10:96::a web web.x web.x.svc web.x.svc.cluster.local',
  );
});

test('a port by its name: what each pod gives that name to; none, and the pod is no endpoint for it', async t => {
  const service = serviceSpec(
    one(
      '{apiVersion: v1, kind: Service, metadata: {name: web, namespace: x}, spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}, {name: admin, port: 81, targetPort: 9000}]}}',
    ),
  );
  const { namedPorts } = podSpec(
    one(
      '{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{command: [run], ports: [{name: web, containerPort: 8080}, {containerPort: 1}]}]}}',
    ),
  );
  t.strictSame(namedPorts, { web: 8080 });
  const pod = {
    name: 'p',
    namespace: 'x',
    labels: { app: 'web' },
    nodeName: 'n',
    ips: ['10.244.1.2'],
    ready: true,
    namedPorts,
  };
  const slices = endpointSlices(
    [service],
    [
      pod,
      { ...pod, name: 'q', ips: ['10.244.1.3'], namedPorts: { web: 8081 } },
      { ...pod, name: 'r', ips: ['10.244.1.4'] },
      { ...pod, name: 's', ips: ['10.244.1.5'], namedPorts: {} },
    ],
  );
  t.strictSame(
    slices.map(({ name, body }) => [
      name,
      children(body, 'endpoints').flatMap(endpoint => endpoint['addresses']),
      children(body, 'ports').map(port => port['port']),
    ]),
    [
      ['web-playground-ipv4', ['10.244.1.2', '10.244.1.4'], [8080, 9000]],
      ['web-2-playground-ipv4', ['10.244.1.3'], [8081, 9000]],
      ['web-3-playground-ipv4', ['10.244.1.5'], [9000]],
    ],
  );
  t.ok(slices.every(isManagedSlice));
});

test('rules for services', async t => {
  const rules = serviceRuleset([
    {
      clusterIp: '10.96.0.10',
      port: 80,
      endpoints: [
        { ip: '10.244.1.2', port: 8080 },
        { ip: '10.244.2.2', port: 8080 },
      ],
    },
    { clusterIp: 'fd00:10:96::a', port: 80, endpoints: [{ ip: 'fd00::2', port: 8080 }] },
    { clusterIp: '10.96.0.11', port: 81, endpoints: [] },
  ]);
  for (const line of [
    'ip daddr 10.96.0.10 tcp dport 80 dnat ip to numgen random mod 2 map { 0 : 10.244.1.2 . 8080, 1 : 10.244.2.2 . 8080 }',
    'ip6 daddr fd00:10:96::a tcp dport 80 dnat ip6 to [fd00::2]:8080',
    'ip daddr 10.96.0.11 tcp dport 81 reject with tcp reset',
    'ip saddr 10.244.1.2 ip daddr 10.244.1.2 masquerade',
  ]) {
    t.match(rules, line);
  }
});

test('waypoints', async t => {
  const gateways = parseManifest(SHOP, 'shop').filter(o => o.kind === 'Gateway');
  t.same(gateways.map(isWaypointGateway), [true]);
  const made = gateways.flatMap(gateway => waypointObjects(gateway, 'node-a'));
  t.same(made.map(describeRef), [
    'ServiceAccount shop/waypoint',
    'Pod shop/waypoint-0',
    'Service shop/waypoint',
  ]);
  t.ok(made.every(isWaypointObject));
  const [, pod, service] = made;
  const selector = serviceSpec(service ?? one('')).selector;
  t.match(labels(pod ?? one('')), selector, 'the service selects the pod');
  t.equal(labels(pod ?? one(''))['istio.io/dataplane-mode'], 'none', 'a waypoint is not captured itself');
  const other = one('{apiVersion: v1, kind: Gateway, metadata: {name: in}, spec: {gatewayClassName: nginx}}');
  t.equal(isWaypointGateway(other), false);
});

test('specs of services keep what the wire needs', async t => {
  const spec: ServiceSpec = serviceSpec(
    one('{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 53, protocol: UDP}]}}'),
  );
  t.same(spec.ports, [{ name: '', port: 53, targetPort: 53, protocol: 'UDP', appProtocol: undefined }]);
});

test('a service that is wrong leaves the rules of the others alone', async t => {
  const good = { clusterIp: '10.96.0.10', port: 80, endpoints: [{ ip: '10.244.1.2', port: 8080 }] };
  const bad = [
    { ...good, clusterIp: '10.96.0.999' },
    { ...good, clusterIp: 'example.com' },
    { ...good, port: 80_000 },
    { ...good, endpoints: [{ ip: '10.244.1.2', port: 0 }] },
  ];
  t.equal(serviceRuleset([good, ...bad]), serviceRuleset([good]));
});
