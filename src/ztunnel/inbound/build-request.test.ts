import { test } from 'tap';
import { endpointOf, mesh, port, service, waypointOf, workload } from '#shared/testing/topology.ts';
import { buildInboundRequest, type InboundQuery } from './build-request.ts';

const gw = service('waypoint', { vip: '10.96.0.9' });
const gwPod = workload('waypoint', { addresses: ['10.0.1.9'], services: endpointOf(gw) });
const orders = service('orders', { vip: '10.96.0.1', ports: [port(80, 8080)], waypoint: waypointOf(gw) });
const other = service('other', { vip: '10.96.0.2' });
const local = workload('orders-1', { addresses: ['10.0.1.1', 'fd00::1'], services: endpointOf(orders) });
const client = workload('client', { addresses: ['10.0.0.1'] });
const view = mesh({ services: [orders, other, gw], workloads: [local, client, gwPod] });
const id = (name: string): string => `spiffe://cluster.local/ns/default/sa/${name}`;

const decide = (fields: Partial<InboundQuery> = {}, around = view) =>
  buildInboundRequest(around, {
    local,
    localIps: ['10.0.1.1', 'fd00::1'],
    host: '10.0.1.1',
    port: 8080,
    peerIdentity: id('client'),
    remoteIp: '10.0.0.1',
    forwardedIp: undefined,
    ...fields,
  });

test('what a CONNECT may ask for', t => {
  t.match(
    decide(),
    { ok: true, target: { ip: '10.0.1.1', port: 8080 }, service: undefined },
    'an address of the workload',
  );
  t.match(
    decide({ port: 9999 }),
    { target: { port: 9999 } },
    "any port of it: which are open is the application's affair",
  );
  t.match(decide({ host: 'fd00::1' }), { target: { ip: 'fd00::1', port: 8080 } }, 'its IPv6 address');
  t.match(
    decide({ host: '10.96.0.1', port: 80 }),
    { target: { ip: '10.0.1.1', port: 8080 }, service: { name: 'orders' } },
    'the VIP of its service, whose port is mapped',
  );
  t.match(
    decide({ host: 'orders.default.svc.cluster.local', port: 80 }),
    { target: { ip: '10.0.1.1', port: 8080 } },
    "the service's host name",
  );
  t.end();
});

test('of several services of one address or name it is one that the workload is an endpoint of', t => {
  const shared = {
    hostname: 'db.example',
    addresses: [{ network: '', ip: '240.0.0.1', prefixLength: undefined }],
  };
  const foreign = service('a', { namespace: 'a', ...shared });
  const web = service('b', { namespace: 'b', ...shared, ports: [port(80, 8080)] });
  const admin = service('c', { namespace: 'c', ...shared, ports: [port(80, 9090), port(81, 9091)] });
  const own = service('own', { ...shared, ports: [port(80, 7070)] });
  const services = [foreign, web, admin, own];
  const rows: [sentence: string, of: typeof services, query: Partial<InboundQuery>, answer: object][] = [
    ['another one comes first', [web], {}, { service: { name: 'b' }, target: { port: 8080 } }],
    ['another one comes first by name', [web], { host: 'db.example' }, { service: { name: 'b' } }],
    [
      'it is an endpoint of two: the first',
      [admin, web],
      {},
      { service: { name: 'b' }, target: { port: 8080 } },
    ],
    [
      'one of them has the port',
      [admin, web],
      { port: 81 },
      { service: { name: 'c' }, target: { port: 9091 } },
    ],
    ['one is of its own namespace', [web, own], {}, { service: { name: 'own' }, target: { port: 7070 } }],
    ['it is an endpoint of none', [orders], {}, { ok: false, status: 400 }],
  ];
  for (const [sentence, of, query, answer] of rows) {
    const endpoint = { ...local, services: endpointOf(...of) };
    const around = mesh({ services: [...services, orders], workloads: [endpoint, client] });
    const asked = { host: '240.0.0.1', port: 80, local: endpoint, ...query };
    t.match(decide(asked, around), answer, sentence);
  }
  const range = { network: '', ip: '240.1.0.0', prefixLength: 16 };
  const wide = service('wide', { addresses: [range] });
  const inside = { ...local, services: endpointOf(wide) };
  t.match(
    decide({ host: '240.1.2.3', port: 80, local: inside }, mesh({ services: [wide], workloads: [inside] })),
    { service: { name: 'wide' }, target: { ip: '10.0.1.1', port: 8080 } },
    'an address of its range',
  );
  t.end();
});

test('what a CONNECT may not ask for', t => {
  const rows: [sentence: string, query: Partial<InboundQuery>, reason: RegExp][] = [
    ['another pod: no open relay', { host: '10.0.0.1' }, /10\.0\.0\.1:8080 is not default\/orders-1/],
    ['an address outside the mesh', { host: '203.0.113.1' }, /is not default\/orders-1/],
    ['the loopback address of the pod', { host: '127.0.0.1' }, /is not default\/orders-1/],
    ['a service it is no endpoint of', { host: '10.96.0.2', port: 80 }, /is not default\/orders-1/],
    ['a port its service does not have', { host: '10.96.0.1', port: 81 }, /is not default\/orders-1/],
    ['a name nobody has', { host: 'nothing.example' }, /is not default\/orders-1/],
    ['port 15001', { port: 15001 }, /mesh's own/],
    ['port 15006', { port: 15006 }, /mesh's own/],
    ['port 15008', { port: 15008 }, /mesh's own/],
  ];
  for (const [sentence, query, reason] of rows)
    t.match(decide(query), { ok: false, status: 400, reason }, sentence);
  t.end();
});

test('where the connection comes from', t => {
  t.match(decide(), { sourceIp: '10.0.0.1', source: { name: 'client' } }, "the peer's own address");
  t.match(
    decide({ remoteIp: '203.0.113.9' }),
    { sourceIp: '203.0.113.9', source: undefined },
    'an address nobody in the mesh has',
  );
  const viaWaypoint = { peerIdentity: id('waypoint'), remoteIp: '10.0.1.9', forwardedIp: '10.0.0.1' };
  t.match(
    decide(viaWaypoint),
    { sourceIp: '10.0.0.1', source: { name: 'client' } },
    'the waypoint of its service is believed',
  );
  t.match(
    decide({ ...viaWaypoint, forwardedIp: undefined }),
    { sourceIp: '10.0.1.9', source: { name: 'waypoint' } },
    'a waypoint that says nothing speaks for itself',
  );
  t.match(
    decide({ remoteIp: '10.0.3.3', forwardedIp: '10.0.0.1' }),
    { sourceIp: '10.0.0.1' },
    'the owner of the address is believed (a gateway changed the source)',
  );
  t.match(
    decide({ forwardedIp: '10.0.1.9' }),
    { sourceIp: '10.0.0.1' },
    "nobody may borrow a stranger's address",
  );
  t.match(
    decide({ peerIdentity: id('evil'), remoteIp: '10.0.3.3', forwardedIp: '203.0.113.1' }),
    { sourceIp: '10.0.3.3' },
    'nor one that nobody has',
  );
  const entry = workload('evil', {
    uid: 'c/networking.istio.io/WorkloadEntry/default/evil',
    addresses: ['203.0.113.1'],
  });
  t.match(
    decide(
      { peerIdentity: id('evil'), remoteIp: '10.0.3.3', forwardedIp: '203.0.113.1' },
      mesh({ services: [orders], workloads: [local, entry] }),
    ),
    { sourceIp: '10.0.3.3' },
    'nor one that it has written into a WorkloadEntry',
  );
  const own = { ...local, services: new Map<string, never>(), waypoint: waypointOf(gw) };
  t.match(
    decide({ ...viaWaypoint, local: own }),
    { sourceIp: '10.0.0.1' },
    "the workload's own waypoint is believed",
  );
  const ungated = { ...local, services: endpointOf(other) };
  t.match(
    decide({ ...viaWaypoint, local: ungated }),
    { sourceIp: '10.0.1.9' },
    'the waypoint of another service is not',
  );
  t.end();
});
