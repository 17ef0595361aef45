import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { test } from 'tap';
import { testEngineName } from '#shared/testing/engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { delta } from '#shared/testing/topology.ts';
import { type WorkerLink, workerThreads } from '#shared/workers/worker-link.ts';
import { countMemory } from '../connections/shared-count.ts';
import { seriesOf } from '#shared/testing/series.ts';
import { dedicatedWorkload } from '../control/dedicated-workload.ts';
import { MeshLab } from '../testing/mesh-lab.ts';
import { testSettings } from '../testing/settings.ts';
import type { ZtunnelProtocol } from './messages.ts';
import { WorkerPool, YOUNG_GENERATION_MB } from './worker-pool.ts';

const ENTRY = new URL('./worker-main.ts', import.meta.url);

/** SOCKS5 to the client itself: through the thread and back to a server here. */
function roundTrip(ip: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const socket = createConnection({ host: ip, port: 15080, localAddress: ip });
    let text = '';
    socket.on('data', data => {
      text += data.toString('latin1');
      const address = ip.split('.').map(Number);
      if (text.length === 2) socket.write(Buffer.from([5, 1, 0, 1, ...address, port >> 8, port & 255]));
      if (text.length === 12) socket.end('hello');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text.slice(12)));
    socket.write(Buffer.from([5, 1, 0]));
  });
}

/** A tunnel through the SOCKS5 listener that stays open. */
function heldConnection(ip: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: ip, port: 15080 });
    const address = Buffer.from([...ip.split('.').map(Number), port >> 8, port & 0xff]);
    let received = 0;
    socket.on('error', error => (received > 2 ? undefined : reject(error)));
    socket.on('data', bytes => {
      if (received === 0) socket.write(Buffer.concat([Buffer.from([5, 1, 0, 1]), address]));
      received += bytes.length;
      if (received > 2) resolve(socket);
    });
    socket.write(Buffer.from([5, 1, 0]));
  });
}

test('real threads share the listening sockets; one that dies is replaced and the others go on', async t => {
  const lab = await MeshLab.create();
  const ip = lab.ip(1);
  const links: WorkerLink<ZtunnelProtocol>[] = [];
  const spawnThread = workerThreads<ZtunnelProtocol>({
    entry: ENTRY,
    maxHeapMb: 128,
    youngGenerationMb: YOUNG_GENERATION_MB,
  });
  const metrics = new MetricSet();
  const pool = new WorkerPool({
    count: 2,
    spawn: (init, events) => {
      const link = spawnThread(init, events);
      links.push(link);
      return link;
    },
    init: {
      settings: {
        ...testSettings,
        connections: {
          perPod: 40,
          room: 1_000,
          roomIs: 'a test',
          sharesFairly: true,
          threads: 2,
          used: countMemory(2, 1),
        },
      },
      log: { format: 'text', level: 'error', scopes: {} },
      engine: testEngineName(),
    },
    wholeMesh: () => delta({}),
    clock: systemClock,
    random: Math.random,
    logger: quietLogger,
    metrics,
  });
  await pool.start();
  pool.meshKnown();
  const socks5 = { ip, port: 15080 };
  const { assignment, close } = dedicatedWorkload({
    namespace: 'default',
    name: 'p',
    serviceAccount: 'p',
    ip,
    socks5,
  });
  await pool.enrol(assignment);
  const server: Server = createServer(socket => socket.pipe(socket));
  await new Promise<void>(resolve => server.listen(0, ip, resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const answers = await Promise.all(Array.from({ length: 40 }, () => roundTrip(ip, port)));
  t.ok(answers.every(answer => answer === 'hello'));
  const opened = (await pool.metrics()).map(
    families =>
      families
        .find(f => f.name === 'istio_tcp_connections_opened_total')
        ?.series.reduce((n, s) => n + s.value, 0) ?? 0,
  );
  t.equal(opened.length, 2);
  t.equal(
    opened.reduce((a, b) => a + b),
    40,
    'the counters of all threads add up',
  );

  const outbound = (): number | undefined => {
    pool.updateMetrics();
    return seriesOf(metrics.snapshot(), 'ambient_pod_connections')['default p outbound'];
  };
  while (outbound() !== 0) await new Promise(resolve => setImmediate(resolve));
  const held = await Promise.all(Array.from({ length: 40 }, () => heldConnection(ip, port)));
  t.equal(outbound(), 40);
  await t.rejects(heldConnection(ip, port), { code: 'ECONNRESET' }, 'whichever thread is asked');
  const [carried = [], others = []] = await pool.connections();
  t.equal(carried.length + others.length, 40, 'of both threads together');
  await links[0]?.terminate();
  // Nobody waits for a thread that is gone: its descriptors are closed with it.
  while (held.filter(socket => socket.closed).length < carried.length)
    await new Promise(resolve => setImmediate(resolve));
  t.equal(held.filter(socket => !socket.closed).length, held.length - carried.length, "the others' live on");
  t.equal(outbound(), held.length - carried.length, 'and their places are free');
  for (const socket of held) socket.destroy();
  t.equal(await roundTrip(ip, port), 'hello', 'the other thread serves meanwhile');
  while (pool.readyWorkers < 2) await new Promise(resolve => setImmediate(resolve));
  t.equal(links.length, 3);
  t.equal(metrics.snapshot()[0]?.series[0]?.value, 1, 'counted');
  t.equal(await roundTrip(ip, port), 'hello');

  // The client knows of the end a moment before the thread has let go of it.
  let open = await pool.connections();
  while (open.flat().length > 0) open = await pool.connections();
  t.strictSame(open, [[], []], 'of each thread: none');
  t.equal(outbound(), 0);
  await pool.drain(1_000);
  close();
  await pool.stop();
  t.match(await roundTrip(ip, port), '', 'nobody listens any more');
  await new Promise<void>(resolve => server.close(() => resolve()));
  await lab.close();
});
