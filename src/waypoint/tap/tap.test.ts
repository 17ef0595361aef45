import { createServer, get } from 'node:http';
import { test } from 'tap';
import { AdminServer } from '#shared/observability/admin-server.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { endpointOf, noRoutes, service, waypointOf, workload } from '#shared/testing/topology.ts';
import { WaypointLab } from '../testing/waypoint-lab.ts';
import { tapRoute } from './tap-route.ts';
import { TapSessions } from './tap-sessions.ts';

const GATEWAY = service('waypoint');

/** Lines of a tap of the waypoint, from its admin address. */
async function watch(port: number, query: string): Promise<{ status: number; lines: AsyncIterator<string> }> {
  const res = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: `/debug/tap?${query}`, agent: false }, resolve).on('error', reject);
  });
  return { status: res.statusCode ?? 0, lines: linesOf(res) };
}

async function* linesOf(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = '';
  for await (const part of source) {
    const lines = (rest + part.toString()).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

test('a request through the waypoint is seen at its admin address while it passes', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const app = createServer((_, res) => res.end('paid'));
  const ports = [
    { servicePort: 80, targetPort: await lab.app(app, lab.ip(10)), appProtocol: 'http11' as const },
  ];
  const echo = { ...service('echo', { vip: '10.96.0.10', waypoint: waypointOf(GATEWAY) }), ports };
  const pod = workload('echo-1', { addresses: [lab.ip(10)], services: endpointOf(echo) });
  await lab.enrol(pod);
  lab.apply({ services: [GATEWAY, echo], workloads: [pod], routes: [noRoutes(echo)] });
  const port = await lab.client('10.96.0.10', 80);

  const started = Promise.withResolvers<void>();
  const sessions = new TapSessions({
    clock: systemClock,
    command: command => {
      lab.thread.tap(command);
      started.resolve();
    },
  });
  t.teardown(() => sessions.close());
  lab.onEvent = event => {
    if (event.kind === 'tap') sessions.onEvents(event.tap, event.events);
  };
  const admin = new AdminServer([tapRoute(sessions)], quietLogger);
  t.teardown(() => admin.close());
  const adminPort = await admin.listen({ ip: '127.0.0.1', port: 0 });

  t.equal((await watch(adminPort, 'status=nope')).status, 400);
  const { lines, status } = await watch(adminPort, 'path=/pay&limit=1');
  t.equal(status, 200);
  await started.promise;
  for (const path of ['/other', '/pay']) {
    await new Promise(resolve =>
      get({ host: '127.0.0.1', port, path, agent: false }, res => res.resume().on('end', resolve)),
    );
  }
  const seen: unknown[] = [];
  for (let next = await lines.next(); next.done !== true; next = await lines.next())
    seen.push(JSON.parse(next.value));
  t.match(seen, [
    {
      event: 'request',
      method: 'GET',
      path: '/pay',
      'src.identity': 'spiffe://cluster.local/ns/default/sa/client',
    },
    { event: 'response', response_code: 200 },
    { event: 'end', 'dst.workload': 'echo-1', attempts: 1, response_flags: '-' },
  ]);
  t.equal(seen.length, 3, 'the tap ends by itself at its limit');
});
