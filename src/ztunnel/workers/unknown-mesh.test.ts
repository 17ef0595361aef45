import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'tap';
import { endpointOf, port, service, workload } from '#shared/testing/topology.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';
import { echo, MeshLab } from '../testing/mesh-lab.ts';

const VIP = { ip: '10.96.0.1', port: 80 };
const UNKNOWN = /error="the configuration of the mesh is not known yet: /;

/** A client on a node that knows nothing yet, a server on one that knows the mesh, and who has reached its application. */
async function setup(settings: Partial<TrafficSettings> = {}) {
  const lab = await MeshLab.create();
  const a = lab.node(settings, { knowsMesh: false });
  const b = lab.node(settings);
  const reached: Socket[] = [];
  const appPort = await lab.app(lab.ip(2), socket => {
    reached.push(socket);
    echo(socket);
  });
  const orders = service('orders', { vip: VIP.ip, ports: [port(80, appPort)] });
  const client = workload('client', { addresses: [lab.ip(1)] });
  const server = workload('orders-1', { addresses: [lab.ip(2)], services: endpointOf(orders) });
  const mesh = { workloads: [client, server], services: [orders] };
  b.thread.apply(lab.delta(mesh));
  await lab.enrol(a, client);
  await lab.enrol(b, server);
  return { lab, a, b, client, server, mesh, appPort, reached };
}

test('a connection that comes before the mesh is known waits, and then goes as the mesh says', async t => {
  const { lab, a, b, client, mesh, appPort, reached } = await setup();
  const direct = await lab.capture(a, client, 'outbound', { ip: lab.ip(2), port: appPort });
  const c = lab.client(lab.ip(1), direct);
  c.socket.end('hello');
  const counts = a.counts(`capture-${direct}`);
  while (counts.outbound.total === 0) await nextTurn();
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  t.equal(reached.length, 0, 'it is not sent on as to a stranger');
  a.thread.apply(lab.delta(mesh));
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  t.equal(reached.length, 0, 'nor while a part of it may be missing');
  a.thread.meshKnown();
  await c.until(() => c.ended);
  t.equal(c.text, 'hello');
  t.match((await a.access(1))[0], /dst\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/orders-1"/);
  t.match((await b.access(1))[0], /src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client"/);
  await lab.close();
});

test('the wait is bounded; then connections are refused at once, with the reason, and never sent on', async t => {
  const { lab, a, client, mesh, appPort, reached } = await setup({ connectTimeoutMs: 250 });
  const direct = await lab.capture(a, client, 'outbound', { ip: lab.ip(2), port: appPort });
  const service = await lab.capture(a, client, 'outbound', VIP);
  const waiting = lab.client(lab.ip(1), direct);
  await waiting.closed;
  t.equal(waiting.error, 'ECONNRESET');
  for (const at of [direct, service]) {
    const refused = lab.client(lab.ip(1), at);
    await refused.closed;
    t.equal(refused.error, 'ECONNRESET');
  }
  const lines = await a.access(3);
  for (const line of lines) t.match(line, UNKNOWN);
  t.match(lines[2], /duration="\d{1,2}ms"/, 'at once');
  t.equal(reached.length, 0);
  t.equal(a.counts(`capture-${direct}`).outbound.total, 0);
  a.thread.apply(lab.delta(mesh));
  a.thread.meshKnown();
  const served = lab.client(lab.ip(1), service);
  served.socket.end('hello');
  await served.until(() => served.ended);
  t.equal(served.text, 'hello', 'and when it is known they go');
  await lab.close();
});

test('a pod that leaves while its connections wait has none of them sent on', async t => {
  const { lab, a, client, mesh, appPort, reached } = await setup();
  const direct = await lab.capture(a, client, 'outbound', { ip: lab.ip(2), port: appPort });
  const c = lab.client(lab.ip(1), direct);
  const counts = a.counts(`capture-${direct}`);
  while (counts.outbound.total === 0) await nextTurn();
  await a.thread.leave(`capture-${direct}`, 0);
  a.thread.apply(lab.delta(mesh));
  a.thread.meshKnown();
  await c.closed;
  t.equal(c.error, 'ECONNRESET');
  t.equal(reached.length, 0);
  t.equal(counts.outbound.total, 0);
  await lab.close();
});

test('nobody is let in while a part of the mesh, and so a policy, may be missing', async t => {
  const { lab, a, b, client, mesh } = await setup();
  let reached = 0;
  const at = await lab.app(lab.ip(1), () => reached++);
  const plaintext = await lab.capture(a, client, 'inboundPlaintext', { ip: lab.ip(1), port: at });
  a.thread.apply(lab.delta(mesh));
  const stranger = lab.client(lab.ip(1), plaintext);
  await stranger.closed;
  t.equal(stranger.error, 'ECONNRESET');
  const captured = await lab.capture(b, mesh.workloads[1] ?? client, 'outbound', { ip: lab.ip(1), port: at });
  const peer = lab.client(lab.ip(2), captured);
  await peer.closed;
  t.equal(peer.error, 'ECONNRESET');
  for (const line of await a.access(2)) t.match(line, UNKNOWN);
  t.match((await b.access(1))[0], /refused with 503/);
  t.equal(reached, 0);
  await lab.close();
});
