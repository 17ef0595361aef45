import { test } from 'tap';
import { createTestEngine } from '#shared/testing/engine.ts';
import type { SecureChannel } from '#shared/engine/engine.ts';
import { serveHbone } from '#shared/hbone/server.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { endpointOf, port, service, workload } from '#shared/testing/topology.ts';
import { workloadIdentity } from '#shared/workload/workload.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';
import { echo, MeshLab } from '../testing/mesh-lab.ts';

/** A client pod on node A, a server pod on node B, and an application on it; `enrolServer` false: nobody serves HBONE there. */
async function setup(
  settings: Partial<TrafficSettings> = {},
  onConnection: Parameters<MeshLab['app']>[1] = echo,
  enrolServer = true,
) {
  const lab = await MeshLab.create();
  const a = lab.node(settings);
  const b = lab.node(settings);
  const client = workload('client', { addresses: [lab.ip(1)] });
  const appPort = await lab.app(lab.ip(2), onConnection);
  const orders = service('orders', { vip: '10.96.0.1', ports: [port(80, appPort)] });
  const server = workload('orders-1', { addresses: [lab.ip(2)], services: endpointOf(orders) });
  lab.apply({ workloads: [client, server], services: [orders] });
  await lab.enrol(a, client);
  if (enrolServer) await lab.enrol(b, server);
  const captured = await lab.capture(a, client, 'outbound', { ip: '10.96.0.1', port: 80 });
  return { lab, a, b, client, server, connect: () => lab.client(lab.ip(1), captured) };
}

test('half-closed and quiet: cut on both sides after the timeout, and logged', async t => {
  // The application reads to the end and then neither answers nor closes.
  const { lab, a, b, connect } = await setup({ halfClosedTimeoutMs: 60 }, socket => void socket.resume());
  const c = connect();
  c.socket.end('over to you');
  await c.closed;
  const [out, inn] = [(await a.access(1))[0] ?? '', (await b.access(1))[0] ?? ''];
  t.match(out + inn, /error="half-closed with no data for 60 ms"/);
  t.same([a.thread.connections.live.length, b.thread.connections.live.length], [0, 0]);
  await lab.close();
});

test('a ztunnel that is killed takes its connections with it, and serves again when it is back', async t => {
  const { lab, a, b, server, connect } = await setup();
  const c = connect();
  c.socket.write('x');
  await c.until(() => c.text === 'x');
  await b.thread.close();
  await c.closed;
  t.equal(c.error, 'ECONNRESET', 'never a silent end');
  const refused = connect();
  await refused.closed;
  t.equal(refused.text, '');
  t.match((await a.access(2))[1], /error=".*(nothing listens there|reset|abruptly)/);
  await lab.enrol(lab.node(), server);
  for (;;) {
    // The pool waits a little before it dials a peer again that has refused it.
    const d = connect();
    d.socket.end('again');
    await d.closed;
    if (d.text === 'again') break;
  }
  t.pass('connected again');
  await lab.close();
});

test('a peer that finishes the handshake and then says nothing is given up in time', async t => {
  const { lab, a, server, connect } = await setup({ connectTimeoutMs: 1_000 }, echo, false);
  const engine = createTestEngine({ clock: systemClock });
  const context = engine.createTlsContext(await lab.ca.issue(workloadIdentity(server)));
  const held: SecureChannel[] = [];
  const listener = await engine.listen({ ip: lab.ip(2), port: 15008 }, channel => {
    const tls = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
    void engine.secureServer(channel, context, tls).then(secure => held.push(secure));
  });
  const c = connect();
  await c.closed;
  t.match((await a.access(1))[0], /error="HBONE tunnel to .* not open within 1000 ms/);
  t.equal(a.thread.connections.live.length, 0);
  await listener.close();
  await lab.close();
  for (const secure of held) {
    await new Promise<void>(resolve => {
      secure.setHandler({ onData() {}, onEnd: () => secure.end(), onDrain() {}, onClose: () => resolve() });
    });
  }
});

test('a peer that no longer reads is dead after a PING: its connections are cut, not left hanging', async t => {
  const http2 = { pingIntervalMs: 40, pingTimeoutMs: 1_000 };
  const { lab, a, server, connect } = await setup({ http2 }, echo, false);
  const engine = createTestEngine({ clock: systemClock });
  const context = engine.createTlsContext(await lab.ca.issue(workloadIdentity(server)));
  const closed = Promise.withResolvers<void>();
  let secured: SecureChannel | undefined;
  const listener = await engine.listen({ ip: lab.ip(2), port: 15008 }, channel => {
    const tls = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
    void engine.secureServer(channel, context, tls).then(secure => {
      secured = secure;
      serveHbone(secure, {
        clock: systemClock,
        onConnect: connect => void connect.accept().write(Buffer.from('x')),
        onClose: () => closed.resolve(),
      });
    });
  });
  const c = connect();
  await c.until(() => c.text === 'x');
  // As a machine that has lost its power or its network looks from outside: nothing comes, not even a reset.
  secured?.pause();
  await c.closed;
  t.equal(c.error, 'ECONNRESET');
  t.match((await a.access(1))[0], /error=".*no answer to PING in 1000 ms/);
  secured?.resume();
  await closed.promise;
  await listener.close();
  await lab.close();
});

test('a client that gives up while its connection is being made leaves nothing behind', async t => {
  const { lab, a, b, connect } = await setup();
  for (let i = 0; i < 20; i++) {
    const c = connect();
    await new Promise(resolve => c.socket.once('connect', resolve));
    c.socket.resetAndDestroy();
    await c.closed;
  }
  await a.access(20);
  const d = connect();
  d.socket.end('last');
  await d.until(() => d.ended);
  t.equal(d.text, 'last');
  await a.access(21);
  t.equal(a.thread.connections.live.length, 0);
  t.equal(await b.thread.drain(5_000), 0);
  await lab.close();
});

test('a peer that resets its connection in the middle of a handshake costs that connection alone', async t => {
  const { lab, b, connect } = await setup();
  for (const bytes of ['', '\x16\x03\x01', '\x16\x03\x01\x02\x00\x01']) {
    const stranger = lab.client(lab.ip(2), 15008);
    await new Promise(resolve => stranger.socket.once('connect', resolve));
    stranger.socket.write(Buffer.from(bytes, 'latin1'));
    stranger.socket.resetAndDestroy();
    await stranger.closed;
  }
  const c = connect();
  c.socket.end('unharmed');
  await c.until(() => c.ended);
  t.equal(c.text, 'unharmed');
  t.equal((await b.access(1)).length, 1, 'who never said what for is in no access log');
  await lab.close();
});
