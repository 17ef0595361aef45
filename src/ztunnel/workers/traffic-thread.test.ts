import { test } from 'tap';
import { createTestEngine } from '#shared/testing/engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { ChannelRecorder } from '#shared/testing/loopback.ts';
import { seriesOf } from '#shared/testing/series.ts';
import { endpointOf, policy, port, service, workload } from '#shared/testing/topology.ts';
import type { Workload } from '#shared/workload/workload.ts';
import { echo, MeshLab, type LabNode } from '../testing/mesh-lab.ts';

/** A client pod on node A, a server pod on node B behind a service, and an application on it. */
async function setup(onConnection: Parameters<MeshLab['app']>[1] = echo) {
  const lab = await MeshLab.create();
  const a = lab.node();
  const b = lab.node();
  const client = workload('client', { addresses: [lab.ip(1)] });
  const appPort = await lab.app(lab.ip(2), onConnection);
  const orders = service('orders', { vip: '10.96.0.1', ports: [port(80, appPort)] });
  const server = workload('orders-1', { addresses: [lab.ip(2)], services: endpointOf(orders) });
  lab.apply({ workloads: [client, server], services: [orders] });
  await lab.enrol(a, client);
  await lab.enrol(b, server);
  const captured = await lab.capture(a, client, 'outbound', { ip: '10.96.0.1', port: 80 });
  const connect = () => lab.client(lab.ip(1), captured);
  return { lab, a, b, client, server, orders, appPort, connect };
}

test('a connection to a service goes through both proxies and is logged once on each side', async t => {
  const { lab, a, b, appPort, connect } = await setup();
  const c = connect();
  c.socket.end('hello');
  await c.until(() => c.ended);
  t.equal(c.text, 'hello', 'the answer comes after the client half-closed');
  const [out] = await a.access(1);
  const [inn] = await b.access(1);
  t.match(out, /\tinfo\taccess\tconnection complete\t/);
  t.match(out, new RegExp(`dst\\.addr="${lab.ip(2)}:15008" dst\\.hbone_addr="${lab.ip(2)}:${appPort}"`));
  t.match(
    out,
    /src\.workload="client".* dst\.service="orders\.default\.svc\.cluster\.local" dst\.workload="orders-1"/,
  );
  t.match(out, /direction="outbound" bytes_sent=5 bytes_recv=5 duration="\d+ms"$/);
  t.match(inn, /src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client"/);
  t.match(
    inn,
    /dst\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/orders-1".*direction="inbound" bytes_sent=5 bytes_recv=5/,
  );
  await lab.close();
});

/** What both nodes have counted of a connection's bytes: received and sent, at the client's and at the server's. */
function countedBytes(...nodes: readonly LabNode[]): number[] {
  return nodes.flatMap(({ thread }) =>
    ['received', 'sent'].flatMap(way =>
      Object.values(seriesOf(thread.metrics(), `istio_tcp_${way}_bytes_total`)),
    ),
  );
}

test('bytes of an open connection are counted while they flow, in bulk too, and at its end none twice', async t => {
  const { lab, a, b, connect } = await setup();
  const c = connect();
  c.socket.write('12345');
  await c.until(() => c.text === '12345');
  t.same(countedBytes(a, b), [5, 5, 5, 5]);
  const bulk = 4 * 1024 * 1024;
  c.socket.write(Buffer.alloc(bulk));
  await c.until(() => c.text.length === 5 + bulk);
  t.same(countedBytes(a, b), [bulk + 5, bulk + 5, bulk + 5, bulk + 5]);
  c.socket.end('67');
  await c.until(() => c.ended);
  await Promise.all([a.access(1), b.access(1)]);
  t.same(countedBytes(a, b), [bulk + 7, bulk + 7, bulk + 7, bulk + 7]);
  await lab.close();
});

test('a server that speaks first is not delayed', async t => {
  const { lab, connect } = await setup(socket => socket.write('220 ready'));
  const c = connect();
  await c.until(() => c.text === '220 ready');
  t.pass();
  await lab.close();
});

test('either side may half-close and go on reading', async t => {
  const { lab, connect } = await setup(socket => {
    socket.end('bye');
    socket.on('data', data => heard.push(data.toString()));
    socket.on('end', () => heardEnd());
  });
  const heard: string[] = [];
  let heardEnd = (): void => undefined;
  const serverSawEnd = new Promise<void>(resolve => (heardEnd = resolve));
  const c = connect();
  await c.until(() => c.ended);
  c.socket.end('still talking');
  await serverSawEnd;
  t.equal(heard.join(''), 'still talking');
  await lab.close();
});

test('a reset of the client reaches the server, and the other way round', async t => {
  let onServer = (_event: string): void => undefined;
  const { lab, a, connect } = await setup(socket => {
    socket.on('error', error => onServer('code' in error ? String(error.code) : 'error'));
    socket.on('data', data => {
      if (data.toString() === 'reset me') socket.resetAndDestroy();
      else socket.write(data);
    });
  });
  const reset = new Promise<string>(resolve => (onServer = resolve));
  const c = connect();
  c.socket.write('x');
  await c.until(() => c.text === 'x');
  c.socket.resetAndDestroy();
  t.equal(await reset, 'ECONNRESET');
  const d = connect();
  d.socket.write('reset me');
  await d.closed;
  t.equal(d.error, 'ECONNRESET');
  t.match((await a.access(2))[1], /\terror\taccess\tconnection failed\t.* error="/);
  await lab.close();
});

test("a policy that forbids the source refuses it, and names itself on the destination's side", async t => {
  const { lab, a, b, server, connect } = await setup();
  const principals = [{ kind: 'exact' as const, value: 'cluster.local/ns/default/sa/client' }];
  lab.apply({
    policies: [policy('no-client', 'deny', [{ principals }])],
    workloads: [{ ...server, authorizationPolicies: ['default/no-client'] }],
  });
  const c = connect();
  await c.closed;
  t.equal(c.error, 'ECONNRESET');
  t.match((await b.access(1))[0], /\terror\t.*error="denied by default\/no-client rule 0/);
  t.match((await a.access(1))[0], /\terror\t.*error="/);
  const metrics = b.thread.metrics().find(f => f.name === 'istio_tcp_connections_failed_total');
  t.ok(metrics?.series.some(s => s.labelValues.includes('DENY')));
  t.same(seriesOf(b.thread.metrics(), 'ambient_authorization_denied_total'), {
    'default/no-client 0 default': 1,
  });
  await lab.close();
});

test('a policy change cuts an open connection; taking it back lets new ones in', async t => {
  const { lab, b, server, connect } = await setup();
  const c = connect();
  c.socket.write('x');
  await c.until(() => c.text === 'x');
  lab.apply({
    policies: [policy('deny-all', 'deny', [{}])],
    workloads: [{ ...server, authorizationPolicies: ['default/deny-all'] }],
  });
  await c.closed;
  t.match((await b.access(1))[0], /error="policy changed: denied by default\/deny-all rule 0/);
  t.same(seriesOf(b.thread.metrics(), 'ambient_authorization_denied_total'), {
    'default/deny-all 0 default': 1,
  });
  lab.apply({ removedPolicies: ['default/deny-all'], workloads: [server] });
  const d = connect();
  d.socket.write('y');
  await d.until(() => d.text === 'y');
  await lab.close();
});

test('a policy change cuts the connections of a workload that is leaving as well', async t => {
  const { lab, b, server, connect } = await setup();
  const c = connect();
  c.socket.write('x');
  await c.until(() => c.text === 'x');
  const left = b.thread.leave(`uid-${server.name}`, 60_000);
  lab.apply({
    policies: [policy('deny-all', 'deny', [{}])],
    workloads: [{ ...server, authorizationPolicies: ['default/deny-all'] }],
  });
  await c.closed;
  t.match((await b.access(1))[0], /error="policy changed: denied by default\/deny-all rule 0/);
  await left;
  await lab.close();
});

test('an endpoint whose application refuses is replaced by another one', async t => {
  const { lab, b, client, server, orders, connect } = await setup();
  const dead = workload('orders-dead', { addresses: [lab.ip(3)], services: endpointOf(orders) });
  const unreachable = workload('orders-gone', { addresses: [lab.ip(4)], services: endpointOf(orders) });
  lab.apply({ workloads: [dead, unreachable, client, { ...server, capacity: 1 }] });
  // Nothing listens at orders-gone; orders-dead has a proxy, but no application.
  await lab.enrol(b, dead);
  for (let i = 0; i < 8; i++) {
    const c = connect();
    c.socket.end(`n${i}`);
    await c.until(() => c.ended);
    t.equal(c.text, `n${i}`);
  }
  await lab.close();
});

test('when every endpoint refuses, the client is refused with the reason in the log', async t => {
  const { lab, a, client, orders, server } = await setup();
  lab.apply({ removedWorkloads: [server.uid] });
  const captured = await lab.capture(a, client, 'outbound', { ip: '10.96.0.1', port: 80 });
  const c = lab.client(lab.ip(1), captured);
  await c.closed;
  t.equal(c.error, 'ECONNRESET');
  t.match(
    (await a.access(1))[0],
    new RegExp(`dst\\.service="${orders.hostname}".*error="service .* has no endpoints"`),
  );
  await lab.close();
});

test('a peer that proves another identity than expected gets nothing', async t => {
  const { lab, a, server, connect } = await setup();
  lab.apply({ workloads: [{ ...server, serviceAccount: 'impostor' }] });
  const c = connect();
  await c.closed;
  t.equal(c.text, '');
  t.match((await a.access(1))[0], /error=".*spiffe:\/\/cluster\.local\/ns\/default\/sa\/orders-1/);
  await lab.close();
});

test('a recycled pod address never gets an old session', async t => {
  const { lab, a, b, server, orders, appPort, connect } = await setup();
  const c = connect();
  c.socket.write('x');
  await c.until(() => c.text === 'x');
  // The pod is replaced by another one of another service account at the same address.
  await b.thread.leave('uid-orders-1', 0);
  const next = workload('payments-1', { addresses: server.addresses, services: endpointOf(orders) });
  lab.apply({ removedWorkloads: [server.uid], workloads: [next] });
  await lab.enrol(b, next);
  const d = connect();
  d.socket.end('y');
  await d.until(() => d.ended);
  t.equal(d.text, 'y');
  const lines = await a.access(2);
  t.ok(
    lines.some(line => /dst\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/payments-1"/.test(line)),
  );
  t.ok(appPort > 0);
  await lab.close();
});

test('certificates rotate under load without a failed connection', async t => {
  const { lab, a, b, connect } = await setup();
  const ids = {
    client: 'spiffe://cluster.local/ns/default/sa/client',
    server: 'spiffe://cluster.local/ns/default/sa/orders-1',
  };
  const once = async (i: number): Promise<void> => {
    const c = connect();
    c.socket.end(`n${i}`);
    await c.until(() => c.ended);
    t.equal(c.text, `n${i}`);
  };
  for (let round = 0; round < 5; round++) {
    const load = Promise.all(Array.from({ length: 10 }, (_, i) => once(round * 10 + i)));
    a.thread.setCertificate(ids.client, await lab.ca.issue(ids.client));
    b.thread.setCertificate(ids.server, await lab.ca.issue(ids.server));
    await load;
  }
  await lab.close();
});

test('without a valid certificate of its own a workload sends nothing, and the log says so', async t => {
  const { lab, a, connect } = await setup();
  a.thread.removeCertificate('spiffe://cluster.local/ns/default/sa/client');
  const c = connect();
  await c.closed;
  t.match(
    (await a.access(1))[0],
    /error="no certificate for spiffe:\/\/cluster\.local\/ns\/default\/sa\/client yet/,
  );
  await lab.close();
});

test('an address outside the mesh is passed through', async t => {
  const { lab, a, client } = await setup();
  const outside = await lab.app(lab.ip(9), echo);
  const captured = await lab.capture(a, client, 'outbound', { ip: lab.ip(9), port: outside });
  const c = lab.client(lab.ip(1), captured);
  c.socket.end('plain');
  await c.until(() => c.ended);
  t.equal(c.text, 'plain');
  t.notMatch((await a.access(1))[0], /hbone_addr/);
  await lab.close();
});

test('plaintext from outside the mesh: let in, or refused where policy asks for an identity', async t => {
  const { lab, b, server, appPort } = await setup();
  const captured = await lab.capture(b, server, 'inboundPlaintext', { ip: lab.ip(2), port: appPort });
  const outsider = lab.client(lab.ip(2), captured);
  outsider.socket.end('hi');
  await outsider.until(() => outsider.ended);
  t.equal(outsider.text, 'hi');
  const strict = policy('istio_converted_static_strict', 'deny', [{ notPrincipals: [{ kind: 'presence' }] }]);
  lab.apply({
    policies: [strict],
    workloads: [{ ...server, authorizationPolicies: ['default/istio_converted_static_strict'] }],
  });
  const refused = lab.client(lab.ip(2), captured);
  await refused.closed;
  t.equal(refused.text, '');
  t.match(
    (await b.access(2))[1],
    /error="denied by default\/istio_converted_static_strict rule 0: mutual TLS is required/,
  );
  await lab.close();
});

test('a packet that is addressed to another host is not forwarded from the pod that got it', async t => {
  const { lab, b, server } = await setup();
  const elsewhere = await lab.app(lab.ip(9), echo);
  const captured = await lab.capture(b, server, 'inboundPlaintext', { ip: lab.ip(9), port: elsewhere });
  const neighbour = lab.client(lab.ip(2), captured);
  neighbour.socket.write('hi');
  await neighbour.closed;
  t.equal(neighbour.text, '');
  t.match((await b.access(1))[0], new RegExp(`error="${lab.ip(9)} is not an address of this pod`));
  await lab.close();
});

test('a handshake that outlasts its workload gives no session', async t => {
  const { lab, b, server } = await setup();
  const identity = 'spiffe://cluster.local/ns/default/sa/client';
  const engine = createTestEngine({ clock: systemClock });
  const remote = { ip: lab.ip(2), port: 15008 };
  const tcp = await engine.connect({ remote, timeoutMs: 5_000 });
  // Accepted, as another connection behind it shows that was served; its handshake has not begun.
  const other = new ChannelRecorder(await engine.connect({ remote, timeoutMs: 5_000 }));
  other.channel.write(Buffer.from('this is not TLS'));
  await other.until(() => other.ended || other.closed);
  other.channel.end();
  await other.close();
  await b.thread.leave(`uid-${server.name}`, 0);
  const context = engine.createTlsContext(await lab.ca.issue(identity));
  const secure = await engine.secureClient(tcp, context, {
    alpn: ['h2'],
    timeoutMs: 5_000,
    verifyPeer: true,
  });
  const end = new ChannelRecorder(secure);
  await end.until(() => end.ended || end.closed);
  const bytes = Buffer.from(end.text, 'latin1');
  t.equal(bytes.includes(Buffer.from('7fffffff00000000', 'hex')), false, 'no GOAWAY that takes more streams');
  secure.end();
  await end.close();
  await lab.close();
});

test('a workload the controller has not told about yet takes nothing in: its policies are not known', async t => {
  const { lab, b, server, connect } = await setup();
  b.thread.apply({ ...emptied, removedWorkloads: [server.uid] });
  const c = connect();
  await c.closed;
  t.match(
    (await b.access(1))[0],
    /error="the controller has not told about Kubernetes\/\/Pod\/default\/orders-1 yet/,
  );
  await lab.close();
});

test('draining: open connections go on, new ones are refused, the deadline cuts', async t => {
  const { lab, b, connect } = await setup();
  const c = connect();
  c.socket.write('x');
  await c.until(() => c.text === 'x');
  const drained = b.thread.drain(60_000);
  c.socket.write('y');
  await c.until(() => c.text === 'xy');
  const d = connect();
  await d.closed;
  t.equal(d.text, '', 'nobody accepts any more');
  c.socket.end();
  await c.until(() => c.ended);
  t.equal(await drained, 0, 'over as soon as the last connection has ended');
  await lab.close();
});

test('at the end of the drain what is left is cut', async t => {
  const { lab, b, connect } = await setup();
  const c = connect();
  c.socket.write('x');
  await c.until(() => c.text === 'x');
  t.equal(await b.thread.drain(20), 1);
  await c.closed;
  t.match((await b.access(1))[0], /error="cut at the end of the drain of 20 ms"/);
  await lab.close();
});

test('a slow reader holds up the sender, not the memory, and not its neighbours', async t => {
  const TOTAL = 48 << 20;
  const chunk = Buffer.alloc(1 << 18, 'x');
  const sent: number[] = [];
  const { lab, connect } = await setup(socket => {
    const index = sent.push(0) - 1;
    const push = (): void => {
      while ((sent[index] ?? 0) < TOTAL) {
        sent[index] = (sent[index] ?? 0) + chunk.length;
        if (!socket.write(chunk)) {
          socket.once('drain', push);
          return;
        }
      }
      socket.end();
    };
    push();
  });
  const slow = connect();
  await slow.until(() => slow.text.length > 0);
  slow.socket.pause();
  const neighbour = connect();
  neighbour.socket.removeAllListeners('data');
  let received = 0;
  await new Promise<void>(resolve => {
    neighbour.socket.on('data', (data: Buffer) => (received += data.length));
    neighbour.socket.on('end', resolve);
  });
  t.equal(received, TOTAL, 'the neighbour on the same HBONE connection gets everything');
  t.ok((sent[0] ?? 0) < TOTAL, 'while the sender to the slow one is stopped by full windows');
  await lab.close();
});

test('a handshake that is never finished ends in time', async t => {
  const lab = await MeshLab.create();
  const a = lab.node({ connectTimeoutMs: 200 });
  const client = workload('client', { addresses: [lab.ip(1)] });
  const mute = workload('mute', { addresses: [lab.ip(2)] });
  lab.apply({ workloads: [client, mute] });
  await lab.enrol(a, client);
  await lab.app(lab.ip(2), () => undefined, 15008);
  const captured = await lab.capture(a, client, 'outbound', { ip: lab.ip(2), port: 80 });
  const c = lab.client(lab.ip(1), captured);
  await c.closed;
  t.match((await a.access(1))[0], /\terror\t.*error=".*200 ms/);
  await lab.close();
});

test('SOCKS5: a workload that is not captured asks by name', async t => {
  const { lab, a, connect: _, orders } = await setup();
  const c = lab.client(lab.ip(1), 15080);
  const name = Buffer.from('orders');
  c.socket.write(Buffer.from([5, 1, 0]));
  await c.until(() => c.text.length === 2);
  c.socket.write(Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, Buffer.from([0, 80])]));
  await c.until(() => c.text.length === 12);
  t.equal(Buffer.from(c.text, 'latin1').toString('hex'), '0500' + '05000001000000000000');
  c.socket.end('by name');
  await c.until(() => c.ended);
  t.equal(c.text.slice(12), 'by name');
  t.match((await a.access(1))[0], new RegExp(`dst\\.service="${orders.hostname}"`));
  await lab.close();
});

test('SOCKS5: what cannot be reached is answered with a code, and logged once', async t => {
  const { lab, a } = await setup();
  const ask = async (request: number[]): Promise<string> => {
    const c = lab.client(lab.ip(1), 15080);
    c.socket.write(Buffer.from([5, 1, 0, ...request]));
    await c.until(() => c.ended);
    c.socket.end();
    return Buffer.from(c.text, 'latin1').toString('hex', 2, 4);
  };
  t.equal(await ask([5, 1, 0, 3, 3, 0x6e, 0x6f, 0x70, 0, 80]), '0504', 'a name nobody has: host unreachable');
  const free = lab.ip(200).split('.').map(Number);
  t.equal(await ask([5, 1, 0, 1, ...free, 0, 9]), '0505', 'connection refused');
  t.equal(await ask([5, 2, 0, 1, 127, 0, 0, 1, 0, 80]), '0507', 'BIND is not supported');
  t.equal((await a.access(3)).length, 3);
  await lab.close();
});

const emptied = {
  workloads: [],
  removedWorkloads: [],
  services: [],
  removedServices: [],
  policies: [],
  removedPolicies: [],
  routes: [],
  removedRoutes: [],
};
export type { LabNode, Workload };
