import { once } from 'node:events';
import { createServer, createConnection, type Server, type Socket } from 'node:net';
import { test } from 'tap';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { seriesOf } from '#shared/testing/series.ts';
import { deploy } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

/** Connections that are not HTTP, by `connectionPool.tcp`: what ends them is told by the log, not by a clock of ours. */

interface Test {
  teardown(end: () => unknown): void;
}

/** Sends back what it gets, and if `chatty` something every few milliseconds. */
function echo(chatty: boolean): Server {
  return createServer(socket => {
    socket.on('error', () => {});
    socket.pipe(socket);
    if (!chatty) return;
    const timer = setInterval(() => socket.write('.'), 5);
    socket.on('close', () => clearInterval(timer));
  });
}

async function connection(
  t: Test,
  policy: Partial<TrafficPolicy>,
  chatty: boolean,
): Promise<{ readonly mesh: WaypointLab; readonly socket: Socket }> {
  const { mesh, port } = await served(t, policy, [echo(chatty)]);
  return { mesh, socket: hello(t, port) };
}

async function served(
  t: Test,
  policy: Partial<TrafficPolicy>,
  servers: readonly Server[],
): Promise<{ readonly mesh: WaypointLab; readonly port: number }> {
  const mesh = await WaypointLab.create();
  t.teardown(() => mesh.close());
  const trafficPolicy = { ...NO_TRAFFIC_POLICY, ...policy };
  const { port } = await deploy(mesh, servers, () => ({ trafficPolicy }), 'tcp');
  return { mesh, port };
}

function closed(socket: Socket): Promise<unknown> {
  return new Promise(resolve => (socket.closed ? resolve(undefined) : socket.once('close', resolve)));
}

/** A client that greets the server behind the port. */
function hello(t: Test, port: number): Socket {
  const socket = createConnection(port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  socket.write('hello');
  return socket;
}

test('a connection on which nothing moves is ended after idleTimeout', async t => {
  const { mesh } = await connection(t, { tcpIdleTimeoutMs: 100 }, false);
  t.match((await mesh.access(1))[0], /idle with no data for 100 ms/);
});

test('however much moves, a connection is ended after maxConnectionDuration', async t => {
  const policy = { tcpIdleTimeoutMs: 60_000, maxConnectionDurationMs: 100 };
  const { mesh, socket } = await connection(t, policy, true);
  socket.resume();
  t.match((await mesh.access(1))[0], /maxConnectionDuration of 100 ms is over/);
});

test('beyond maxConnections a connection is refused at once, and one that has ended makes room', async t => {
  const { mesh, port } = await served(t, { maxConnections: 2 }, [echo(false), echo(false)]);
  const [first, second] = [hello(t, port), hello(t, port)];
  await Promise.all([once(first, 'data'), once(second, 'data')]);
  const third = hello(t, port);
  t.match(
    (await mesh.access(1))[0],
    /response_flags="UO".* error=".* maxConnections allows: 2 in this thread"/,
  );
  const failed = seriesOf(mesh.thread.metrics(), 'istio_tcp_connections_failed_total');
  t.match(Object.entries(failed), [[/ UO /, 1]]);
  await closed(third);
  first.end();
  t.match((await mesh.access(2))[1], /response_flags="-"/);
  const answer: readonly unknown[] = await once(hello(t, port), 'data');
  t.equal(String(answer[0]), 'hello');
});

test('a connection that cannot be made counts for maxConnections no longer than it is tried', async t => {
  const refuses = echo(false);
  const { mesh, port } = await served(t, { maxConnections: 1 }, [refuses]);
  refuses.close();
  await once(refuses, 'close');
  for (let i = 1; i <= 3; i++) {
    hello(t, port);
    t.match((await mesh.access(i))[i - 1], /response_flags="UF"/);
  }
});

test('a connection that is tried at one endpoint after the other counts for maxConnections once', async t => {
  const refuse = [echo(false), echo(false)];
  const { mesh, port } = await served(t, { maxConnections: 1 }, refuse);
  await Promise.all(refuse.map(server => once(server.close(), 'close')));
  for (let i = 1; i <= 2; i++) {
    hello(t, port);
    t.match((await mesh.access(i))[i - 1], /response_flags="UF"/);
  }
});
