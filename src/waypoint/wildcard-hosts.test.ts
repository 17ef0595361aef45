import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { test } from 'tap';
import { ANY_REQUEST } from '#shared/route/model.ts';
import { NO_TRAFFIC_POLICY } from '#shared/route/traffic-policy.ts';
import { routeRule } from '#shared/testing/route.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { endpointOf, noRoutes, service, workload } from '#shared/testing/topology.ts';
import { answerTo, clientHello } from './testing/client-hello.ts';
import { ask, GATEWAY, WAYPOINT } from './testing/deploy.ts';
import { HostsLab, naming } from './testing/hosts-lab.ts';
import { simpleTls } from './testing/simple-tls.ts';
import type { AppServer } from './testing/waypoint-lab.ts';

const VENDOR = 'default/*.vendor.test';
const WILDCARD = { hostname: '*.vendor.test' };
const BY_HOST = { endpointsByHost: true };
const PASSED = {
  loadBalancing: { routingPreference: [], mode: 'passthrough', healthPolicy: 'only_healthy' },
} as const;

/** `red` at .21 is a.vendor.test, `blue` at .22 b.vendor.test. */
async function twoHosts(
  t: { teardown(end: () => unknown): void },
  servers: ReadonlyMap<number, AppServer> = new Map([
    [21, naming('red')],
    [22, naming('blue')],
  ]),
): Promise<HostsLab> {
  const lab = await HostsLab.create(t);
  await lab.serve(servers);
  lab.names.set('a.vendor.test', [21]);
  lab.names.set('b.vendor.test', [22]);
  return lab;
}

function ports(lab: HostsLab, appProtocol: 'unknown' | 'http11' | 'tls' | 'tcp' = 'http11') {
  return [{ servicePort: 80, targetPort: lab.port, appProtocol }];
}

const asking = (host: string): { headers: { host: string } } => ({ headers: { host } });

test('a request to a wildcard goes to the addresses of the host it names', async t => {
  const lab = await twoHosts(t);
  const port = await lab.deploy({ ...WILDCARD, ports: ports(lab) }, BY_HOST);
  t.equal((await ask(port, asking('a.vendor.test'))).body, 'red a.vendor.test 0');
  t.equal((await ask(port, asking('b.vendor.test'))).body, 'blue b.vendor.test 0');
  t.equal((await ask(port, asking('A.Vendor.test:8080'))).body, 'red A.Vendor.test:8080 0');
  t.same(lab.lookups, ['a.vendor.test', 'b.vendor.test'], 'each name is looked up once');
  const [line = ''] = await lab.mesh.access(3);
  t.match(line, /dst.service="\*.vendor.test"/);
  t.match(line, new RegExp(`dst.workload="a.vendor.test".*`));
  t.match(line, new RegExp(`dst.addr="${lab.mesh.ip(21)}:${lab.port}"`));
});

test('requests wait until the host is found, with what they send, and all at once go on', async t => {
  const lab = await twoHosts(t);
  const found = Promise.withResolvers<void>();
  lab.gate = found.promise;
  const port = await lab.deploy({ ...WILDCARD, ports: ports(lab) }, BY_HOST);
  const body = Buffer.alloc(200_000, 'x');
  const answers = [1, 2, 3].map(() => ask(port, { ...asking('a.vendor.test'), body }));
  const gone = connect(port, '127.0.0.1');
  gone.write('GET / HTTP/1.1\r\nHost: a.vendor.test\r\n\r\n');
  const waiting = (): unknown => Reflect.get(lab.mesh.thread.dump(), 'inFlight');
  while (waiting() !== 4) await new Promise(resolve => setImmediate(resolve));
  gone.destroy();
  t.match((await lab.mesh.access(1))[0], /response_flags="DC"/, 'a client that goes meanwhile is gone');
  found.resolve();
  for (const { body: said } of await Promise.all(answers)) t.equal(said, 'red a.vendor.test 200000');
  t.equal(lab.lookups.length, 1);
});

const REFUSED: readonly [string, string, number, RegExp][] = [
  ['a host elsewhere', 'a.other.test', 404, /response_flags="NR" .*a.other.test is no host of/],
  ['the domain itself', 'vendor.test', 404, /response_flags="NR" .*vendor.test is no host of/],
  ['an address', '192.0.2.1', 404, /response_flags="NR" .*nobody is named/],
  ['a name that is not resolved', 'no.vendor.test', 503, /response_flags="DF" .*no such name no.vendor.test/],
  [
    'a name that means the waypoint',
    'self.vendor.test',
    503,
    /response_flags="DF" .*may be dialled from here/,
  ],
];

test('what is no host of the wildcard is refused, what is not resolved fails', async t => {
  const lab = await twoHosts(t);
  lab.names.set('self.vendor.test', [1]);
  const port = await lab.deploy({ ...WILDCARD, ports: ports(lab) }, BY_HOST);
  for (const [i, [sentence, host, status, logged]] of REFUSED.entries()) {
    t.equal((await ask(port, asking(host))).status, status, sentence);
    t.match((await lab.mesh.access(i + 1))[i], logged, sentence);
  }
});

test('of several addresses another is tried, and what fails is left out for its host alone', async t => {
  const lab = await twoHosts(t);
  lab.names.set('a.vendor.test', [21, 23]);
  const port = await lab.deploy({ ...WILDCARD, ports: ports(lab) }, BY_HOST);
  for (let i = 0; i < 10; i++)
    t.equal((await ask(port, asking('a.vendor.test'))).body, 'red a.vendor.test 0', 'nobody is at .23');
  lab.names.set('c.vendor.test', [23]);
  t.equal((await ask(port, asking('c.vendor.test'))).status, 503);
  t.equal((await ask(port, asking('b.vendor.test'))).status, 200);
});

test('TLS that is passed on goes by its server name; without one there is nobody to find', async t => {
  const says = (name: string): AppServer =>
    createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(name));
    });
  const lab = await twoHosts(
    t,
    new Map([
      [21, says('red')],
      [22, says('blue')],
    ]),
  );
  const port = await lab.deploy({ ...WILDCARD, ports: ports(lab, 'tls') }, BY_HOST);
  const rows: readonly (readonly [Buffer, string])[] = [
    [clientHello('a.vendor.test'), 'red'],
    [clientHello('B.vendor.test'), 'blue'],
    [clientHello('a.other.test'), ''],
    [clientHello(), ''],
    [clientHello('no.vendor.test'), ''],
    [Buffer.from('no TLS at all'), ''],
  ];
  for (const [hello, expected] of rows) t.equal(await answerTo(port, hello), expected);
  const lines = await lab.mesh.access(6);
  t.match(lines[0], /dst.workload="a.vendor.test"/);
  t.match(lines[2], /response_flags="NR".*a.other.test is no host of/);
  t.match(lines[3], /response_flags="NR".*nobody is named/);
  t.match(lines[4], /response_flags="DF".*no such name/);
  t.match(lines[5], /response_flags="NR".*nobody is named/);
});

test('a client that dials a host by name need name it no more, whatever it speaks', async t => {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined).end('red speaks first');
  });
  const lab = await twoHosts(t, new Map([[21, server]]));
  const port = await lab.deploy({ ...WILDCARD, ports: ports(lab, 'tcp') }, BY_HOST, 'a.vendor.test');
  t.equal(await answerTo(port), 'red speaks first');
});

test('TLS is originated with each host by its own name', async t => {
  const ca = await createTestCa('public');
  const secure = async (name: string, serverName: string): Promise<AppServer> => {
    const { certChainPem: cert, privateKeyPem: key } = await ca.issue('spiffe://elsewhere/ns/a/sa/b', {
      serverNames: [serverName],
    });
    return createHttpsServer({ cert, key }, (req, res) => {
      const asked = req.socket instanceof TLSSocket ? req.socket.servername : '';
      res.end(`${name} ${String(asked)}`);
    });
  };
  const lab = await twoHosts(
    t,
    new Map([
      [21, await secure('red', 'a.vendor.test')],
      [22, await secure('blue', 'b.vendor.test')],
    ]),
  );
  lab.names.set('c.vendor.test', [22]);
  const tls = simpleTls(ca.rootPem);
  const trafficPolicy = { ...NO_TRAFFIC_POLICY, tls };
  const port = await lab.deploy({ ...WILDCARD, ports: ports(lab) }, { ...BY_HOST, trafficPolicy });
  t.equal((await ask(port, asking('a.vendor.test'))).body, 'red a.vendor.test');
  t.equal((await ask(port, asking('b.vendor.test'))).body, 'blue b.vendor.test');
  t.equal(
    (await ask(port, asking('c.vendor.test'))).status,
    503,
    'a certificate of another host is not trusted',
  );
  const named = { ...NO_TRAFFIC_POLICY, tls: { ...tls, subjectAltNames: ['b.vendor.test'] } };
  const other = await lab.deploy({ ...WILDCARD, ports: ports(lab) }, { ...BY_HOST, trafficPolicy: named });
  t.equal(
    (await ask(other, asking('c.vendor.test'))).body,
    'blue c.vendor.test',
    'unless the policy names it',
  );
});

test('a route of another service leads to a host by the authority it writes, and copies go there too', async t => {
  const copied: string[] = [];
  const copy = naming('blue');
  copy.on('request', req => copied.push(String(req.headers.host)));
  const lab = await twoHosts(
    t,
    new Map([
      [21, naming('red')],
      [22, copy],
    ]),
  );
  await lab.deploy({ ...WILDCARD, ports: ports(lab) }, BY_HOST);
  const shop = service('shop', { vip: '10.96.0.99', waypoint: WAYPOINT });
  const to = { weight: 1, service: VENDOR, port: 80, subset: undefined };
  const authority = (name: string) =>
    ({ kind: 'rewrite', rewrite: { hostname: name, path: undefined } }) as const;
  const exact = (value: string) => [
    { ...ANY_REQUEST, path: { kind: 'exact' as const, value, ignoreCase: false } },
  ];
  const rules = [
    routeRule({
      name: 'rewritten',
      matches: exact('/rewritten'),
      filters: [authority('a.vendor.test')],
      backends: [{ ...to, filters: [] }],
    }),
    routeRule({ name: 'as-it-is', matches: exact('/as-it-is'), backends: [{ ...to, filters: [] }] }),
  ];
  lab.mesh.apply({ services: [GATEWAY, shop], routes: [noRoutes(shop, { rules, routed: true })] });
  const port = await lab.mesh.client('10.96.0.99', 80);
  t.equal((await ask(port, { path: '/rewritten' })).body, 'red a.vendor.test 0');
  t.equal((await ask(port, { path: '/as-it-is', ...asking('shop') })).status, 404, 'shop is no host of it');
  t.equal((await ask(port, { path: '/as-it-is', ...asking('a.vendor.test') })).status, 200);
  const mirrored = [
    routeRule({
      backends: [{ ...to, filters: [] }],
      filters: [{ kind: 'mirror', mirror: { service: VENDOR, port: 80, subset: undefined, percent: 100 } }],
    }),
  ];
  lab.mesh.apply({ routes: [noRoutes(shop, { rules: mirrored, routed: true })] });
  t.equal((await ask(port, asking('b.vendor.test'))).body, 'blue b.vendor.test 0');
  while (copied.length < 2) await once(copy, 'request');
  t.same(copied, ['b.vendor.test', 'b.vendor.test']);
});

test('what is passed through goes where the client dialled', async t => {
  const lab = await twoHosts(t);
  const [red, blue] = [lab.mesh.ip(21), lab.mesh.ip(22)];
  const addresses = [{ network: '', ip: lab.mesh.ip(0), prefixLength: 24 }];
  const passed = { ...PASSED, addresses, ports: ports(lab) };
  const toRed = await lab.deploy({ ...WILDCARD, ...passed }, {}, red);
  const toBlue = await lab.mesh.client(blue, 80);
  t.equal((await ask(toRed, asking('b.vendor.test'))).body, 'red b.vendor.test 0', 'whoever is named');
  t.equal((await ask(toBlue, asking('b.vendor.test'))).body, 'blue b.vendor.test 0');
  t.equal((await ask(toBlue, asking('b.other.test'))).status, 404, 'but who is no host of it');
  t.same(lab.lookups, []);
  lab.mesh.apply({ removedServices: [VENDOR] });
  const one = await lab.deploy({ hostname: 'api.vendor.test', ...passed }, {}, red);
  t.equal((await ask(one, asking('whoever'))).body, 'red whoever 0', 'of one host nobody is asked');
  const named = await lab.mesh.client('api.vendor.test', 80);
  t.equal((await ask(named, asking('whoever'))).status, 503);
  t.match((await lab.mesh.access(5))[4], /response_flags="UH" .*passed through by address only/);
});

test('a wildcard with endpoints of its own takes its hosts and no others', async t => {
  const lab = await twoHosts(t);
  const vendor = service('vendor', { hostname: '*.vendor.test', ports: ports(lab) });
  const endpoint = workload('edge', {
    addresses: [lab.mesh.ip(21)],
    services: endpointOf(vendor),
    tunnelProtocol: 'none',
  });
  lab.mesh.apply({ workloads: [endpoint] });
  const port = await lab.deploy({ ...WILDCARD, ports: ports(lab) }, {});
  t.equal((await ask(port, asking('x.vendor.test'))).body, 'red x.vendor.test 0');
  t.equal((await ask(port, asking('x.other.test'))).status, 404);
  t.same(lab.lookups, []);
});
