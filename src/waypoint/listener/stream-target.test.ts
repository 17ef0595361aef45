import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import type { AuthorizationPolicy, Match } from '#shared/authz/policy.ts';
import type { StreamRule } from '#shared/route/stream-rule.ts';
import { endpointOf, noRoutes, policy, service, workload } from '#shared/testing/topology.ts';
import type { AppProtocol } from '#shared/workload/workload.ts';
import { answerTo, clientHello } from '../testing/client-hello.ts';
import { GATEWAY, VIP, WAYPOINT } from '../testing/deploy.ts';
import { WaypointLab } from '../testing/waypoint-lab.ts';

const RULE: StreamRule = {
  name: 'rule',
  protocol: 'tcp',
  ports: [],
  consumer: undefined,
  callers: [],
  matches: [],
  backends: [],
  idleTimeoutMs: undefined,
};
const to = (name: string): StreamRule['backends'] => [
  {
    weight: 1,
    service: `default/${name}.default.svc.cluster.local`,
    port: 80,
    subset: undefined,
    filters: [],
  },
];
const tls = (name: string, serverName: string): StreamRule => ({
  ...RULE,
  name,
  protocol: 'tls',
  matches: [{ serverNames: [serverName], destinationIps: [], sourceIps: [], source: undefined }],
  backends: to(name),
});

interface Declared {
  readonly policies?: readonly AuthorizationPolicy[];
  readonly protocol?: AppProtocol;
}

/** A mesh whose service `front` has these stream rules; each backend answers its own name to the first bytes. */
async function deployStreams(
  lab: WaypointLab,
  streamRules: readonly StreamRule[],
  { policies = [], protocol = 'tls' }: Declared = {},
): Promise<number> {
  const services = [];
  const workloads = [];
  for (const [i, name] of ['front', 'red', 'blue'].entries()) {
    const ip = lab.ip(10 + i);
    const app = createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(name));
    });
    const ports = [{ servicePort: 80, targetPort: await lab.app(app, ip), appProtocol: protocol }];
    const own = { ...service(name, name === 'front' ? { vip: VIP, waypoint: WAYPOINT } : {}), ports };
    const pod = workload(`${name}-1`, { addresses: [ip], services: endpointOf(own) });
    await lab.enrol(pod);
    services.push(own);
    workloads.push(pod);
  }
  const [front = GATEWAY] = services;
  lab.apply({
    services: [GATEWAY, ...services],
    workloads,
    routes: [noRoutes(front, { streamRules, authorizationPolicies: policies, routed: true })],
  });
  return lab.client(VIP, 80);
}

test('TLS goes by the name the client asks for, unopened; what no rule takes is closed', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const port = await deployStreams(lab, [tls('red', 'red.example.com'), tls('blue', '*.blue.example.com')]);
  const hello = clientHello('red.example.com');
  t.equal(await answerTo(port, hello), 'red');
  t.equal(await answerTo(port, hello.subarray(0, 7), hello.subarray(7)), 'red', 'in two parts');
  t.equal(await answerTo(port, clientHello('A.Blue.example.com')), 'blue');
  t.equal(await answerTo(port, clientHello('other.example.com')), '');
  t.equal(await answerTo(port, Buffer.from('hello, I am no TLS')), '');
  const lines = await lab.access(5);
  t.match(lines[3], /response_flags="?NR"?.*no route of .* takes TLS for .*other.example.com/);
  t.match(lines[4], /response_flags="?NR"?.*takes TCP/);
});

test('TCP goes by the first rule that matches', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const port = await deployStreams(lab, [
    { ...RULE, ports: [81], backends: to('red') },
    { ...RULE, backends: to('blue') },
  ]);
  t.equal(await answerTo(port, Buffer.from('x')), 'blue');
  const [line = ''] = await lab.access(1);
  t.match(line, /dst.workload="blue-1"/);
});

test('TCP goes by the address of the client: the one it proves, not the one its tunnel says', async t => {
  for (const [sentence, isKnown, expected] of [
    ['a workload with the identity of the tunnel has the address', true, 'red'],
    ['nobody has it: the address is that of the peer', false, 'blue'],
  ] as const) {
    const lab = await WaypointLab.create();
    t.teardown(() => lab.close());
    const match = { serverNames: [], destinationIps: [], source: undefined };
    const from = (ip: string): StreamRule['matches'] => [{ ...match, sourceIps: [{ ip, prefixLength: 32 }] }];
    const port = await deployStreams(lab, [
      { ...RULE, matches: from(lab.ip(2)), backends: to('red') },
      { ...RULE, matches: from('127.0.0.1'), backends: to('blue') },
    ]);
    const client = workload('client-1', { addresses: [lab.ip(2)], serviceAccount: 'client' });
    if (isKnown) lab.apply({ workloads: [client] });
    t.equal(await answerTo(port, Buffer.from('x')), expected, sentence);
  }
});

test('without stream rules a connection goes to the service itself; to a backend that is not there it is closed', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  t.equal(await answerTo(await deployStreams(lab, []), Buffer.from('x')), 'front');
  const other = await WaypointLab.create();
  t.teardown(() => other.close());
  t.equal(
    await answerTo(await deployStreams(other, [{ ...RULE, backends: to('nobody') }]), Buffer.from('x')),
    '',
  );
  t.match((await other.access(1))[0], /response_flags="?NC"?/);
});

const SECRET: Partial<Match> = { serverNames: [{ kind: 'exact', value: 'secret.example.com' }] };
const SOME: Partial<Match> = { serverNames: [{ kind: 'suffix', value: '.example.com' }] };

for (const protocol of ['tls', 'tcp', 'unknown'] as const) {
  test(`connection.sni decides about TLS that is passed through, on a port that is declared ${protocol}`, async t => {
    const lab = await WaypointLab.create({ detectionTimeoutMs: 10_000 });
    t.teardown(() => lab.close());
    const policies = [policy('no-secret', 'deny', [SECRET]), policy('some', 'allow', [SOME])];
    const port = await deployStreams(lab, [], { policies, protocol });
    t.equal(await answerTo(port, clientHello('www.example.com')), 'front', 'a name that is allowed');
    t.equal(await answerTo(port, clientHello('Secret.example.com')), '', 'a name that is denied');
    t.equal(await answerTo(port, clientHello('secret.example.com.')), '', 'written in another way');
    t.equal(await answerTo(port, clientHello('www.other.com')), '', 'a name that is not allowed');
    t.equal(await answerTo(port, Buffer.from('hello, I am no TLS')), '', 'no name is not allowed');
    const lines = await lab.access(5);
    t.match(lines[1], /denied by default\/no-secret rule 0/);
    t.match(lines[3], /no ALLOW policy of default\/some matched/);
  });
}

test('a name that cannot be read is denied by a policy that asks for it, and by no other', async t => {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 1_000 });
  t.teardown(() => lab.close());
  const policies = [policy('no-secret', 'deny', [SECRET])];
  const port = await deployStreams(lab, [], { policies, protocol: 'tcp' });
  t.equal(await answerTo(port, clientHello('www.example.com')), 'front');
  t.equal(await answerTo(port, Buffer.from('no TLS')), 'front', 'what is no TLS asks for nobody');
  t.equal(
    await answerTo(port, Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])),
    '',
    'a hello too long to read',
  );
  t.equal(await answerTo(port), '', 'a client that is silent: it may begin TLS later');
  const open = await WaypointLab.create({ detectionTimeoutMs: 1_000 });
  t.teardown(() => open.close());
  const other = [policy('elsewhere', 'deny', [{ ...SECRET, destinationPorts: [1] }])];
  const openPort = await deployStreams(open, [], { policies: other, protocol: 'tcp' });
  t.equal(await answerTo(openPort, Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])), 'front');
});

test('TLS on a port that declares nothing is routed by name as well', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const port = await deployStreams(lab, [tls('red', 'red.example.com')], { protocol: 'unknown' });
  t.equal(await answerTo(port, clientHello('red.example.com')), 'red');
});

test('a policy that comes later is held against the name that was read, and cuts where none was', async t => {
  for (const [sentence, streamRules, expected] of [
    ['a route had it read', [tls('front', 'www.example.com')], 'open'],
    ['nobody had', [], 'cut'],
  ] as const) {
    const lab = await WaypointLab.create();
    t.teardown(() => lab.close());
    const app = createServer(socket => socket.on('error', () => undefined).pipe(socket));
    const ip = lab.ip(10);
    const ports = [{ servicePort: 80, targetPort: await lab.app(app, ip), appProtocol: 'tls' as const }];
    const front = { ...service('front', { vip: VIP, waypoint: WAYPOINT }), ports };
    const pod = workload('front-1', { addresses: [ip], services: endpointOf(front) });
    await lab.enrol(pod);
    const routes = { streamRules, routed: true };
    lab.apply({ services: [GATEWAY, front], workloads: [pod], routes: [noRoutes(front, routes)] });
    const socket = connect(await lab.client(VIP, 80), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(clientHello('www.example.com'));
    await once(socket, 'data');
    const authorizationPolicies = [policy('no-secret', 'deny', [SECRET])];
    lab.apply({ routes: [noRoutes(front, { ...routes, authorizationPolicies })] });
    const told = Promise.withResolvers<string>();
    socket.once('close', () => told.resolve('cut')).once('data', () => told.resolve('open'));
    socket.write('more');
    t.equal(await told.promise, expected, sentence);
    socket.destroy();
  }
});
