import { Client as GrpcClient, credentials, type ServiceError } from '@grpc/grpc-js';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest } from 'node:http';
import {
  connect as http2Connect,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { createConnection, createServer as createTcpServer, type Socket } from 'node:net';
import { test } from 'tap';
import { routeMatch, routeRule } from '#shared/testing/route.ts';
import { seriesOf } from '#shared/testing/series.ts';
import { endpointOf, noRoutes, policy, service, waypointOf, workload } from '#shared/testing/topology.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import { ANY_HTTP_REQUEST, EMPTY_MATCH } from '#shared/authz/policy.ts';
import { ask, backend, deploy, GATEWAY, VIP, WAYPOINT } from './testing/deploy.ts';
import { readAll } from './testing/tunnels.ts';
import { type AppServer, WaypointLab } from './testing/waypoint-lab.ts';

test('an HTTP/1.1 request goes through with both identities in the log and the labels in the metrics', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const client = workload('client', { addresses: [lab.ip(2)], serviceAccount: 'client' });
  lab.apply({ workloads: [client] });
  const { port } = await deploy(lab, [
    (req, res) => {
      res.setHeader(
        'x-seen',
        JSON.stringify([
          req.method,
          req.url,
          req.headers['host'],
          req.headers['x-a'],
          typeof req.headers['traceparent'],
        ]),
      );
      res.end('hello');
    },
  ]);
  const answer = await ask(port, { path: '/a/../b?q=1', headers: { host: 'echo', 'x-a': '1' } });
  t.equal(answer.status, 200);
  t.equal(answer.body, 'hello');
  t.same(JSON.parse(String(answer.headers['x-seen'])), ['GET', '/b?q=1', 'echo', '1', 'string']);
  const [line = ''] = await lab.access(1);
  for (const field of [
    'src.identity="spiffe://cluster.local/ns/default/sa/client"',
    'src.workload="client"',
    'dst.identity="spiffe://cluster.local/ns/default/sa/echo"',
    'dst.workload="echo-1"',
    'route="default"',
    'attempts=1',
    'response_code=200',
    'response_flags="-"',
    'bytes_sent=5',
  ])
    t.match(line, field);
  const requests = lab.thread.metrics().find(family => family.name === 'istio_requests_total');
  const [series] = requests?.series ?? [];
  const labels = Object.fromEntries(
    (requests?.labels ?? []).map((name, i) => [name, series?.labelValues[i]]),
  );
  t.match(labels, {
    reporter: 'waypoint',
    source_workload: 'client',
    source_principal: 'spiffe://cluster.local/ns/default/sa/client',
    destination_workload: 'echo-1',
    destination_principal: 'spiffe://cluster.local/ns/default/sa/echo',
    destination_service: 'echo.default.svc.cluster.local',
    destination_service_name: 'echo',
    destination_service_namespace: 'default',
    request_protocol: 'http',
    response_code: '200',
    response_flags: '-',
    connection_security_policy: 'mutual_tls',
  });
});

test('large bodies go both ways, chunked, with trailers', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const { port } = await deploy(lab, [
    (req, res) => {
      res.writeHead(200, { trailer: 'x-sum' });
      const hash = createHash('sha256');
      req.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        if (!res.write(chunk)) {
          req.pause();
          res.once('drain', () => req.resume());
        }
      });
      req.on('end', () => {
        res.addTrailers({ 'x-sum': hash.digest('hex') });
        res.end();
      });
    },
  ]);
  const body = Buffer.alloc(8 * 1024 * 1024, 'abcdefghijklmno');
  const answer = await ask(port, { body });
  t.equal(answer.body.length, body.length);
  t.equal(createHash('sha256').update(answer.body, 'latin1').digest('hex'), answer.trailers['x-sum']);
});

test('HTTP/2 in and out, streams of one connection beside each other', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const app = createHttp2Server((req, res) => {
    res.end(`${req.httpVersion} ${req.url}`);
  });
  const { port } = await deploy(lab, [app], undefined, 'http2');
  const session = http2Connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  const get = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path, ':authority': 'echo' });
      let text = '';
      stream.setEncoding('utf8');
      stream.on('data', (part: string) => (text += part));
      stream.on('end', () => resolve(text));
      stream.on('error', reject);
    });
  const texts = await Promise.all(Array.from({ length: 50 }, (_, i) => get(`/${i}`)));
  t.same(
    texts,
    Array.from({ length: 50 }, (_, i) => `2.0 /${i}`),
  );
});

test('an HTTP/2 client reaches an HTTP/1.1 service', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const { port } = await deploy(
    lab,
    [(req, res) => res.end(`${req.httpVersion} ${req.headers.host}`)],
    undefined,
    'http11',
  );
  const session = http2Connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  const text = await new Promise<string>(resolve => {
    const stream = session.request({ ':path': '/', ':authority': 'echo' });
    stream.setEncoding('utf8');
    stream.on('data', (part: string) => resolve(part));
  });
  t.equal(text, '1.1 echo');
});

/** A gRPC server by hand: a status for each call, no protobuf. */
function grpcServer(status: (path: string) => number): AppServer {
  const server = createHttp2Server();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const code = status(String(headers[':path']));
    stream.resume();
    stream.on('end', () => {
      if (code !== 0) {
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': code },
          { endStream: true },
        );
        return;
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x6f, 0x6b]));
    });
  });
  return server;
}

function grpcCall(port: number, path: string): Promise<{ readonly code: number; readonly text: string }> {
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure());
  return new Promise(resolve => {
    const call = (error: ServiceError | null, answer?: string): void => {
      client.close();
      resolve({ code: error?.code ?? 0, text: error === null ? (answer ?? '') : error.details });
    };
    client.makeUnaryRequest(
      path,
      (text: string) => Buffer.from(text),
      (bytes: Buffer) => bytes.toString(),
      'hi',
      call,
    );
  });
}

test('gRPC: messages, trailers, retries of UNAVAILABLE, and refusals it understands', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  let flaky = 0;
  const server = grpcServer(path => (path === '/s/Flaky' && ++flaky < 3 ? 14 : 0));
  const deny = policy('no-admin', 'deny', [
    { http: { ...ANY_HTTP_REQUEST, paths: [{ kind: 'exact', value: '/s/Admin' }] } },
  ]);
  const { port } = await deploy(lab, [server], () => ({ authorizationPolicies: [deny] }), 'grpc');
  t.same(await grpcCall(port, '/s/Get'), { code: 0, text: 'ok' });
  t.same(await grpcCall(port, '/s/Flaky'), { code: 0, text: 'ok' });
  t.equal(flaky, 3);
  t.same(await grpcCall(port, '/s/Admin'), { code: 7, text: 'RBAC: access denied' });
  const lines = await lab.access(3);
  t.match(lines[1], 'attempts=3');
  t.match(lines[2], 'error="denied by default/no-admin rule 0"');
  const families = lab.thread.metrics();
  const echo = 'echo.default.svc.cluster.local echo default';
  t.same(seriesOf(families, 'ambient_request_retries_total'), { [`${echo} success`]: 2 });
  t.same(seriesOf(families, 'ambient_authorization_denied_total'), { 'default/no-admin 0 default': 1 });
});

test('a WebSocket is carried both ways and closes both ways', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const server = createServer((_, res) => res.end('no upgrade'));
  server.on('upgrade', (req, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${req.headers['sec-websocket-key']}\r\n\r\nhello`,
    );
    socket.on('data', part => socket.write(part));
    socket.on('end', () => socket.end('bye'));
  });
  const { port } = await deploy(lab, [server]);
  const text = await new Promise<string>((resolve, reject) => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'k',
      'sec-websocket-version': '13',
    };
    const req = httpRequest({ host: '127.0.0.1', port, path: '/ws', headers, agent: false });
    req.on('error', reject);
    req.on('upgrade', (res, socket, head) => {
      let all = head.toString();
      t.equal(res.headers['sec-websocket-accept'], 'k');
      socket.on('data', (part: Buffer) => (all += part.toString()));
      socket.on('end', () => {
        resolve(all);
        socket.destroy();
      });
      socket.end(' echo ');
    });
    req.end();
  });
  t.equal(text, 'hello echo bye');
  const [line] = await lab.access(1);
  t.match(line, 'response_code=101');
});

test('a policy that no longer allows a WebSocket cuts it', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const server = createServer();
  server.on('upgrade', (_req, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  const { echo, port } = await deploy(lab, [server]);
  const socket = createConnection({ port, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: echo\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nx-team: a\r\n\r\n',
  );
  await once(socket, 'data');
  const cut = new Promise(resolve => socket.once('close', resolve));
  const headers = [{ name: 'x-team', values: [{ kind: 'exact', value: 'b' } as const], notValues: [] }];
  const others = policy('others', 'deny', [{ http: { ...ANY_HTTP_REQUEST, headers } }]);
  lab.apply({ routes: [noRoutes(echo, { authorizationPolicies: [others] })] });
  t.equal(socket.destroyed, false, 'another policy is no reason');
  const team = policy('no-team-a', 'deny', [
    {
      http: {
        ...ANY_HTTP_REQUEST,
        headers: headers.map(header => ({ ...header, values: [{ kind: 'exact', value: 'a' }] })),
      },
    },
  ]);
  lab.apply({ routes: [noRoutes(echo, { authorizationPolicies: [team] })] });
  await cut;
  const [line] = await lab.access(1);
  t.match(line, /response_code=101 response_flags="UAEX".*no-team-a/);
});

test('a WebSocket of HTTP/2 (extended CONNECT) reaches a server that knows upgrades only', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const server = createServer();
  server.on('upgrade', (req, socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n',
    );
    socket.write(`${req.method} ${req.headers['sec-websocket-key'] === undefined ? 'no key' : 'key'} `);
    socket.on('data', part => socket.write(part));
    socket.on('end', () => socket.end());
  });
  const { port } = await deploy(lab, [server]);
  const session = http2Connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  await new Promise(resolve => session.once('remoteSettings', resolve));
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws',
    ':authority': 'echo',
    ':scheme': 'http',
  });
  stream.end('hi');
  const seen = await new Promise<string>((resolve, reject) => {
    let text = '';
    stream.on('error', reject);
    stream.on(
      'response',
      headers => (text += `${headers[':status']} ${headers['sec-websocket-accept'] ?? 'none'} `),
    );
    stream.on('data', (part: Buffer) => (text += part.toString()));
    stream.on('end', () => resolve(text));
  });
  t.equal(seen, '200 none GET key hi');
});

test('a WebSocket of HTTP/2 reaches a server of HTTP/2', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const server = createHttp2Server({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.write(`${headers[':protocol'] ?? 'none'} `);
    stream.on('error', () => {});
    void readAll(stream).then(all => stream.end(all));
  });
  const { port } = await deploy(lab, [server], undefined, 'http2');
  const session = http2Connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  await new Promise(resolve => session.once('remoteSettings', resolve));
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws',
    ':authority': 'echo',
    ':scheme': 'http',
  });
  const response: Promise<readonly unknown[]> = once(stream, 'response');
  stream.write('frames ');
  const [headers] = await response;
  t.equal(Reflect.get(Object(headers), ':status'), 200);
  stream.end('and an end');
  t.equal(await readAll(stream), 'websocket frames and an end');
});

/** The status an extended CONNECT gets. */
async function extendedConnect(port: number, protocol: string, path: string): Promise<number> {
  const session = http2Connect(`http://127.0.0.1:${port}`);
  try {
    await new Promise(resolve => session.once('remoteSettings', resolve));
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': protocol,
      ':path': path,
      ':authority': 'echo',
      ':scheme': 'http',
    });
    return await new Promise<number>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('response', headers => resolve(headers[':status'] ?? 0));
    });
  } finally {
    session.destroy();
  }
}

test('an extended CONNECT is judged as the GET that the upstream gets', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const seen: string[] = [];
  const server = createServer((req, res) => {
    seen.push(`${req.method} ${req.url}`);
    res.end('no upgrade here, but an answer');
  });
  const deny = policy('no-get', 'deny', [
    {
      http: {
        ...ANY_HTTP_REQUEST,
        methods: [{ kind: 'exact', value: 'GET' }],
        paths: [{ kind: 'exact', value: '/admin' }],
      },
    },
  ]);
  const { port } = await deploy(lab, [server], () => ({ authorizationPolicies: [deny] }));
  t.equal(await extendedConnect(port, 'websocket', '/admin'), 403);
  t.equal(await extendedConnect(port, 'websocket', '/'), 200);
  t.same(seen, ['GET /']);
});

test('no upgrade leads to a protocol whose requests nobody would judge', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  let upgrades = 0;
  const server = createServer((_, res) => res.end('ok'));
  server.on('upgrade', (req, socket) => {
    upgrades++;
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${req.headers.upgrade}\r\n\r\n`,
    );
  });
  const { port } = await deploy(lab, [server]);
  for (const protocol of ['h2c', 'TLS/1.2']) {
    t.equal(await extendedConnect(port, protocol, '/'), 501, `${protocol} over HTTP/2`);
    const { status } = await ask(port, { headers: { connection: 'Upgrade', upgrade: protocol } });
    t.equal(status, 200, `${protocol} over HTTP/1.1 is an ordinary request`);
  }
  t.equal(upgrades, 0);
});

test('every third request fails and nobody sees it', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  let count = 0;
  const retry = {
    ...DEFAULT_RETRY_POLICY,
    attempts: 3,
    on: ['retriable_status_codes' as const],
    statusCodes: [503],
    perTryTimeoutMs: undefined,
    backoffBaseMs: 1,
    backoffMaxMs: 2,
  };
  const { port } = await deploy(
    lab,
    [
      (req, res) => {
        let body = '';
        req.on('data', (part: Buffer) => (body += part.toString()));
        req.on('end', () => {
          res.statusCode = ++count % 3 === 0 ? 503 : 200;
          res.end(body);
        });
      },
    ],
    echo => ({ routed: true, rules: [routeRule({ backends: [backend(echo)], retry })] }),
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (let i = 0; i < 60; i++) {
    const answer = await ask(port, { body: `body ${i}`, agent });
    if (answer.status !== 200 || answer.body !== `body ${i}`)
      t.fail(`request ${i}: ${answer.status} ${answer.body}`);
  }
  t.ok(count >= 89, 'each failure was tried again');
});

test('the retry budget ends a storm when everything fails', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  let count = 0;
  const retry = {
    ...DEFAULT_RETRY_POLICY,
    attempts: 5,
    on: ['5xx' as const],
    statusCodes: [],
    perTryTimeoutMs: undefined,
    backoffBaseMs: 1,
    backoffMaxMs: 1,
  };
  const { port } = await deploy(
    lab,
    [
      (_, res) => {
        count++;
        res.statusCode = 503;
        res.end();
      },
    ],
    echo => ({
      rules: [routeRule({ backends: [backend(echo)], retry })],
      trafficPolicy: {
        ...noRoutes(echo).trafficPolicy,
        retryBudget: { ratio: 0.2, minPerSecond: 1, ttlMs: 10_000 },
      },
    }),
  );
  for (let i = 0; i < 100; i++) t.equal((await ask(port)).status, 503);
  t.ok(count <= 131, `100 requests made ${count} tries`);
});

test('an endpoint that cannot be reached is passed over', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const { echo, port, workloads } = await deploy(lab, [(_, res) => res.end('alive')]);
  const [first] = workloads;
  const dead = workload('dead', {
    addresses: [lab.ip(99)],
    serviceAccount: 'echo',
    services: first?.services ?? endpointOf(echo),
  });
  lab.apply({ workloads: [dead] });
  for (let i = 0; i < 10; i++) t.equal((await ask(port)).body, 'alive');
});

test('without an endpoint: 503 UH; without a reachable one: 503 UF', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const echo = service('echo', { vip: VIP, waypoint: WAYPOINT });
  lab.apply({ services: [GATEWAY, echo] });
  const port = await lab.client(VIP, 80);
  t.equal((await ask(port)).status, 503);
  lab.apply({ workloads: [workload('dead', { addresses: [lab.ip(99)], services: endpointOf(echo) })] });
  t.equal((await ask(port)).status, 503);
  const lines = await lab.access(2);
  t.match(lines[0], 'response_flags="UH"');
  t.match(lines[1], 'response_flags="UF,URX"');
});

test('a filter of the access log chooses its lines', async t => {
  const lab = await WaypointLab.create({ accessLog: 'off' });
  t.teardown(() => lab.close());
  const { echo, port } = await deploy(lab, [(req, res) => res.writeHead(req.url === '/a' ? 200 : 404).end()]);
  const routes = noRoutes(echo);
  const accessLogFilter = "response.code >= 400 || request.headers['x-log'] == 'yes'";
  lab.apply({
    routes: [{ ...routes, telemetry: { ...routes.telemetry, accessLog: true, accessLogFilter } }],
  });
  await ask(port, { path: '/a' });
  await ask(port, { path: '/a', headers: { 'x-log': 'yes' } });
  await ask(port, { path: '/b' });
  const lines = await lab.access(2);
  t.match(lines, [/response_code=200/, /path="\/b" .*response_code=404/]);
  t.equal(lines.length, 2);
});

test('90/10 canary by weight, and by header', async t => {
  let seed = 7;
  const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const lab = await WaypointLab.create({ accessLog: 'errors' }, random);
  t.teardown(() => lab.close());
  const { echo, port, workloads } = await deploy(lab, [(_, res) => res.end('v1'), (_, res) => res.end('v2')]);
  const subsets = workloads.map((w, i) => ({
    name: `v${i + 1}`,
    trafficPolicy: undefined,
    portPolicies: [],
    workloads: [w.uid],
  }));
  const user = routeMatch({ headers: [{ name: 'x-user', kind: 'exact', value: 'anna' }] });
  const rules = [
    routeRule({ name: 'anna', matches: [user], backends: [backend(echo, 'v2')] }),
    routeRule({ name: 'canary', backends: [backend(echo, 'v1', 90), backend(echo, 'v2', 10)] }),
  ];
  lab.apply({ routes: [noRoutes(echo, { routed: true, rules, subsets })] });
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  t.teardown(() => agent.destroy());
  let v2 = 0;
  for (let i = 0; i < 20; i++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(port, { agent })));
    v2 += answers.filter(answer => answer.body === 'v2').length;
  }
  t.ok(Math.abs(v2 - 200) < 5, `${v2} of 2,000 went to v2`);
  t.equal((await ask(port, { headers: { 'x-user': 'anna' } })).body, 'v2');
});

test('timeouts: of a request, of a try, and a slow body is no reason to wait', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  let tries = 0;
  const perTry = {
    ...DEFAULT_RETRY_POLICY,
    attempts: 1,
    on: ['gateway_error' as const],
    statusCodes: [],
    perTryTimeoutMs: 1_000,
    backoffBaseMs: 1,
    backoffMaxMs: 1,
  };
  const path = (value: string) => routeMatch({ path: { kind: 'exact', value, ignoreCase: false } });
  const { port } = await deploy(
    lab,
    [
      (req, res) => {
        if (req.url === '/try' && ++tries === 2) res.end('second');
        if (req.url === '/body') res.write('begun');
      },
    ],
    echo => ({
      rules: [
        routeRule({ matches: [path('/try')], backends: [backend(echo)], retry: perTry }),
        routeRule({
          backends: [backend(echo)],
          timeouts: {
            requestMs: 1_000,
            backendRequestMs: undefined,
            responseMs: undefined,
            idleMs: undefined,
          },
        }),
      ],
    }),
  );
  t.equal((await ask(port, { path: '/slow' })).status, 504);
  t.equal((await ask(port, { path: '/try' })).body, 'second');
  await t.rejects(ask(port, { path: '/body' }), 'a response that does not end is broken off');
  const lines = await lab.access(3);
  t.match(lines[0], 'response_flags="UT"');
  t.match(lines[1], 'attempts=2');
  t.match(lines[2], 'response_flags="UT"');
});

test('routes: no match, redirect, rewrite, header changes, direct response, denied', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const prefix = (value: string) => routeMatch({ path: { kind: 'prefix', value, ignoreCase: false } });
  const change = (name: string, value: string) => ({ set: [{ name, value }], add: [], remove: ['x-gone'] });
  const client = { kind: 'suffix', value: '/sa/somebody' } as const;
  const deny = policy('only-somebody', 'deny', [
    {
      ...EMPTY_MATCH,
      notPrincipals: [client],
      http: { ...ANY_HTTP_REQUEST, paths: [{ kind: 'prefix', value: '/private' }] },
    },
  ]);
  const { port } = await deploy(
    lab,
    [
      (req, res) =>
        res.setHeader('x-gone', '1').end(`${req.url} ${req.headers.host} ${String(req.headers['x-new'])}`),
    ],
    echo => ({
      routed: true,
      authorizationPolicies: [deny],
      rules: [
        routeRule({
          matches: [prefix('/old')],
          filters: [
            {
              kind: 'redirect',
              redirect: {
                scheme: undefined,
                hostname: 'new',
                port: undefined,
                path: { kind: 'prefix', value: '/new' },
                status: 301,
              },
            },
          ],
        }),
        routeRule({
          matches: [prefix('/teapot')],
          filters: [{ kind: 'direct_response', status: 418, body: 'short', headers: [] }],
        }),
        routeRule({ matches: [prefix('/none')] }),
        routeRule({
          matches: [prefix('/api'), prefix('/private')],
          filters: [
            { kind: 'rewrite', rewrite: { hostname: 'inner', path: { kind: 'prefix', value: '/v2' } } },
            { kind: 'request_headers', change: change('x-new', 'yes') },
            { kind: 'response_headers', change: change('x-out', 'yes') },
          ],
          backends: [backend(echo)],
        }),
      ],
    }),
  );
  const redirected = await ask(port, { path: '/old/a', headers: { host: 'echo' } });
  t.same([redirected.status, redirected.headers.location], [301, 'http://new/new/a']);
  const teapot = await ask(port, { path: '/teapot' });
  t.same([teapot.status, teapot.body], [418, 'short']);
  t.equal((await ask(port, { path: '/elsewhere' })).status, 404);
  t.equal((await ask(port, { path: '/none' })).status, 500);
  t.equal((await ask(port, { path: '/private/x' })).status, 403);
  const api = await ask(port, { path: '/api/x?y' });
  t.same([api.body, api.headers['x-out'], api.headers['x-gone']], ['/v2/x?y inner yes', 'yes', undefined]);
  const lines = await lab.access(6);
  t.match(lines[2], 'response_flags="NR"');
  t.match(lines[4], 'response_flags="UAEX"');
});

/** `istio_tcp_*` with `reporter="waypoint"`, summed up. */
function tcpTotals(lab: WaypointLab): Record<string, number> {
  const families = lab.thread.metrics().filter(family => family.name.startsWith('istio_tcp_'));
  return Object.fromEntries(
    families.map(({ name, labels, series }) => [
      name.slice('istio_tcp_'.length),
      series
        .filter(({ labelValues }) => labels.length === 0 || labelValues[0] === 'waypoint')
        .reduce((sum, { value }) => sum + value, 0),
    ]),
  );
}

test('TCP: bytes of an open connection are counted; a policy that comes cuts it, and refuses the next', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const server = createTcpServer(socket => {
    socket.on('error', () => {});
    socket.on('data', part => socket.write(part));
  });
  const { echo, port } = await deploy(lab, [server], undefined, 'tcp');
  const open = (): Socket => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    return socket;
  };
  const closed = (socket: Socket): Promise<unknown> => new Promise(resolve => socket.on('close', resolve));
  const first = open();
  const cut = closed(first);
  first.write('12345');
  await new Promise(resolve => first.once('data', resolve));
  t.match(tcpTotals(lab), {
    connections_opened_total: 1,
    connections_closed_total: 0,
    received_bytes_total: 5,
    sent_bytes_total: 5,
    sockets_open: 2,
  });
  const nobody = policy('nobody', 'deny', [{ notPrincipals: [] }]);
  lab.apply({ routes: [noRoutes(echo, { authorizationPolicies: [nobody] })] });
  await cut;
  await closed(open());
  for (const line of await lab.access(2)) {
    t.match(line, '\tconnection failed\t');
    t.match(line, 'response_flags="UAEX"');
    t.match(line, /error=".*default\/nobody/);
  }
  t.match(tcpTotals(lab), {
    connections_opened_total: 1,
    connections_closed_total: 1,
    received_bytes_total: 5,
    connections_failed_total: 2,
    sockets_open: 0,
  });
  t.same(seriesOf(lab.thread.metrics(), 'ambient_authorization_denied_total'), {
    'default/nobody 0 default': 2,
  });
});

test('a dry-run policy refuses nothing; what it would have refused is said, of requests and connections', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const match = { http: { ...ANY_HTTP_REQUEST, methods: [{ kind: 'exact' as const, value: 'DELETE' }] } };
  const trial = policy('trial', 'deny', [match], { dryRun: true });
  const { echo, port } = await deploy(lab, [(_, res) => res.end('ok')], () => ({
    authorizationPolicies: [trial],
  }));
  const said = (): string[] => lab.lines.filter(line => line.includes('dry-run policy'));
  t.equal((await ask(port)).status, 200);
  t.same(said(), [], 'nothing where it agrees');
  t.equal((await ask(port, { method: 'DELETE', path: '/it' })).status, 200);
  t.match(
    said()[0],
    /source="spiffe:.*sa\/client" destination="default\/echo.*method="DELETE" path="\/it" allowed=false reason=".*default\/trial/,
  );
  const mail = createTcpServer(socket => socket.on('error', () => {}).end('220'));
  const ip = lab.ip(30);
  const targetPort = await lab.app(mail, ip);
  const plain = service('mail', {
    vip: '10.96.0.30',
    waypoint: WAYPOINT,
    ports: [{ servicePort: 25, targetPort, appProtocol: 'tcp' }],
  });
  const w = workload('mail', { addresses: [ip], services: endpointOf(plain) });
  await lab.enrol(w);
  const anyone = policy('anyone', 'deny', [{ notPrincipals: [] }], { dryRun: true });
  lab.apply({
    services: [plain, echo],
    workloads: [w],
    routes: [noRoutes(plain, { authorizationPolicies: [anyone] })],
  });
  const socket = createConnection({ port: await lab.client('10.96.0.30', 25), host: '127.0.0.1' });
  t.equal(String(await new Promise(resolve => socket.once('data', resolve))), '220');
  socket.destroy();
  t.match(said()[1], /destination="default\/mail.*allowed=false reason=".*default\/anyone/);
});

test('TCP: a server that speaks first is heard, declared or not; half-close is kept', async t => {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 50 });
  t.teardown(() => lab.close());
  for (const [i, declared] of (['tcp', 'unknown'] as const).entries()) {
    const greeting = createTcpServer({ allowHalfOpen: true }, socket => {
      socket.write('220 hello\r\n');
      socket.on('data', part => socket.write(part));
      socket.on('end', () => socket.end('bye'));
    });
    const ip = lab.ip(20 + i);
    const targetPort = await lab.app(greeting, ip);
    const vip = `10.96.0.${20 + i}`;
    const mail = service(`mail-${declared}`, {
      vip,
      waypoint: WAYPOINT,
      ports: [{ servicePort: 25, targetPort, appProtocol: declared }],
    });
    const w = workload(`mail-${declared}`, { addresses: [ip], services: endpointOf(mail) });
    await lab.enrol(w);
    lab.apply({ services: [GATEWAY, mail], workloads: [w] });
    const port = await lab.client(vip, 25);
    const text = await new Promise<string>((resolve, reject) => {
      let all = '';
      const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
      socket.on('error', reject);
      socket.on('data', (part: Buffer) => {
        all += part.toString();
        if (all === '220 hello\r\n') socket.end('EHLO\r\n');
      });
      socket.on('end', () => resolve(all));
    });
    t.equal(text, '220 hello\r\nEHLO\r\nbye');
  }
  for (const line of await lab.access(2)) {
    t.match(line, '\tconnection complete\t');
    for (const field of [
      'src.identity="spiffe://cluster.local/ns/default/sa/client"',
      'dst.namespace="default"',
      'dst.identity="spiffe://cluster.local/ns/default/sa/mail-',
      'response_flags="-" bytes_sent=20 bytes_recv=6 ',
    ])
      t.match(line, field);
  }
  t.same(tcpTotals(lab), {
    connections_opened_total: 2,
    connections_closed_total: 2,
    sent_bytes_total: 40,
    received_bytes_total: 12,
    connections_failed_total: 0,
    sockets_open: 0,
  });
});

test('a service that does not use this waypoint is not reached through it', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const foreign = service('foreign', { vip: '10.96.0.77', waypoint: waypointOf(service('other')) });
  lab.apply({ services: [GATEWAY, foreign] });
  const port = await lab.client('10.96.0.77', 80);
  await t.rejects(ask(port));
  t.match(lab.lines.join('\n'), 'does not use this waypoint');
});

test('a source address that the client only claims to have opens nothing', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const claimed = lab.ip(2);
  const allow = policy('by-address', 'allow', [{ sourceIps: [{ ip: claimed, prefixLength: 32 }] }]);
  const { port } = await deploy(lab, [(_, res) => res.end('ok')], () => ({ authorizationPolicies: [allow] }));
  const stranger = workload('stranger', { addresses: [claimed] });
  lab.apply({ workloads: [stranger] });
  t.equal((await ask(port)).status, 403, 'the address is of a workload with another identity');
  lab.apply({ workloads: [{ ...stranger, serviceAccount: 'client' }] });
  t.equal((await ask(port)).status, 200, 'the address is of a workload with the identity that was proved');
});

test('a client that never says anything is cut, whatever the port is declared to speak', async t => {
  const lab = await WaypointLab.create({ downstreamIdleTimeoutMs: 1_000 });
  t.teardown(() => lab.close());
  const { port } = await deploy(lab, [(_, res) => res.end('ok')], () => ({}), 'http11');
  const cut = ['', 'PRI * HT'].map(first => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(first));
    socket.on('error', () => undefined);
    return new Promise(resolve => socket.on('close', resolve));
  });
  await Promise.all(cut);
  t.equal((await ask(port)).status, 200);
});

test('a change of policy holds for the next request of a connection', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const { echo, port } = await deploy(lab, [(_, res) => res.end('ok')]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  t.equal((await ask(port, { agent })).status, 200);
  lab.apply({ routes: [noRoutes(echo, { authorizationPolicies: [policy('deny-all', 'deny', [{}])] })] });
  t.equal((await ask(port, { agent })).status, 403);
  lab.apply({ routes: [noRoutes(echo)] });
  t.equal((await ask(port, { agent })).status, 200);
});

test('drain finishes the response under way, says close, and takes no new connection', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  let finish: (() => void) | undefined;
  const started = new Promise<void>(resolve => {
    finish = resolve;
  });
  let answer: (() => void) | undefined;
  const { port } = await deploy(lab, [
    (_, res) => {
      answer = () => res.end('done');
      finish?.();
    },
  ]);
  const response = ask(port, { headers: { connection: 'keep-alive' } });
  await started;
  const drained = lab.thread.drain(5_000);
  answer?.();
  const { body, headers } = await response;
  t.equal(body, 'done');
  t.equal(headers.connection, 'close');
  t.equal(await drained, 0);
  await t.rejects(ask(port));
});

test('a connection that is idle as the drain begins gets its next request answered, and hears of the end', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const { port } = await deploy(lab, [(_, res) => res.end('ok')]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  t.equal((await ask(port, { agent })).headers.connection, undefined);
  const drained = lab.thread.drain(5_000);
  const { status, headers } = await ask(port, { agent });
  t.equal(status, 200);
  t.equal(headers.connection, 'close');
  t.equal(await drained, 0);
});

test('a renewed certificate does not fail a request', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const { port } = await deploy(lab, [(_, res) => res.end('ok')]);
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.teardown(() => agent.destroy());
  for (let round = 0; round < 5; round++) {
    const requests = Array.from({ length: 40 }, () => ask(port, { agent }));
    await lab.renewCertificate();
    for (const { status } of await Promise.all(requests)) t.equal(status, 200);
  }
});
