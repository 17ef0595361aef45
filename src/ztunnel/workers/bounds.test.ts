import { createConnection, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'tap';
import { seriesOf } from '#shared/testing/series.ts';
import { endpointOf, policy, port, service, workload } from '#shared/testing/topology.ts';
import { DIRECTIONS } from '../connections/pod-counts.ts';
import { countMemory, SharedCount } from '../connections/shared-count.ts';
import type { ConnectionSettings } from '../connections/place-keeper.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';
import { echo, MeshLab, type LabClient, type LabNode } from '../testing/mesh-lab.ts';

const VIP = { ip: '10.96.0.1', port: 80 };

function bounded(perPod: number, room = 1_000): { connections: ConnectionSettings; used: SharedCount } {
  const used = countMemory(1, 1);
  return {
    connections: { perPod, room, roomIs: 'a test', sharesFairly: true, threads: 1, used },
    used: new SharedCount(used, 1, 0),
  };
}

interface SetupOptions {
  readonly a?: number;
  readonly b?: number;
  /** Of node A. */
  readonly room?: number;
  readonly settings?: Partial<TrafficSettings>;
  readonly onConnection?: Parameters<MeshLab['app']>[1];
}

/** A client pod on node A and a server pod on node B, each of which may have so many connections. */
async function setup({ a: ofA = 1_000, b: ofB = 1_000, room, settings, onConnection = echo }: SetupOptions) {
  const lab = await MeshLab.create();
  const [atA, atB] = [bounded(ofA, room), bounded(ofB)];
  const a = lab.node({ ...settings, connections: atA.connections });
  const b = lab.node({ ...settings, connections: atB.connections });
  const client = workload('client', { addresses: [lab.ip(1)] });
  const appPort = await lab.app(lab.ip(2), onConnection);
  const orders = service('orders', { vip: VIP.ip, ports: [port(80, appPort)] });
  const server = workload('orders-1', { addresses: [lab.ip(2)], services: endpointOf(orders) });
  lab.apply({ workloads: [client, server], services: [orders] });
  await lab.enrol(a, client);
  await lab.enrol(b, server);
  const captured = await lab.capture(a, client, 'outbound', VIP);
  return {
    lab,
    a,
    b,
    client,
    server,
    appPort,
    captured,
    outbound: a.counts(`capture-${captured}`),
    inbound: b.counts('uid-orders-1'),
    used: { a: atA.used, b: atB.used },
    connect: () => lab.client(lab.ip(1), captured),
  };
}

async function works(c: LabClient): Promise<LabClient> {
  c.socket.write('x');
  await c.until(() => c.text === 'x');
  return c;
}

/** Waits for what comes with later events; the test's own deadline ends it. */
async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await nextTurn();
}

function refusedBy(node: LabNode): Record<string, number> {
  return seriesOf(node.thread.metrics(), 'ambient_connections_refused_total');
}

function failedWith(node: LabNode, flag: string): number {
  const family = node.thread.metrics().find(f => f.name === 'istio_tcp_connections_failed_total');
  return (family?.series ?? [])
    .filter(s => s.labelValues.includes(flag))
    .reduce((sum, { value }) => sum + value, 0);
}

test('a pod at its bound has its next connection reset at once, named in log and metric; another pod goes on', async t => {
  const { lab, a, connect, outbound } = await setup({ a: 2 });
  const open = [await works(connect()), await works(connect())];
  const refused = connect();
  await refused.closed;
  t.equal(refused.error, 'ECONNRESET');
  t.equal(outbound.outbound.total, 2);
  t.match(
    (await a.access(1))[0],
    /\terror\taccess\tconnection failed\t.*src\.workload="client".*error="pod default\/client has 2 outbound connections, as many as a pod may: .*MAX_CONNECTIONS_PER_POD"/,
  );
  t.equal(a.lines.filter(line => /\twarn\t.*connections of a pod are refused/.test(line)).length, 1);
  t.same(refusedBy(a), { 'default client outbound pod': 1 });
  t.equal(failedWith(a, 'UO'), 1);
  const other = workload('other', { addresses: [lab.ip(3)] });
  lab.apply({ workloads: [other] });
  await lab.enrol(a, other);
  const beside = await lab.capture(a, other, 'outbound', VIP);
  await works(lab.client(lab.ip(3), beside));
  for (const one of open) await works2(one);
  open[0]?.socket.end();
  await open[0]?.closed;
  await until(() => outbound.outbound.total === 1);
  await works(connect());
  await lab.close();
});

async function works2(c: LabClient): Promise<void> {
  c.socket.write('y');
  await c.until(() => c.text === 'xy');
}

test('a thousand connections beyond the bound are a thousand resets, and one warning', async t => {
  const { lab, a, connect, outbound } = await setup({ a: 1 });
  await works(connect());
  for (let round = 0; round < 10; round++) {
    const refused = Array.from({ length: 100 }, connect);
    await Promise.all(refused.map(c => c.closed));
    t.ok(refused.every(c => c.error === 'ECONNRESET'));
  }
  await a.access(1_000);
  t.same(refusedBy(a), { 'default client outbound pod': 1_000 });
  t.equal(a.lines.filter(line => /\twarn\t/.test(line)).length, 1);
  t.equal(outbound.outbound.total, 1);
  await lab.close();
});

type Lab = Awaited<ReturnType<typeof setup>>;

/** Ways in which a connection of the client ends, or never comes about. */
const ENDS: readonly (readonly [string, (made: Lab) => Promise<void>])[] = [
  [
    'in order',
    async ({ connect }) => {
      const c = await works(connect());
      c.socket.end();
      await c.closed;
    },
  ],
  ['the client resets', async ({ connect }) => void (await works(connect())).socket.resetAndDestroy()],
  [
    'the server resets',
    async ({ connect }) => {
      const c = await works(connect());
      c.socket.write('reset');
      await c.closed;
    },
  ],
  [
    'the client is gone before the tunnel is there',
    async ({ connect }) => {
      const c = connect();
      await new Promise(resolve => c.socket.once('connect', resolve));
      c.socket.resetAndDestroy();
    },
  ],
  [
    'the application does not listen',
    async ({ lab, a, client }) => {
      const at = await lab.capture(a, client, 'outbound', { ip: lab.ip(2), port: 1 });
      await lab.client(lab.ip(1), at).closed;
    },
  ],
  [
    'nobody is there',
    async ({ lab, a, client }) => {
      const at = await lab.capture(a, client, 'outbound', { ip: lab.ip(9), port: 1 });
      await lab.client(lab.ip(1), at).closed;
    },
  ],
  [
    'nothing is left to choose from',
    async ({ lab, server, connect }) => {
      lab.apply({ removedWorkloads: [server.uid] });
      await connect().closed;
      lab.apply({ workloads: [server] });
    },
  ],
  [
    'a policy refuses it',
    async ({ lab, server, connect }) => {
      deny(lab, server);
      await connect().closed;
    },
  ],
  [
    'a policy cuts it',
    async ({ lab, server, connect }) => {
      const c = await works(connect());
      deny(lab, server);
      await c.closed;
    },
  ],
  [
    'the peer is another one',
    async ({ lab, server, connect }) => {
      lab.apply({ workloads: [{ ...server, serviceAccount: 'impostor' }] });
      await connect().closed;
    },
  ],
  [
    'its own certificate is missing',
    async ({ a, connect }) => {
      a.thread.removeCertificate('spiffe://cluster.local/ns/default/sa/client');
      await connect().closed;
    },
  ],
  [
    "the peer's certificate is missing",
    async ({ b, connect }) => {
      b.thread.removeCertificate('spiffe://cluster.local/ns/default/sa/orders-1');
      await connect().closed;
    },
  ],
  [
    'the peer leaves',
    async ({ b, connect }) => {
      const c = await works(connect());
      await b.thread.leave('uid-orders-1', 0);
      await c.closed;
    },
  ],
  [
    'its pod leaves',
    async ({ a, captured, connect }) => {
      const c = await works(connect());
      await a.thread.leave(`capture-${captured}`, 0);
      await c.closed;
    },
  ],
  [
    'its pod leaves, and it is cut at the deadline',
    async ({ a, captured, connect }) => {
      const c = await works(connect());
      await a.thread.leave(`capture-${captured}`, 1);
      await c.closed;
    },
  ],
  [
    'the proxy drains',
    async ({ a, connect }) => {
      const c = await works(connect());
      await a.thread.drain(1);
      await c.closed;
    },
  ],
  [
    'a fault of ours',
    async ({ b, connect }) => {
      b.thread.store.policiesFor = () => {
        throw new Error('a fault');
      };
      await connect().closed;
    },
  ],
];

function deny(lab: MeshLab, server: Lab['server']): void {
  lab.apply({
    policies: [policy('deny-all', 'deny', [{}])],
    workloads: [{ ...server, authorizationPolicies: ['default/deny-all'] }],
  });
}

function resetWhenTold(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.on('data', data => {
    if (data.toString() === 'reset') socket.resetAndDestroy();
    else socket.write(data);
  });
  socket.on('end', () => socket.end());
}

for (const [way, end] of ENDS) {
  test(`a place comes back: ${way}`, async t => {
    const made = await setup({ onConnection: resetWhenTold, settings: { connectTimeoutMs: 2_000 } });
    const { lab, inbound, outbound, used } = made;
    await end(made);
    await until(() => outbound.outbound.total === 0 && inbound.inbound.total === 0);
    t.equal(refusedCount(made), 0);
    await lab.close();
    await until(() => used.a.total === 0 && used.b.total === 0);
    t.same(
      DIRECTIONS.map(name => inbound[name].total),
      [0, 0, 0],
    );
    t.same([outbound.sessions.total, inbound.sessions.total], [0, 0]);
  });
}

function refusedCount({ a, b }: Lab): number {
  return [a, b].reduce((sum, node) => sum + Object.values(refusedBy(node)).reduce((x, y) => x + y, 0), 0);
}

test('an HBONE stream beyond the bound is answered 503, which says why on both sides', async t => {
  const { lab, a, b, connect, inbound } = await setup({ b: 2 });
  const open = [await works(connect()), await works(connect())];
  const refused = connect();
  await refused.closed;
  t.equal(refused.error, 'ECONNRESET');
  t.match(
    (await b.access(1))[0],
    /direction="inbound".*error="pod default\/orders-1 has 2 inbound connections/,
  );
  t.match(
    (await a.access(1))[0],
    /direction="outbound".*error="HBONE tunnel to .* refused with 503: it has as many connections there as it may"/,
  );
  t.same(refusedBy(b), { 'default orders-1 inbound pod': 1 });
  t.equal(inbound.hbone.total, 1, 'the tunnel that carries them goes on');
  for (const one of open) await works2(one);
  open[1]?.socket.resetAndDestroy();
  await until(() => inbound.inbound.total === 1);
  await works(connect());
  await lab.close();
});

test('another endpoint is tried where one has no place', async t => {
  const { lab, b, server, appPort, connect, inbound } = await setup({ b: 1 });
  const second = {
    ...server,
    ...workload('orders-2', { addresses: [lab.ip(4)] }),
    services: server.services,
  };
  await lab.app(lab.ip(4), echo, appPort);
  lab.apply({ workloads: [second] });
  await lab.enrol(b, second);
  await works(connect());
  await works(connect());
  t.same([inbound.inbound.total, b.counts('uid-orders-2').inbound.total], [1, 1]);
  await lab.close();
});

test('plaintext beyond the bound is reset, and its place comes back', async t => {
  const { lab, b, server, appPort } = await setup({ b: 1 });
  const at = await lab.capture(b, server, 'inboundPlaintext', { ip: lab.ip(2), port: appPort });
  const counts = b.counts(`capture-${at}`);
  const open = await works(lab.client(lab.ip(2), at));
  const refused = lab.client(lab.ip(2), at);
  await refused.closed;
  t.equal(refused.error, 'ECONNRESET');
  t.match((await b.access(1))[0], /error="pod default\/orders-1 has 1 inbound connections/);
  open.socket.end();
  await open.closed;
  await until(() => counts.inbound.total === 0);
  const again = await works(lab.client(lab.ip(2), at));
  again.socket.resetAndDestroy();
  await until(() => counts.inbound.total === 0);
  await lab.close();
});

test('SOCKS5 is bounded as captured connections are', async t => {
  const { lab, a } = await setup({ a: 1 });
  const counts = a.counts('uid-client');
  const first = lab.client(lab.ip(1), 15080);
  await until(() => counts.outbound.total === 1);
  const second = lab.client(lab.ip(1), 15080);
  await second.closed;
  t.equal(second.error, 'ECONNRESET');
  first.socket.destroy();
  await until(() => counts.outbound.total === 0);
  await lab.close();
});

/** HBONE connections that never come to carry anything. */
const NO_TUNNELS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['the stranger ends', socket => socket.end()],
  ['the stranger resets', socket => socket.resetAndDestroy()],
  ['the stranger speaks no TLS', socket => socket.write('GET / HTTP/1.1\r\n\r\n')],
  ['the stranger says nothing until the deadline', () => undefined],
];

for (const [way, end] of NO_TUNNELS) {
  test(`HBONE connections are bounded by themselves, and their places come back: ${way}`, async t => {
    const { lab, a, b, connect, inbound, used } = await setup({
      b: 2,
      settings: { handshakeTimeoutMs: 250 },
    });
    const dial = (): Socket => {
      const socket = createConnection({ host: lab.ip(2), port: 15008 });
      socket.on('error', () => undefined);
      return socket;
    };
    const silent = [dial(), dial()];
    await until(() => inbound.hbone.total === 2);
    const refused = connect();
    await refused.closed;
    t.equal(refused.error, 'ECONNRESET');
    t.match((await a.access(1))[0], /error="/);
    t.ok(
      b.lines.some(line =>
        /HBONE connection refused.*pod default\/orders-1 has 2 HBONE connections/.test(line),
      ),
    );
    t.same(refusedBy(b), { 'default orders-1 hbone pod': 1 });
    silent.forEach(end);
    await until(() => inbound.hbone.total === 0);
    silent.forEach(socket => socket.destroy());
    await lab.close();
    await until(() => used.b.total === 0);
  });
}

test('an HBONE connection has its place as long as it is open', async t => {
  const { lab, a, connect, captured, inbound, outbound } = await setup({});
  const c = await works(connect());
  t.same([inbound.hbone.total, outbound.sessions.total], [1, 1]);
  c.socket.end();
  await c.closed;
  await until(() => inbound.inbound.total === 0);
  t.same([inbound.hbone.total, outbound.sessions.total], [1, 1], 'it waits for the next one');
  await a.thread.leave(`capture-${captured}`, 0);
  await until(() => inbound.hbone.total === 0 && outbound.sessions.total === 0);
  await lab.close();
});

/** Through the client's SOCKS5, which takes it to any pod from one and the same enrolment. */
async function reach(lab: MeshLab, ip: string, at: number): Promise<LabClient> {
  const c = lab.client(lab.ip(1), 15080);
  c.socket.write(Buffer.from([5, 1, 0]));
  await c.until(() => c.text.length === 2);
  c.socket.write(Buffer.from([5, 1, 0, 1, ...ip.split('.').map(Number), at >> 8, at & 0xff]));
  await c.until(() => c.text.length === 12);
  return c;
}

test('of its tunnels that carry nothing a pod keeps as many open as are an eighth of its bound', async t => {
  const { lab, a, b } = await setup({ a: 8 });
  const { sessions, outbound } = a.counts('uid-client');
  const open: LabClient[] = [];
  for (const host of [11, 12, 13]) {
    const pod = workload(`pod-${host}`, { addresses: [lab.ip(host)] });
    const at = await lab.app(lab.ip(host), echo);
    lab.apply({ workloads: [pod] });
    await lab.enrol(b, pod);
    open.push(await reach(lab, lab.ip(host), at));
  }
  t.equal(sessions.total, 3);
  for (const c of open) c.socket.end();
  await until(() => outbound.total === 0);
  await until(() => sessions.total === 1);
  const left = ['pod-11', 'pod-12', 'pod-13'].map(name => b.counts(`uid-${name}`).hbone);
  await until(() => left.reduce((sum, { total }) => sum + total, 0) === 1);
  t.pass('and its peers have as many');
  await lab.close();
});

test('no pod takes what is left for all others', async t => {
  const { lab, a, connect, outbound, used } = await setup({ room: 9 });
  const open: LabClient[] = [];
  for (let i = 0; i < 4; i++) open.push(await works(connect()));
  const refused = connect();
  await refused.closed;
  t.equal(refused.error, 'ECONNRESET');
  t.match(
    (await a.access(1))[0],
    /error="pod default\/client has as many outbound connections as are left for all others, of 9 that ztunnel has room for \(a test\)/,
  );
  t.same(refusedBy(a), { 'default client outbound node': 1 });
  t.equal(used.a.total, outbound.outbound.total + outbound.sessions.total);
  const other = workload('other', { addresses: [lab.ip(3)] });
  lab.apply({ workloads: [other] });
  await lab.enrol(a, other);
  await works(lab.client(lab.ip(3), await lab.capture(a, other, 'outbound', VIP)));
  t.equal(open.length, 4);
  await lab.close();
});
