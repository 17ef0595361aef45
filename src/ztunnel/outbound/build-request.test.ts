import { test } from 'tap';
import {
  endpointOf,
  mesh,
  port,
  service,
  waypointAt,
  waypointOf,
  workload,
} from '#shared/testing/topology.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import type { LoadBalancing, Service, Workload } from '#shared/workload/workload.ts';
import { buildRequest, type OutboundQuery, type OutboundSettings } from './build-request.ts';

const SETTINGS: OutboundSettings = {
  waypointUnavailable: 'refuse',
  outboundTrafficPolicy: 'allow_any',
  clusterDomain: 'cluster.local',
};
const BYPASS: OutboundSettings = { ...SETTINGS, waypointUnavailable: 'bypass' };
const client = workload('client', { addresses: ['10.0.0.1', 'fd00::1'] });
const id = (name: string): string => `spiffe://cluster.local/ns/default/sa/${name}`;
const uid = (name: string): string => `Kubernetes//Pod/default/${name}`;

function decide(
  objects: Partial<MeshDelta>,
  address: string,
  query: Partial<OutboundQuery> = {},
  random: () => number = () => 0,
) {
  const at = address.lastIndexOf(':');
  const view = mesh({ ...objects, workloads: [client, ...(objects.workloads ?? [])] });
  const host = address.slice(0, at).replace(/[[\]]/g, '');
  const full = {
    source: client,
    host,
    port: Number(address.slice(at + 1)),
    excluded: new Set<string>(),
    settings: SETTINGS,
  };
  return buildRequest(view, { ...full, ...query }, random);
}

const orders = service('orders', { vip: '10.96.0.1', ports: [port(80, 8080)] });
const pod = (name: string, ip: string, of: readonly Service[] = [orders], fields: Partial<Workload> = {}) =>
  workload(name, { addresses: [ip], services: endpointOf(...of), ...fields });
const gw = service('waypoint', { vip: '10.96.0.9', ports: [port(15008, 15008)] });
const gwPod = pod('waypoint', '10.0.1.9', [gw]);
const viaGw = { ...orders, waypoint: waypointOf(gw) };

test('an endpoint on loopback would be the client itself, and is not dialled', t => {
  for (const ip of ['127.0.0.1', '::1', '0.0.0.0']) {
    const objects = {
      services: [orders],
      workloads: [pod('orders-1', ip, [orders], { tunnelProtocol: 'none' })],
    };
    t.match(
      decide(objects, '10.96.0.1:80'),
      { kind: 'refuse', reason: /would lead the client to itself/ },
      ip,
    );
  }
  t.end();
});

test('a service without a waypoint', t => {
  const backend = pod('orders-1', '10.0.1.1');
  const objects = { services: [orders], workloads: [backend] };
  t.match(
    decide(objects, '10.96.0.1:80'),
    {
      kind: 'hbone',
      nextHop: { ip: '10.0.1.1', port: 15008 },
      expectedIdentities: [id('orders-1')],
      peerUid: uid('orders-1'),
      authority: { host: '10.0.1.1', port: 8080 },
      servicePort: 80,
      retriable: true,
      reason: '',
    },
    'goes to the HBONE port of an endpoint, asking for its target port',
  );
  t.strictSame(
    decide({ ...objects, services: [{ ...orders, subjectAltNames: [id('legacy')] }] }, '10.96.0.1:80')
      .expectedIdentities,
    [id('orders-1'), id('legacy')],
    "the service's subject alternative names are accepted too",
  );
  t.match(
    decide(
      { services: [orders], workloads: [pod('vm', '10.0.1.2', [orders], { tunnelProtocol: 'none' })] },
      '10.96.0.1:80',
    ),
    { kind: 'plaintext', nextHop: { ip: '10.0.1.2', port: 8080 }, expectedIdentities: [], retriable: true },
    'an endpoint outside the mesh is dialled in plaintext',
  );
  t.match(decide({ services: [orders] }, '10.96.0.1:80'), { kind: 'refuse', reason: /has no endpoints/ });
  t.match(decide(objects, '10.96.0.1:81'), { kind: 'refuse', reason: /has no port 81/ });
  t.match(
    decide({ ...objects, workloads: [backend, pod('orders-2', '10.0.1.2')] }, '10.96.0.1:80', {
      excluded: new Set([uid('orders-1')]),
    }),
    { peerUid: uid('orders-2') },
    'an endpoint that was tried is not chosen again',
  );
  t.match(
    decide(objects, '10.96.0.1:80', { source: { ...client, network: 'far' } }),
    { kind: 'plaintext' },
    'addresses mean something only within a network',
  );
  t.end();
});

test('a service with a waypoint', t => {
  const objects = { services: [viaGw, gw], workloads: [gwPod, pod('orders-1', '10.0.1.1', [viaGw])] };
  t.match(
    decide(objects, '10.96.0.1:80'),
    {
      kind: 'waypoint',
      nextHop: { ip: '10.0.1.9', port: 15008 },
      expectedIdentities: [id('waypoint')],
      peerUid: uid('waypoint'),
      authority: { host: '10.96.0.1', port: 80 },
      workload: undefined,
      retriable: true,
    },
    "goes to a waypoint pod, with the service's own address as authority",
  );
  t.match(decide(objects, '10.96.0.1:80').service, { name: 'orders' }, 'labels name the service');
  t.match(
    decide(objects, '10.96.0.1:80', { source: gwPod }),
    { kind: 'hbone', peerUid: uid('orders-1') },
    'the waypoint itself goes on to an endpoint: no loop',
  );
  const lone = { ...orders, waypoint: waypointAt('10.0.1.9', 15010) };
  t.match(
    decide({ services: [lone], workloads: [gwPod] }, '10.96.0.1:80'),
    {
      kind: 'waypoint',
      nextHop: { ip: '10.0.1.9', port: 15010 },
      peerUid: uid('waypoint'),
      retriable: false,
    },
    'a waypoint may be given as an address of a pod',
  );
  t.match(
    decide({ ...objects, services: [{ ...orders, waypoint: waypointAt('10.96.0.9') }, gw] }, '10.96.0.1:80'),
    { kind: 'waypoint', nextHop: { ip: '10.0.1.9', port: 15008 } },
    'or as the VIP of its service',
  );
  t.match(
    decide({ ...objects, services: [viaGw, { ...gw, ports: [] }] }, '10.96.0.1:80'),
    { kind: 'waypoint', nextHop: { ip: '10.0.1.9', port: 15008 } },
    'whose Service need not list the HBONE port',
  );
  t.end();
});

test('a waypoint that is asked for and not ready', t => {
  const backend = pod('orders-1', '10.0.1.1', [viaGw]);
  const rows: [sentence: string, objects: Partial<MeshDelta>, reason: RegExp][] = [
    [
      'the waypoint is unknown',
      { services: [viaGw], workloads: [backend] },
      /waypoint default\/waypoint\.default.* is not known/,
    ],
    ['it has no pod', { services: [viaGw, gw], workloads: [backend] }, /is not ready: .* has no endpoints/],
    [
      'its pod is not healthy',
      { services: [viaGw, gw], workloads: [backend, { ...gwPod, status: 'unhealthy' }] },
      /is not ready: .* no healthy endpoint/,
    ],
    [
      'it is one pod, and that is not healthy',
      {
        services: [{ ...orders, waypoint: waypointAt('10.0.1.9') }],
        workloads: [backend, { ...gwPod, status: 'unhealthy' }],
      },
      /waypoint 10\.0\.1\.9 is not ready/,
    ],
  ];
  for (const [sentence, objects, reason] of rows) {
    t.match(decide(objects, '10.96.0.1:80'), { kind: 'refuse', reason }, `${sentence}: refused, fail closed`);
    const bypassed = decide(objects, '10.96.0.1:80', { settings: BYPASS });
    t.match(
      bypassed,
      { kind: 'hbone', peerUid: uid('orders-1'), reason: /^bypassed: waypoint/ },
      `${sentence}: bypassed when the mesh says so`,
    );
  }
  t.end();
});

test('weighted waypoints share connections', t => {
  const canary = service('canary', { ports: [port(15008)] });
  const canaryPod = pod('canary', '10.0.1.8', [canary]);
  const drawn = (weights: readonly [waypoint: number, canary: number] | [], at: number, from?: Workload) => {
    const shares = weights.map((weight, i) => ({ destination: waypointOf(i === 0 ? gw : canary), weight }));
    const services = [{ ...viaGw, weightedWaypoints: shares }, gw, canary];
    const workloads = [gwPod, canaryPod, pod('orders-1', '10.0.1.1', [viaGw])];
    const query = from === undefined ? {} : { source: from };
    return decide({ services, workloads }, '10.96.0.1:80', query, () => at).peerUid;
  };
  const rows: readonly [string, readonly [number, number] | [], at: number, peer: string][] = [
    ['the first takes its share', [80, 20], 0.79, 'waypoint'],
    ['and the other the rest', [80, 20], 0.8, 'canary'],
    ['to the end', [80, 20], 0.999_999, 'canary'],
    ['weights need not be of a hundred', [1, 3], 0.24, 'waypoint'],
    ['they are shares of their sum', [1, 3], 0.25, 'canary'],
    ['one of 0 gets nothing', [100, 0], 0.999_999, 'waypoint'],
    ['nor does it first of all', [0, 100], 0, 'canary'],
    ["none has a weight: the service's own", [0, 0], 0.5, 'waypoint'],
    ["nobody is listed: the service's own", [], 0.5, 'waypoint'],
  ];
  for (const [sentence, weights, at, peer] of rows) t.equal(drawn(weights, at), uid(peer), sentence);
  t.equal(drawn([80, 20], 0.9, gwPod), uid('orders-1'), 'what a waypoint sends goes through no other one');
  t.equal(drawn([80, 20], 0.1, canaryPod), uid('orders-1'), 'nor what the canary sends');
  t.end();
});

test('the address of a pod', t => {
  const backend = pod('orders-1', '10.0.1.1', [viaGw]);
  t.match(
    decide({ services: [viaGw, gw], workloads: [backend, gwPod] }, '10.0.1.1:9000'),
    { kind: 'hbone', authority: { host: '10.0.1.1', port: 9000 }, service: undefined, retriable: false },
    "goes to that pod and port; its service's waypoint is not asked",
  );
  t.match(
    decide({ services: [gw], workloads: [{ ...backend, waypoint: waypointOf(gw) }, gwPod] }, '10.0.1.1:9000'),
    { kind: 'waypoint', peerUid: uid('waypoint'), authority: { host: '10.0.1.1', port: 9000 } },
    'unless the workload has a waypoint of its own',
  );
  t.match(
    decide({ services: [gw], workloads: [{ ...gwPod, waypoint: waypointOf(gw) }] }, '10.0.1.9:80'),
    { kind: 'hbone', peerUid: uid('waypoint') },
    'a waypoint is not its own waypoint',
  );
  t.match(
    decide({ workloads: [pod('db', '10.0.1.3', [], { tunnelProtocol: 'none' })] }, '10.0.1.3:5432'),
    { kind: 'plaintext', nextHop: { ip: '10.0.1.3', port: 5432 } },
    'a pod outside the mesh is dialled in plaintext',
  );
  t.match(
    decide({ workloads: [pod('six', 'fd00::2', [])] }, '[fd00::2]:80'),
    { kind: 'hbone', nextHop: { ip: 'fd00::2', port: 15008 }, authority: { host: 'fd00::2', port: 80 } },
    'IPv6 alike',
  );
  t.end();
});

test('an address the mesh does not know is passed through as it is', t => {
  t.match(decide({}, '203.0.113.9:443'), {
    kind: 'plaintext',
    nextHop: { ip: '203.0.113.9', port: 443 },
    workload: undefined,
    peerUid: '',
  });
  const hidden = {
    ...orders,
    namespace: 'other',
    hostname: 'orders.other.svc.cluster.local',
    visibility: 'namespace' as const,
  };
  t.match(
    decide({ services: [hidden] }, '10.96.0.1:80'),
    { kind: 'plaintext', service: undefined },
    'nor does it know a service that is private to another namespace',
  );
  t.end();
});

test('a pod that calls itself', t => {
  t.match(
    decide({}, '10.0.0.1:8080'),
    { kind: 'plaintext', nextHop: { ip: '10.0.0.1', port: 8080 } },
    'by its address',
  );
  const own = { ...client, services: endpointOf(orders) };
  const view = mesh({ services: [orders], workloads: [own] });
  const query = { source: own, host: '10.96.0.1', port: 80, excluded: new Set<string>(), settings: SETTINGS };
  t.match(
    buildRequest(view, query, () => 0),
    { kind: 'plaintext', nextHop: { ip: '10.0.0.1', port: 8080 } },
    'by a service it is an endpoint of',
  );
  for (const taken of [15001, 15006, 15008]) {
    t.match(
      decide({}, `10.0.0.1:${taken}`),
      { kind: 'refuse', reason: /takes no direct connection/ },
      `never port ${taken}: it would go round for ever`,
    );
  }
  t.end();
});

const PASSTHROUGH: LoadBalancing = {
  mode: 'passthrough',
  routingPreference: [],
  healthPolicy: 'only_healthy',
};

test('passthrough services keep the address that was dialled', t => {
  t.match(decide({ services: [{ ...orders, loadBalancing: PASSTHROUGH }] }, '10.96.0.1:80'), {
    kind: 'plaintext',
    nextHop: { ip: '10.96.0.1', port: 80 },
  });
  t.end();
});

test("with REGISTRY_ONLY nobody is reached whom the client's namespace does not know", t => {
  const settings: OutboundSettings = { ...SETTINGS, outboundTrafficPolicy: 'registry_only' };
  const address = (ip: string, prefixLength?: number) => [{ network: '', ip, prefixLength }];
  const entry = (name: string, fields: Partial<Service>): Service =>
    service(name, {
      hostname: `${name}.test`,
      namespace: 'shop',
      ports: [port(443, 443)],
      loadBalancing: PASSTHROUGH,
      ...fields,
    });
  const objects = {
    services: [
      orders,
      entry('vendor', { addresses: address('192.0.2.1') }),
      entry('range', { addresses: address('198.51.100.0', 24) }),
      entry('hidden', { addresses: address('203.0.113.1'), visibility: 'namespace' }),
    ],
    workloads: [
      pod('orders-1', '10.0.1.1'),
      workload('outside', { addresses: ['10.0.1.3'], tunnelProtocol: 'none' }),
    ],
  };
  const rows: [sentence: string, address: string, kind: string][] = [
    ['an address of nobody', '203.0.113.9:443', 'refuse'],
    ['an IPv6 address of nobody', '[2001:db8::9]:443', 'refuse'],
    ['the instance metadata of a cloud', '169.254.169.254:80', 'refuse'],
    ['a ServiceEntry that is not exported to the client', '203.0.113.1:443', 'refuse'],
    ['a name of nobody (SOCKS5)', 'nobody.test:443', 'refuse'],
    ['a Service', '10.96.0.1:80', 'hbone'],
    ['a pod', '10.0.1.1:8080', 'hbone'],
    ['a pod outside the mesh', '10.0.1.3:8080', 'plaintext'],
    ['a ServiceEntry', '192.0.2.1:443', 'plaintext'],
    ['a range of one', '198.51.100.7:443', 'plaintext'],
    ['the client itself', '10.0.0.1:8080', 'plaintext'],
  ];
  for (const [sentence, to, kind] of rows) t.equal(decide(objects, to, { settings }).kind, kind, sentence);
  t.match(
    decide(objects, '203.0.113.9:443', { settings }).reason,
    /^203\.0\.113\.9 is no Service, ServiceEntry or pod that namespace default knows.*write a ServiceEntry/,
  );
  t.equal(decide(objects, '203.0.113.9:443').kind, 'plaintext', 'else they are reached');
  t.end();
});

test('a host name (SOCKS5)', t => {
  const objects = { services: [viaGw, gw], workloads: [gwPod] };
  for (const host of [
    'orders.default.svc.cluster.local',
    'ORDERS',
    'orders.default',
    'orders.default.svc',
    'orders.',
  ]) {
    t.match(
      decide(objects, `${host}:80`),
      { kind: 'waypoint', authority: { host: 'orders.default.svc.cluster.local', port: 80 } },
      host,
    );
  }
  t.match(decide(objects, 'example.com:443'), {
    kind: 'refuse',
    reason: /example\.com is no service of the mesh/,
  });
  t.end();
});

test('a host of a wildcard, asked for by name', t => {
  const wildcard = (hostname: string, fields: Partial<Service> & { vip?: string } = {}): Service =>
    service(hostname.slice(2), { hostname, waypoint: waypointOf(gw), vip: '10.96.0.40', ...fields });
  const services = [gw, wildcard('*.vendor.test'), wildcard('*.eu.vendor.test', { vip: '10.96.0.41' })];
  const objects = { services, workloads: [gwPod] };
  const by = (hostname: string): object => ({ kind: 'waypoint', service: { hostname } });
  t.match(
    decide(objects, 'A.vendor.test.:443'),
    { ...by('*.vendor.test'), authority: { host: 'a.vendor.test', port: 443 } },
    'the waypoint is told the name',
  );
  t.match(decide(objects, 'a.eu.vendor.test:443'), by('*.eu.vendor.test'), 'the nearest wildcard');
  t.match(decide(objects, 'vendor.test:443'), { kind: 'refuse' }, 'the domain itself is none of its hosts');
  const one = service('api', { hostname: 'api.vendor.test', waypoint: waypointOf(gw) });
  t.match(
    decide({ ...objects, services: [...services, one] }, 'api.vendor.test:443'),
    { ...by('api.vendor.test'), authority: { host: 'api.vendor.test' } },
    'whoever is named goes before',
  );
  t.match(
    decide(objects, '10.96.0.40:443'),
    { ...by('*.vendor.test'), authority: { host: '10.96.0.40' } },
    'by address the waypoint is told the address',
  );
  const own = wildcard('*.own.test', { namespace: 'other', visibility: 'namespace' });
  t.match(
    decide({ ...objects, services: [gw, own] }, 'a.own.test:443'),
    { kind: 'refuse' },
    'of others only',
  );
  t.end();
});
