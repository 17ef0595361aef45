import { connect as http2Connect } from 'node:http2';
import { Agent, createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import { createConnection, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'tap';
import { ANY_HTTP_REQUEST } from '#shared/authz/policy.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import type { RouteMatch, RouteRule } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import { externalAuthorizer } from '#shared/testing/external-authorizer.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { routeMatch, routeRule } from '#shared/testing/route.ts';
import { noRoutes, policy } from '#shared/testing/topology.ts';
import type { AppProtocol, Service } from '#shared/workload/workload.ts';
import { backend, deploy, deployBeside, type Deployed } from './testing/deploy.ts';
import { type AskedTunnel, forwardProxy, openTunnel, readAll, type Version } from './testing/tunnels.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

interface Test {
  teardown(end: () => unknown): void;
}

async function lab(t: Test, random = Math.random): Promise<WaypointLab> {
  const made = await WaypointLab.create({ detectionTimeoutMs: 5_000 }, random);
  t.teardown(() => made.close());
  return made;
}

/** A rule that takes every CONNECT, with what a test is about put in. */
function connectRule(to: Service, over: Partial<RouteRule> = {}): RouteRule {
  const matches = [routeMatch({ method: 'CONNECT' })];
  return routeRule({ name: 'tunnels', matches, backends: [backend(to)], ...over });
}

/** Proxies of that version as one service, with a rule for CONNECT. */
function deployProxies(
  mesh: WaypointLab,
  version: Version,
  proxies: readonly Parameters<typeof forwardProxy>[1][],
  over: Partial<RouteRule> = {},
): Promise<Deployed> {
  const declared: AppProtocol = version === 'http1' ? 'http11' : 'http2';
  return deploy(
    mesh,
    proxies.map(behaviour => forwardProxy(version, behaviour)),
    of => ({ routed: true, rules: [connectRule(of, over)] }),
    declared,
  );
}

const WAYS: readonly (readonly [downstream: Version, upstream: Version])[] = [
  ['http1', 'http1'],
  ['http2', 'http1'],
  ['http2', 'http2'],
  ['http1', 'http2'],
];

for (const [downstream, upstream] of WAYS) {
  test(`a tunnel of ${downstream} to a proxy of ${upstream}: bytes both ways, an end of each by itself`, async t => {
    const mesh = await lab(t);
    const asked: string[] = [];
    const { port } = await deployProxies(mesh, upstream, [
      {
        onTunnel: (tunnel, authority) => {
          asked.push(authority);
          tunnel.write('hello ');
          void readAll(tunnel).then(all => tunnel.end(`got ${all}`));
        },
      },
    ]);
    const { headers, status, stream } = await openTunnel(t, downstream, port);
    t.equal(status, 200);
    t.equal(headers.get('content-length'), undefined);
    t.equal(headers.get('transfer-encoding'), undefined);
    stream.write('GET / HTTP/1.1\r\n');
    stream.end('\r\n');
    t.equal(await readAll(stream), 'hello got GET / HTTP/1.1\r\n\r\n');
    t.same(asked, ['target.example:443']);
    const [line = ''] = await mesh.access(1);
    const expected = /method="CONNECT" authority="target\.example:443" .*route="tunnels" .*response_code=200/;
    t.match(line, expected);
    t.match(line, /response_flags="-" bytes_recv=18 bytes_sent=28/);
  });
}

/** A target that sends back what it gets, and ends when it is told so by an end. */
const ECHO = { onTunnel: (tunnel: Duplex) => void tunnel.pipe(tunnel) };

const VERSIONS: readonly Version[] = ['http1', 'http2'];

/** Its end, in order or not. */
function closing(stream: Duplex): Promise<void> {
  return new Promise(resolve => stream.once('close', () => resolve()));
}

function rstCode(stream: Duplex): unknown {
  return Reflect.get(stream, 'rstCode');
}

/** Node takes a stream of HTTP/2 that is cancelled for one that has ended, but for the code. */
function endedInOrder(stream: Duplex | undefined): boolean {
  return stream?.readableEnded === true && (rstCode(stream) ?? 0) === 0;
}

/** What of a tunnel is open comes back. */
async function echoes(stream: Duplex, sent: string): Promise<string> {
  stream.write(sent);
  let seen = '';
  while (seen.length < sent.length) {
    seen += await new Promise<string>(resolve => stream.once('data', part => resolve(String(part))));
  }
  return seen;
}

const UNNAMED: readonly (readonly [sentence: string, matches: RouteMatch[] | undefined])[] = [
  ['no route at all', undefined],
  ['a rule for everything', []],
  ['a rule for every path', [routeMatch({ path: { kind: 'prefix', value: '/', ignoreCase: false } })]],
  ['a rule for another method', [routeMatch({ method: 'GET' })]],
  [
    'a rule for methods by a pattern',
    [routeMatch({ headers: [{ name: ':method', kind: 'regex', value: 'C.*|GET' }] })],
  ],
];

test('where no rule names CONNECT it is refused, and the answer says which rule to write', async t => {
  for (const [sentence, matches] of UNNAMED) {
    const mesh = await lab(t);
    let tunnels = 0;
    const proxy = forwardProxy('http1', { onTunnel: () => tunnels++ });
    const { port } = await deploy(mesh, [proxy], of =>
      matches === undefined ? {} : { routed: true, rules: [routeRule({ matches, backends: [backend(of)] })] },
    );
    for (const version of VERSIONS) {
      const { status, stream } = await openTunnel(t, version, port);
      t.equal(status, 501, `${sentence}, ${version}`);
      t.match(await readAll(stream), /no route names it.*add a rule with method CONNECT/);
    }
    t.equal(tunnels, 0, sentence);
  }
});

test('where rules name CONNECT, and none takes this one, it is 404 as for any request', async t => {
  const mesh = await lab(t);
  const matches = [
    routeMatch({
      method: 'CONNECT',
      headers: [{ name: ':authority', kind: 'exact', value: 'other.example:443' }],
    }),
  ];
  const { port } = await deployProxies(mesh, 'http1', [ECHO], { matches });
  for (const version of VERSIONS) {
    t.equal((await openTunnel(t, version, port)).status, 404);
    t.equal((await openTunnel(t, version, port, { authority: 'other.example:443' })).status, 200);
  }
});

const FOR_CONNECT = { ...ANY_HTTP_REQUEST, methods: [{ kind: 'exact', value: 'CONNECT' }] } as const;
const hosts = (...values: string[]) => values.map(value => ({ kind: 'exact', value }) as const);

const POLICIES: readonly (readonly [
  sentence: string,
  policy: ReturnType<typeof policy>,
  statuses: Readonly<Record<string, number>>,
])[] = [
  [
    'a DENY of the method',
    policy('no-tunnels', 'deny', [{ http: FOR_CONNECT }]),
    { 'target.example:443': 403 },
  ],
  [
    'a DENY of a host holds for all its ports, however it is written',
    policy('no-target', 'deny', [{ http: { ...ANY_HTTP_REQUEST, hosts: hosts('target.example') } }]),
    {
      'target.example:443': 403,
      'TARGET.example:22': 403,
      'target.example.:443': 403,
      'other.example:443': 200,
    },
  ],
  [
    'an ALLOW of a host with its port',
    policy('https', 'allow', [{ http: { ...FOR_CONNECT, hosts: hosts('target.example:443') } }]),
    { 'target.example:443': 200, 'target.example:22': 403 },
  ],
  [
    'an ALLOW for another identity',
    policy('admins', 'allow', [
      { principals: [{ kind: 'exact', value: 'cluster.local/ns/default/sa/admin' }], http: FOR_CONNECT },
    ]),
    { 'target.example:443': 403 },
  ],
  [
    'an ALLOW for the caller and the port of the service',
    policy('client', 'allow', [
      {
        principals: [{ kind: 'exact', value: 'cluster.local/ns/default/sa/client' }],
        destinationPorts: [80],
        http: FOR_CONNECT,
      },
    ]),
    { 'target.example:443': 200 },
  ],
];

test('policies judge a CONNECT by its method, its authority, the caller and the port', async t => {
  for (const [sentence, held, statuses] of POLICIES) {
    const mesh = await lab(t);
    const { port } = await deploy(
      mesh,
      [forwardProxy('http1', ECHO)],
      of => ({ routed: true, rules: [connectRule(of)], authorizationPolicies: [held] }),
      'http11',
    );
    for (const version of VERSIONS) {
      for (const [authority, status] of Object.entries(statuses)) {
        const tunnel = await openTunnel(t, version, port, { authority });
        t.equal(tunnel.status, status, `${sentence}: ${authority} over ${version}`);
        if (status === 200) t.equal(await echoes(tunnel.stream, 'through'), 'through');
      }
    }
  }
});

test('a policy that no longer allows it cuts an open tunnel', async t => {
  const mesh = await lab(t);
  const { echo, port } = await deployProxies(mesh, 'http1', [ECHO]);
  for (const version of VERSIONS) {
    const { status, stream } = await openTunnel(t, version, port);
    t.equal(status, 200);
    t.equal(await echoes(stream, 'allowed'), 'allowed');
    const closed = closing(stream);
    const denied = policy('no-tunnels', 'deny', [{ http: FOR_CONNECT }]);
    const routed = { routed: true, rules: [connectRule(echo)] };
    mesh.apply({ routes: [noRoutes(echo, { ...routed, authorizationPolicies: [denied] })] });
    await closed;
    t.equal((await openTunnel(t, version, port)).status, 403);
    mesh.apply({ routes: [noRoutes(echo, routed)] });
  }
  for (const line of await mesh.access(4)) t.match(line, /response_flags="UAEX".*no-tunnels/);
});

test('a target that is not host and port, or could be read in two ways, is refused', async t => {
  const mesh = await lab(t);
  const { port } = await deployProxies(mesh, 'http1', [ECHO]);
  for (const authority of ['target', 'target:', 'target:0', 'target:00443', 'target:65536', 't%61rget:443']) {
    for (const version of VERSIONS) {
      const { status } = await openTunnel(t, version, port, { authority });
      t.equal(status, 400, `${authority} over ${version}`);
    }
  }
  t.equal((await openTunnel(t, 'http1', port, { authority: '[2001:db8::1]:443' })).status, 200);
});

test('what is sent before the answer waits for the tunnel, whatever takes time before it', async t => {
  for (const [downstream, upstream] of WAYS) {
    const mesh = await lab(t);
    const delay = {
      kind: 'fault',
      fault: { delay: { percent: 100, fixedMs: 50 }, abort: undefined },
    } as const;
    let early: string | undefined;
    const proxy = {
      onConnect: (asked: AskedTunnel) => {
        early = '';
        asked.accept();
      },
      onTunnel: (tunnel: Duplex) => void readAll(tunnel).then(all => tunnel.end(all.toUpperCase())),
    };
    const { port } = await deployProxies(mesh, upstream, [proxy], { filters: [delay] });
    const { status, stream } = await openTunnel(t, downstream, port, { early: 'client hello, ' });
    t.equal(status, 200);
    stream.end('and more');
    t.equal(await readAll(stream), 'CLIENT HELLO, AND MORE', `${downstream} to ${upstream}`);
    t.equal(early, '');
  }
});

test('a client of HTTP/2 that has nothing to send may end its direction with the head', async t => {
  for (const upstream of VERSIONS) {
    const mesh = await lab(t);
    const proxy = {
      onTunnel: (tunnel: Duplex) => void readAll(tunnel).then(all => tunnel.end(`${all.length} bytes`)),
    };
    const { port } = await deployProxies(mesh, upstream, [proxy]);
    const session = http2Connect(`http://127.0.0.1:${port}`);
    t.teardown(() => session.destroy());
    const stream = session.request(
      { ':method': 'CONNECT', ':authority': 'target.example:443' },
      { endStream: true },
    );
    t.equal(await readAll(stream), '0 bytes', upstream);
  }
});

test('a target that ends first is still sent to, as fast as it reads', async t => {
  for (const [downstream, upstream] of WAYS) {
    const mesh = await lab(t);
    let received = 0;
    let done = (): void => {};
    const ended = new Promise<void>(resolve => (done = resolve));
    const proxy = {
      onTunnel: (tunnel: Duplex) => {
        tunnel.end('bye');
        tunnel.once('readable', () => {
          tunnel.on('data', (part: Buffer) => (received += part.length));
          tunnel.on('end', done);
        });
      },
    };
    const { port } = await deployProxies(mesh, upstream, [proxy]);
    const { stream } = await openTunnel(t, downstream, port);
    t.equal(await readAll(stream), 'bye');
    stream.end(Buffer.alloc(8_000_000));
    await ended;
    t.equal(received, 8_000_000, `${downstream} to ${upstream}`);
    const [line = ''] = await mesh.access(1);
    t.match(line, /response_flags="-" bytes_recv=8000000 bytes_sent=3/);
  }
});

test('a proxy that refuses is heard: its status, its headers, its body', async t => {
  for (const [downstream, upstream] of WAYS) {
    const mesh = await lab(t);
    const proxy = {
      ...ECHO,
      onConnect: ({ headers, refuse, accept }: AskedTunnel) => {
        if (headers['proxy-authorization'] === 'Basic eDp5') accept();
        else refuse(407, { 'proxy-authenticate': 'Basic realm="out"' }, 'who are you?');
      },
    };
    const { port } = await deployProxies(mesh, upstream, [proxy]);
    const refused = await openTunnel(t, downstream, port, { early: 'GET /hidden HTTP/1.1\r\n\r\n' });
    t.equal(refused.status, 407, `${downstream} to ${upstream}`);
    t.equal(refused.headers.get('proxy-authenticate'), 'Basic realm="out"');
    t.equal(await readAll(refused.stream), 'who are you?', 'and nothing behind it');
    const headers = { 'proxy-authorization': 'Basic eDp5' };
    const { status, stream } = await openTunnel(t, downstream, port, { headers });
    t.equal(status, 200);
    t.equal(await echoes(stream, 'now'), 'now');
  }
});

test('a length or an encoding in a 2xx means nothing, and is not passed on', async t => {
  for (const headers of [{ 'content-length': '5' }, { 'transfer-encoding': 'chunked' }]) {
    for (const [downstream, upstream] of WAYS) {
      if (upstream === 'http2' && 'transfer-encoding' in headers) continue;
      const mesh = await lab(t);
      const proxy = { ...ECHO, onConnect: ({ accept }: AskedTunnel) => accept(headers) };
      const { port } = await deployProxies(mesh, upstream, [proxy]);
      const tunnel = await openTunnel(t, downstream, port);
      t.equal(tunnel.status, 200);
      t.equal(tunnel.headers.get('content-length'), undefined);
      t.equal(tunnel.headers.get('transfer-encoding'), undefined);
      t.equal(
        await echoes(tunnel.stream, 'more than five'),
        'more than five',
        `${downstream} to ${upstream}`,
      );
    }
  }
});

test('a reset of either end reaches the other', async t => {
  for (const [downstream, upstream] of WAYS) {
    const mesh = await lab(t);
    const tunnels: Duplex[] = [];
    const proxy = {
      onTunnel: (tunnel: Duplex) => {
        tunnels.push(tunnel);
        tunnel.pipe(tunnel);
      },
    };
    const { port } = await deployProxies(mesh, upstream, [proxy]);
    const byClient = await openTunnel(t, downstream, port);
    await echoes(byClient.stream, 'open');
    const [first] = tunnels;
    const gone = closing(first ?? byClient.stream);
    byClient.reset();
    await gone;
    t.equal(endedInOrder(first), false, `${downstream} to ${upstream}: no orderly end`);
    const byProxy = await openTunnel(t, downstream, port);
    await echoes(byProxy.stream, 'open');
    const closed = closing(byProxy.stream);
    const [, second] = tunnels;
    if (second instanceof Socket) second.resetAndDestroy();
    else second?.destroy(new Error('the target is gone'));
    await closed;
    t.equal(endedInOrder(byProxy.stream), false, `${downstream} to ${upstream}: no orderly end`);
    if (downstream === 'http2') t.equal(rstCode(byProxy.stream), 0xa, 'CONNECT_ERROR');
    const [one = '', other = ''] = await mesh.access(2);
    t.match(one, /response_code=200 response_flags="DC"/);
    t.match(other, /response_code=200 response_flags="UR"/);
  }
});

test('an endpoint that cannot be reached is passed over, with what the client has sent', async t => {
  for (const version of VERSIONS) {
    // The first is chosen as long as nothing speaks against it.
    const mesh = await lab(t, () => 0);
    const dead = forwardProxy('http1', ECHO);
    const { port } = await deploy(
      mesh,
      [dead, forwardProxy('http1', ECHO)],
      of => ({ routed: true, rules: [connectRule(of)] }),
      'http11',
    );
    await new Promise(resolve => dead.close(resolve));
    for (let i = 0; i < 4; i++) {
      const { status, stream } = await openTunnel(t, version, port, { early: 'early' });
      t.equal(status, 200);
      stream.end();
      t.equal(await readAll(stream), 'early');
    }
    const lines = await mesh.access(4);
    t.ok(
      lines.some(line => line.includes('attempts=2')),
      'some had to go elsewhere',
    );
  }
});

test('a tunnel that is open is not tried again, whatever the rule says of its status', async t => {
  const mesh = await lab(t);
  let asked = 0;
  const retry = {
    ...DEFAULT_RETRY_POLICY,
    attempts: 3,
    on: ['retriable_status_codes', 'reset', '5xx'],
    statusCodes: [200],
  } as const;
  const proxy = {
    onTunnel: (tunnel: Duplex) => {
      asked++;
      if (tunnel instanceof Socket) tunnel.resetAndDestroy();
    },
  };
  const { port } = await deployProxies(mesh, 'http1', [proxy], { retry });
  const { status, stream } = await openTunnel(t, 'http2', port);
  t.equal(status, 200);
  if (!stream.closed) await closing(stream);
  t.equal(asked, 1);
});

test('a drain waits for tunnels, and cuts those that are left at its deadline', async t => {
  for (const version of VERSIONS) {
    const mesh = await lab(t);
    const { port } = await deployProxies(mesh, 'http1', [ECHO]);
    const ends = await openTunnel(t, version, port);
    const stays = await openTunnel(t, version, port);
    const drained = mesh.thread.drain(300);
    t.equal(await echoes(ends.stream, 'still'), 'still');
    ends.stream.end();
    await readAll(ends.stream);
    const closed = closing(stays.stream);
    t.equal(await drained, 1, version);
    await closed;
  }
});

test('of a rule’s filters a CONNECT gets what does not touch its authority or its bytes', async t => {
  const mesh = await lab(t);
  const seen: string[] = [];
  const proxy = {
    ...ECHO,
    onConnect: ({ accept, authority, headers }: AskedTunnel) => {
      seen.push(`${authority} ${headers.host ?? 'none'} ${String(headers['x-team'])}`);
      accept();
    },
  };
  const { port } = await deploy(
    mesh,
    [forwardProxy('http1', proxy)],
    of => ({ routed: true, rules: [connectRule(of, { filters: filtersOf(of) })] }),
    'http11',
  );
  const tunnel = await openTunnel(t, 'http1', port);
  t.equal(tunnel.status, 200);
  t.equal(tunnel.headers.get('x-by'), 'rule');
  t.equal(await echoes(tunnel.stream, 'one'), 'one');
  t.same(seen, ['target.example:443 target.example:443 a'], 'as the client asked, and no copy');
});

function filtersOf(of: Service): RouteFilter[] {
  const change = { set: [], add: [], remove: [] };
  return [
    {
      kind: 'request_headers',
      change: {
        ...change,
        set: [
          { name: 'x-team', value: 'a' },
          { name: 'host', value: 'elsewhere.example:443' },
        ],
      },
    },
    { kind: 'response_headers', change: { ...change, set: [{ name: 'x-by', value: 'rule' }] } },
    { kind: 'rewrite', rewrite: { hostname: 'elsewhere.example', path: { kind: 'full', value: '/' } } },
    {
      kind: 'mirror',
      mirror: { service: `${of.namespace}/${of.hostname}`, port: 80, subset: undefined, percent: 100 },
    },
  ];
}

test('no answer of the waypoint’s own opens a tunnel', async t => {
  const filters: RouteFilter[] = [
    { kind: 'direct_response', status: 200, body: 'welcome', headers: [] },
    { kind: 'direct_response', status: 204, body: '', headers: [] },
    {
      kind: 'fault',
      fault: { delay: undefined, abort: { percent: 100, with: { kind: 'http_status', status: 200 } } },
    },
  ];
  for (const filter of filters) {
    const mesh = await lab(t);
    const { port } = await deployProxies(mesh, 'http1', [ECHO], { filters: [filter] });
    for (const version of VERSIONS) {
      const { status, stream } = await openTunnel(t, version, port, { early: 'GET / HTTP/1.1\r\n\r\n' });
      t.equal(status, 403);
      await readAll(stream);
    }
  }
});

test('an authorizer that is asked over HTTP cannot be asked about a CONNECT: it is refused', async t => {
  const mesh = await lab(t);
  let asked = 0;
  const service = await deployBeside(
    mesh,
    'authorizer',
    20,
    (_, res) => {
      asked++;
      res.end();
    },
    'http11',
  );
  const authorizer = externalAuthorizer(service, { protocol: 'http', failOpen: true });
  const { port } = await deployProxies(mesh, 'http1', [ECHO], {
    filters: [{ kind: 'external_authorization', authorizer }],
  });
  for (const version of VERSIONS) t.equal((await openTunnel(t, version, port)).status, 403);
  t.equal(asked, 0);
  for (const line of await mesh.access(2)) t.match(line, /response_flags="UAEX".*asked over HTTP/);
});

/** A proxy whose targets are all behind one port of this machine. */
function proxyTo(port: number): Parameters<typeof forwardProxy>[1] {
  return {
    onTunnel: tunnel => {
      const target = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
      target.on('error', () => tunnel.destroy());
      target.on('close', () => tunnel.destroy());
      tunnel.pipe(target).pipe(tunnel);
    },
  };
}

test('a real client: HTTPS of the runtime by HTTPS_PROXY, whose certificate the client itself verifies', async t => {
  const ca = await createTestCa('public');
  const leaf = await ca.issue('spiffe://elsewhere/ns/a/sa/target', { serverNames: ['target.example'] });
  const target = createHttpsServer({ cert: leaf.certChainPem, key: leaf.privateKeyPem }, (req, res) => {
    void readAll(req).then(body => res.end(`${req.headers.host} got ${body.length}`));
  });
  t.teardown(() => target.close());
  await new Promise<void>(resolve => target.listen(0, '127.0.0.1', resolve));
  const address = target.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  const mesh = await lab(t);
  const { port } = await deployProxies(mesh, 'http1', [proxyTo(address.port)]);
  const agent = new Agent({ proxyEnv: { HTTPS_PROXY: `http://127.0.0.1:${port}` }, ca: ca.rootPem });
  t.teardown(() => agent.destroy());
  const answer = await new Promise<string>((resolve, reject) => {
    const req = httpsRequest('https://target.example/', { agent, method: 'POST' }, res => {
      void readAll(res).then(resolve, reject);
    });
    req.on('error', reject);
    req.end(Buffer.alloc(1_000_000));
  });
  t.equal(answer, 'target.example got 1000000');
  agent.destroy();
  const [line = ''] = await mesh.access(1);
  t.match(line, /method="CONNECT" authority="target\.example:443" .* response_code=200 response_flags="-"/);
});
