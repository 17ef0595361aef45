import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createConnection, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createServer as createTlsServer, connect as connectTls } from 'node:tls';
import { type Test, test } from 'tap';
import type { StreamRule } from '#shared/route/stream-rule.ts';
import { type ForwardTunnel, NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { endpointOf, noRoutes, service, workload } from '#shared/testing/topology.ts';
import type { AppProtocol } from '#shared/workload/workload.ts';
import { ask, GATEWAY, VIP, WAYPOINT } from './testing/deploy.ts';
import { simpleTls } from './testing/simple-tls.ts';
import { type AppServer, WaypointLab } from './testing/waypoint-lab.ts';

/** Connections that the waypoint leads through forward proxies of the runtime, which know nothing of a mesh. */

const TARGET = 'target.example:443';
const CONNECT: ForwardTunnel = { method: 'CONNECT', target: TARGET };
const POST: ForwardTunnel = { method: 'POST', target: TARGET };
const PROXY_VIP = '10.96.0.11';
const PROXY_HOST = 'proxy.example';
const ca = await createTestCa('public');
const leaf = await ca.issue('spiffe://elsewhere/ns/a/sa/proxy', { serverNames: [PROXY_HOST] });
const CERTIFICATE = { cert: leaf.certChainPem, key: leaf.privateKeyPem };
const PLACES = [
  ['outside the mesh', false],
  ['in the mesh', true],
] as const;

interface Deployment {
  readonly policy: Partial<TrafficPolicy>;
  /** One for each endpoint. */
  readonly proxies: readonly AppServer[];
  readonly inMesh?: boolean;
  readonly protocol?: AppProtocol;
}

interface Deployed {
  readonly mesh: WaypointLab;
  /** Leads to a service whose connections a route leads to the proxy. */
  readonly routed: number;
  /** Leads to the proxy itself. */
  readonly direct: number;
}

async function deploy(t: Test, deployment: Deployment): Promise<Deployed> {
  const { inMesh = false, policy, protocol = 'tcp', proxies } = deployment;
  const mesh = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => mesh.close());
  const ports = [{ servicePort: 3128, targetPort: 3128, appProtocol: protocol }];
  const proxy = { ...service('proxy', { vip: PROXY_VIP, waypoint: WAYPOINT, hostname: PROXY_HOST }), ports };
  const workloads = [];
  for (const [i, server] of proxies.entries()) {
    const ip = mesh.ip(10 + i);
    await mesh.app(server, ip, 3128);
    const tunnelProtocol = inMesh ? ('hbone' as const) : ('none' as const);
    const one = workload(`proxy-${i}`, { addresses: [ip], services: endpointOf(proxy), tunnelProtocol });
    if (inMesh) await mesh.enrol(one);
    workloads.push(one);
  }
  const app = {
    ...service('app', { vip: VIP, waypoint: WAYPOINT }),
    ports: [{ servicePort: 443, targetPort: 443, appProtocol: 'tls' as const }],
  };
  const backend = { weight: 1, service: `default/${PROXY_HOST}`, port: 3128, subset: undefined, filters: [] };
  const streamRules: StreamRule[] = (['tls', 'tcp'] as const).map(kind => ({
    name: kind,
    protocol: kind,
    ports: [],
    consumer: undefined,
    callers: [],
    matches: [],
    backends: [backend],
    idleTimeoutMs: undefined,
  }));
  const routes = [
    noRoutes(proxy, { trafficPolicy: { ...NO_TRAFFIC_POLICY, ...policy } }),
    noRoutes(app, { streamRules }),
  ];
  mesh.apply({ services: [GATEWAY, proxy, app], workloads, routes });
  return { mesh, routed: await mesh.client(VIP, 443), direct: await mesh.client(PROXY_VIP, 3128) };
}

/** A proxy all of whose targets send back what they hear. */
interface EchoProxy {
  readonly server: AppServer;
  /** Method and target of each tunnel. */
  readonly asked: string[];
}

function http1Proxy(make: () => Server = createHttpServer): EchoProxy {
  const asked: string[] = [];
  const server = make();
  server.on('connect', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    asked.push(`CONNECT ${req.url} host ${req.headers.host}`);
    socket.on('error', () => {});
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.write(head);
    socket.pipe(socket);
  });
  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    asked.push(`${req.method} ${req.url} host ${req.headers.host}`);
    res.writeHead(200).flushHeaders();
    req.pipe(res);
  });
  return { server, asked };
}

function http2Proxy(): EchoProxy {
  const asked: string[] = [];
  const server = createHttp2Server();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const { ':authority': authority, ':method': method, ':path': path } = headers;
    asked.push(method === 'CONNECT' ? `CONNECT ${authority}` : `${method} ${path} host ${authority}`);
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  return { server, asked };
}

/** What comes back of these bytes. The client ends its direction first, and the proxy answers with its own end. */
function say(port: number, bytes: Buffer): Promise<Buffer> {
  return buffer(createConnection({ port, host: '127.0.0.1', allowHalfOpen: true }).end(bytes));
}

const ROWS = [
  ['CONNECT over HTTP/1.1', CONNECT, 'tcp', http1Proxy, `CONNECT ${TARGET} host ${TARGET}`],
  ['CONNECT over HTTP/2', CONNECT, 'http2', http2Proxy, `CONNECT ${TARGET}`],
  ['POST over HTTP/1.1', POST, 'tcp', http1Proxy, `POST / host ${TARGET}`],
  ['POST over HTTP/2', POST, 'http2', http2Proxy, `POST / host ${TARGET}`],
] as const;

test('a connection goes through the proxy to the target, both ways, with an end of each', async t => {
  const large = randomBytes(3_000_000);
  for (const [place, inMesh] of PLACES) {
    for (const [method, tunnel, protocol, make, expected] of ROWS) {
      const name = `${method}, ${place}`;
      const proxy = make();
      const { mesh, routed } = await deploy(t, {
        policy: { tunnel },
        proxies: [proxy.server],
        inMesh,
        protocol,
      });
      t.equal((await say(routed, Buffer.from('hello'))).toString(), 'hello', name);
      t.ok((await say(routed, large)).equals(large), `${name}: three megabytes`);
      t.same(proxy.asked, [expected, expected], name);
      const lines = await mesh.access(2);
      t.match(lines[0], new RegExp(`dst.addr="?${mesh.ip(10)}:3128`), name);
      t.match(lines[0], /bytes_sent="?5\b.*bytes_recv="?5\b|bytes_recv="?5\b.*bytes_sent="?5\b/, name);
      t.notMatch(lines[0], /error=/, name);
    }
  }
});

test('TLS of the client goes through, and the proxy may be spoken TLS with', async t => {
  const target = createTlsServer(CERTIFICATE, socket => void socket.on('error', () => {}).pipe(socket));
  const server = createHttpsServer(CERTIFICATE);
  server.on('connect', (_req: IncomingMessage, socket: Duplex) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    const upstream = createConnection((target.address() as { port: number }).port, '127.0.0.1');
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) end.on('error', () => {});
    socket.once('close', () => upstream.destroy());
  });
  const tls = simpleTls(ca.rootPem, { serverName: PROXY_HOST });
  const { mesh, routed } = await deploy(t, { policy: { tunnel: CONNECT, tls }, proxies: [server] });
  await mesh.app(target, '127.0.0.1');
  const client = connectTls({ port: routed, host: '127.0.0.1', servername: PROXY_HOST, ca: ca.rootPem });
  client.write('through');
  const heard = await new Promise<string>(resolve => client.once('data', data => resolve(String(data))));
  client.destroy();
  t.equal(heard, 'through');
});

test('what a proxy answers instead of a tunnel ends the connection, and is told', async t => {
  for (const [protocol, status] of [
    ['tcp', 403],
    ['http2', 407],
    ['tcp', 502],
  ] as const) {
    let tries = 0;
    const http1 = (): AppServer => {
      const server = createHttpServer();
      server.on('connect', (_req: IncomingMessage, socket: Duplex) => {
        tries++;
        socket.on('error', () => {}).resume();
        socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 2\r\n\r\nno`);
      });
      return server;
    };
    const http2 = (): AppServer =>
      createHttp2Server().on('stream', (stream: ServerHttp2Stream) => {
        tries++;
        stream.respond({ ':status': status });
        stream.end('no');
      });
    const make = protocol === 'tcp' ? http1 : http2;
    const policy = { tunnel: CONNECT };
    const { mesh, routed } = await deploy(t, { policy, proxies: [make(), make()], protocol });
    await t.rejects(say(routed, Buffer.from('hello')), { code: 'ECONNRESET' }, `${status}`);
    const [line = ''] = await mesh.access(1);
    t.match(line, new RegExp(`CONNECT ${TARGET} through the proxy \\S+:3128: answered with ${status}`));
    t.match(line, /response_flags="?UF/);
    t.equal(tries, 1, 'another one would be asked for the same');
  }
});

test('another endpoint is asked when one is not there, and a proxy that does not answer is not waited for', async t => {
  const proxy = http1Proxy();
  const broken = createTcpServer(socket => void socket.once('data', () => socket.resetAndDestroy()));
  const { routed } = await deploy(t, { policy: { tunnel: CONNECT }, proxies: [broken, proxy.server] });
  for (let i = 0; i < 4; i++) t.equal(String(await say(routed, Buffer.from('hello'))), 'hello');
  const silent = createTcpServer(socket => socket.on('error', () => {}).resume());
  const policy = { tunnel: CONNECT, connectTimeoutMs: 1_000 };
  const { mesh, routed: waiting } = await deploy(t, { policy, proxies: [silent] });
  await t.rejects(say(waiting, Buffer.from('hello')), { code: 'ECONNRESET' });
  t.match((await mesh.access(1))[0], /through the proxy \S+: no answer within \d+ ms/);
});

test('a target that speaks first is heard, also what comes with the answer', async t => {
  const server = createHttpServer();
  server.on('connect', (_req: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => {}).resume();
    socket.end('HTTP/1.1 200 OK\r\n\r\n220 ready\r\n');
  });
  const { routed } = await deploy(t, { policy: { tunnel: CONNECT }, proxies: [server] });
  t.equal(String(await say(routed, Buffer.from('x'))), '220 ready\r\n');
});

test('a kept connection that had been closed when it was used is replaced', async t => {
  const requests = new Map<Socket, number>();
  const proxy = http1Proxy(() => createHttpServer({ keepAliveTimeout: 60_000 }));
  proxy.server.prependListener('request', ({ socket }: IncomingMessage) => {
    const count = (requests.get(socket) ?? 0) + 1;
    requests.set(socket, count);
    if (count > 1) socket.destroy();
  });
  const { mesh, routed } = await deploy(t, { policy: { tunnel: POST }, proxies: [proxy.server] });
  t.equal(String(await say(routed, Buffer.from('one'))), 'one');
  await mesh.access(1);
  t.equal(String(await say(routed, Buffer.from('two'))), 'two');
  t.same([...requests.values()], [2, 1]);
});

test('the header of the PROXY protocol goes before the request for the tunnel', async t => {
  const heard = Promise.withResolvers<string>();
  const server = createTcpServer(socket => {
    socket
      .on('error', () => {})
      .on('data', data => {
        heard.resolve(String(data));
        socket.resetAndDestroy();
      });
  });
  const policy = { tunnel: CONNECT, proxyProtocol: 'v1' as const };
  const { routed } = await deploy(t, { policy, proxies: [server] });
  await t.rejects(say(routed, Buffer.from('hello')));
  t.match(
    await heard.promise,
    /^PROXY TCP4 \S+ 10\.96\.0\.10 \d+ 443\r\nCONNECT target\.example:443 HTTP\/1\.1\r\n/,
  );
});

test('a connection to the proxy itself goes through it as well; requests to it are requests', async t => {
  const proxy = http1Proxy();
  const plain = await deploy(t, { policy: { tunnel: CONNECT }, proxies: [proxy.server] });
  t.equal(String(await say(plain.direct, Buffer.from('hello'))), 'hello');
  t.same(proxy.asked, [`CONNECT ${TARGET} host ${TARGET}`]);
  const http = http1Proxy();
  const { direct } = await deploy(t, {
    policy: { tunnel: CONNECT },
    proxies: [http.server],
    protocol: 'http11',
  });
  t.equal((await ask(direct, { path: '/status', headers: { host: 'a' } })).status, 200);
  t.same(http.asked, ['GET /status host a']);
});

test('a tunnel counts for maxConnections once: as the connection to the proxy that it is', async t => {
  const proxy = http1Proxy();
  const policy = { tunnel: CONNECT, maxConnections: 2 };
  const { mesh, routed } = await deploy(t, { policy, proxies: [proxy.server] });
  const clients = [1, 2].map(() => createConnection(routed, '127.0.0.1').setEncoding('utf8'));
  for (const client of clients) {
    client.on('error', () => {}).write('hello');
    t.teardown(() => client.destroy());
  }
  const heard = await Promise.all(
    clients.map(client => new Promise(resolve => void client.once('data', resolve).once('close', resolve))),
  );
  t.same(heard, ['hello', 'hello']);
  for (const client of clients) client.end();
  for (const line of await mesh.access(2)) t.match(line, /response_flags="-"/);
});
