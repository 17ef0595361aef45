import { once } from 'node:events';
import { createServer } from 'node:http';
import { createConnection, createServer as createTcpServer, type Socket } from 'node:net';
import { test } from 'tap';
import { ANY_HTTP_REQUEST } from '#shared/authz/policy.ts';
import { NO_ROUTES, type ServiceRoutes } from '#shared/route/model.ts';
import { seriesOf } from '#shared/testing/series.ts';
import { endpointOf, policy, service, waypointOf, workload } from '#shared/testing/topology.ts';
import type { Workload } from '#shared/workload/workload.ts';
import { ask, GATEWAY, WAYPOINT } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

/** Connections to a workload's own address, which go through a waypoint that is for workloads. */

interface Test {
  teardown(end: () => unknown): void;
}

function held(of: Workload, fields: Partial<ServiceRoutes> = {}): ServiceRoutes {
  return { ...NO_ROUTES, namespace: of.namespace, hostname: of.uid, ...fields };
}

const NO_POST = policy('no-post', 'deny', [
  { http: { ...ANY_HTTP_REQUEST, methods: [{ kind: 'exact', value: 'POST' }] } },
]);

async function labWith(
  t: Test,
  fields: Partial<Workload> = {},
): Promise<{ lab: WaypointLab; pod: Workload }> {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const pod = workload('orders', { addresses: [lab.ip(10)], waypoint: WAYPOINT, ...fields });
  lab.apply({ services: [GATEWAY], workloads: [pod], routes: [held(pod)] });
  await lab.enrol(pod);
  return { lab, pod };
}

test('HTTP to any port of it: its policies hold, it is told of under its own name, and as no service', async t => {
  const { lab, pod } = await labWith(t);
  const port = await lab.app(
    createServer((req, res) => res.end(`${req.method} ${req.headers.host}`)),
    lab.ip(10),
  );
  const at = await lab.client(lab.ip(10), port);
  t.match(await ask(at, { headers: { host: 'whoever' } }), { status: 200, body: 'GET whoever' });
  t.equal((await ask(at, { body: 'x' })).status, 200);
  lab.apply({ routes: [held(pod, { authorizationPolicies: [NO_POST] })] });
  t.equal((await ask(at, { body: 'x' })).status, 403);
  t.equal((await ask(at)).status, 200);
  const [first, , denied] = await lab.access(4);
  t.match(first, /dst\.workload="orders" dst\.namespace="default"/);
  t.notMatch(first, 'dst.service');
  t.match(denied, /response_flags="UAEX".*error="denied by default\/no-post rule 0"/);
  const requests = seriesOf(lab.thread.metrics(), 'istio_requests_total');
  t.equal(
    Object.keys(requests).every(labels => labels.includes('unknown unknown unknown')),
    true,
  );
});

function closed(socket: Socket): Promise<unknown> {
  return new Promise(resolve => socket.once('close', resolve));
}

test('what is not HTTP: bytes go both ways, and a policy that comes cuts', async t => {
  const { lab, pod } = await labWith(t);
  const server = createTcpServer(socket => {
    socket.on('error', () => {});
    socket.write('hello');
    socket.pipe(socket);
  });
  const services = endpointOf({
    ...service('db'),
    ports: [{ servicePort: 5432, targetPort: await lab.app(server, lab.ip(10)), appProtocol: 'tcp' }],
  });
  const [[declared] = []] = [...services.values()];
  lab.apply({ workloads: [{ ...pod, services }] });
  const at = await lab.client(lab.ip(10), declared?.targetPort ?? 0);
  const open = (): Socket => createConnection(at, '127.0.0.1').on('error', () => {});
  const socket = open();
  t.equal(
    String((await once(socket, 'data'))[0]),
    'hello',
    'a Service that leads there says that the server may speak first',
  );
  const cut = closed(socket);
  lab.apply({ routes: [held(pod, { authorizationPolicies: [policy('nobody', 'deny', [{}])] })] });
  await cut;
  await closed(open());
  for (const line of await lab.access(2)) t.match(line, /response_flags="UAEX".*default\/nobody/);
});

const NOT_TAKEN: readonly [sentence: string, fields: Partial<Workload>, reason: RegExp][] = [
  ['it asks for no waypoint', { waypoint: undefined }, /workload default\/orders does not use this waypoint/],
  [
    'it asks for another one',
    { waypoint: waypointOf(service('other')) },
    /workload default\/orders does not use this waypoint/,
  ],
  ['it has the address of its node', { networkMode: 'host_network' }, /is no service known to this waypoint/],
];

test('a workload that does not ask for this waypoint is not reached by way of it', async t => {
  const { lab, pod } = await labWith(t);
  const port = await lab.app(
    createServer((_, res) => res.end('in')),
    lab.ip(10),
  );
  const at = await lab.client(lab.ip(10), port);
  for (const [sentence, fields, reason] of NOT_TAKEN) {
    lab.apply({ workloads: [{ ...pod, ...fields }] });
    await t.rejects(ask(at), sentence);
    t.match(lab.lines.at(-1), /CONNECT refused/, sentence);
    t.match(lab.lines.at(-1), reason, sentence);
    lab.apply({ workloads: [pod] });
    t.equal((await ask(at)).body, 'in', `${sentence}, and then does again`);
  }
  lab.apply({ removedWorkloads: [pod.uid], removedRoutes: [`${pod.namespace}/${pod.uid}`] });
  await t.rejects(ask(at), 'it is gone');
});
