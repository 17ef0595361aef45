import { createServer, createConnection, type Server, type Socket } from 'node:net';
import { test } from 'tap';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
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
  const mesh = await WaypointLab.create();
  t.teardown(() => mesh.close());
  const trafficPolicy = { ...NO_TRAFFIC_POLICY, ...policy };
  const { port } = await deploy(mesh, [echo(chatty)], () => ({ trafficPolicy }), 'tcp');
  const socket = createConnection(port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  socket.write('hello');
  return { mesh, socket };
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
