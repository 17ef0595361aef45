import { once } from 'node:events';
import { Agent, createServer as createHttpServer } from 'node:http';
import { connect as http2Connect, createServer as createHttp2Server } from 'node:http2';
import { createConnection, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Test, test } from 'tap';
import type { RouteRule } from '#shared/route/model.ts';
import { NO_TRAFFIC_POLICY, type ProxyProtocol } from '#shared/route/traffic-policy.ts';
import { externalAuthorizer } from '#shared/testing/external-authorizer.ts';
import { routeRule } from '#shared/testing/route.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { endpointOf, noRoutes, service, workload } from '#shared/testing/topology.ts';
import type { AppProtocol, Service } from '#shared/workload/workload.ts';
import { ask, backend, deployBeside, GATEWAY, VIP, WAYPOINT } from './testing/deploy.ts';
import { startNginx, withoutNginx } from './testing/nginx.ts';
import { simpleTls } from './testing/simple-tls.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

/** The waypoint in front of servers that want to be told whose each connection is. */

const HOST = 'api.example';
const PORT = 8080;
const ca = await createTestCa('public');
const leaf = await ca.issue('spiffe://elsewhere/ns/a/sa/api', { serverNames: [HOST] });

const TLS = simpleTls(ca.rootPem, { serverName: HOST });

const VERSIONS = ['v1', 'v2'] as const;
const PLACES = [
  ['outside the mesh', false],
  ['in the mesh', true],
] as const;

interface Deployment {
  readonly proxyProtocol: ProxyProtocol | undefined;
  readonly inMesh?: boolean;
  readonly protocol?: AppProtocol;
  readonly tls?: boolean;
  readonly rules?: (api: Service) => readonly RouteRule[];
}

async function lab(t: Test): Promise<WaypointLab> {
  const mesh = await WaypointLab.create();
  t.teardown(() => mesh.close());
  return mesh;
}

/** Service `api.example`, whose endpoint is whatever listens at the address of `serverIp`, and a client at `clientIp`. */
async function deploy(mesh: WaypointLab, deployment: Deployment): Promise<void> {
  const { inMesh = false, protocol = 'unknown', proxyProtocol, rules, tls = false } = deployment;
  const ports = [{ servicePort: 80, targetPort: PORT, appProtocol: protocol }];
  const api = { ...service('api', { vip: VIP, waypoint: WAYPOINT, hostname: HOST }), ports };
  const server = workload('api', {
    addresses: [serverIp(mesh)],
    services: endpointOf(api),
    tunnelProtocol: inMesh ? 'hbone' : 'none',
  });
  if (inMesh && !enrolled.has(mesh)) {
    enrolled.add(mesh);
    await mesh.enrol(server);
  }
  // What a client's ztunnel says of its address is believed of an address that is its own.
  const client = workload('client', { addresses: [mesh.ip(2)] });
  const trafficPolicy = { ...NO_TRAFFIC_POLICY, proxyProtocol, tls: tls ? TLS : undefined };
  const routes = [noRoutes(api, { trafficPolicy, rules: rules?.(api) ?? [] })];
  mesh.apply({ services: [GATEWAY, api], workloads: [server, client], routes });
}

/** Where the server has a ztunnel already. */
const enrolled = new WeakSet<WaypointLab>();

const serverIp = (mesh: WaypointLab): string => mesh.ip(10);

/** What a server is told of a client of the lab. */
function told(mesh: WaypointLab, sourcePort = 40_000): string {
  return `${mesh.ip(2)} ${VIP} ${sourcePort} 80`;
}

const NGINX_SAYS =
  '$proxy_protocol_addr $proxy_protocol_server_addr $proxy_protocol_port $proxy_protocol_server_port';

test('nginx reads it: of HTTP, TCP and TLS, outside the mesh and in it', { skip: withoutNginx }, async t => {
  for (const tls of [false, true]) {
    const mesh = await lab(t);
    const end = await startNginx({
      listen: [`${serverIp(mesh)}:${PORT} proxy_protocol${tls ? ' ssl' : ''}`],
      directives: `${tls ? 'ssl_certificate $dir/tls.crt; ssl_certificate_key $dir/tls.key;' : ''}
        return 200 "${NGINX_SAYS}";`,
      files: { 'tls.crt': leaf.certChainPem, 'tls.key': leaf.privateKeyPem },
    });
    t.teardown(end);
    for (const [place, inMesh] of PLACES) {
      for (const proxyProtocol of VERSIONS) {
        for (const protocol of ['unknown', 'tcp'] as const) {
          const name = `${place}, ${proxyProtocol}, ${protocol}, ${tls ? 'TLS' : 'plain'}`;
          await deploy(mesh, { proxyProtocol, inMesh, protocol, tls });
          const client = await mesh.client(VIP, 80);
          t.match(await ask(client), { status: 200, body: told(mesh) }, name);
        }
      }
    }
  }
});

/** An HTTP server that has seen these connections, by what each began with. */
interface Receiver {
  readonly headers: readonly string[];
  /** Connections that are open. */
  readonly open: () => number;
  /** Resolves when so many are. */
  whenOpen(count: number): Promise<void>;
}

/** Answers each request with the header of its connection. */
async function receiver(mesh: WaypointLab, http: Server = createHttpServer()): Promise<Receiver> {
  const headers: string[] = [];
  const byPort = new Map<number, string>();
  const waits: { readonly count: number; readonly resolve: () => void }[] = [];
  let open = 0;
  const changed = (): void => {
    for (const { count, resolve } of waits) if (open === count) resolve();
  };
  http.on('request', (req: { socket: Socket; stream?: { session?: { socket: Socket } } }, res: Ending) => {
    const { remotePort = 0 } = req.stream?.session?.socket ?? req.socket;
    res.end(byPort.get(remotePort));
  });
  const tcp = createTcpServer(socket => {
    open++;
    changed();
    socket
      .on('error', () => {})
      .once('close', () => {
        open--;
        changed();
      });
    void readHeader(socket).then(header => {
      headers.push(header);
      byPort.set(socket.remotePort ?? 0, header);
      http.emit('connection', socket);
    });
  });
  await mesh.app(tcp, serverIp(mesh), PORT);
  return {
    headers,
    open: () => open,
    whenOpen: count =>
      open === count ? Promise.resolve() : new Promise(resolve => waits.push({ count, resolve })),
  };
}

interface Ending {
  end(body: string | undefined): void;
}

/** The line of version 1, without its first word; what comes after it is left to the next reader. */
async function readHeader(socket: Socket): Promise<string> {
  await once(socket, 'readable');
  const first = socket.read() as Buffer | null;
  const said = first?.toString('latin1') ?? '';
  const end = said.indexOf('\r\n');
  const hasHeader = said.startsWith('PROXY ') && end > 0;
  if (first !== null) socket.unshift(hasHeader ? first.subarray(end + 2) : first);
  return hasHeader ? said.slice('PROXY '.length, end) : 'none';
}

test('a connection serves requests of one client alone, and ends with it', async t => {
  const mesh = await lab(t);
  const server = await receiver(mesh);
  await deploy(mesh, { proxyProtocol: 'v1' });
  const keeping = (): Agent => new Agent({ keepAlive: true, maxSockets: 1 });
  const [one, two] = [keeping(), keeping()];
  const ports = await Promise.all(
    [40_001, 40_002].map(port => mesh.client(VIP, 80, { ip: mesh.ip(2), port })),
  );
  const [first = 0, second = 0] = ports;
  for (let i = 0; i < 3; i++) {
    t.equal((await ask(first, { agent: one })).body, `TCP4 ${told(mesh, 40_001)}`, `request ${i}`);
    t.equal((await ask(second, { agent: two })).body, `TCP4 ${told(mesh, 40_002)}`, `request ${i}`);
  }
  t.equal(server.headers.length, 2, 'each client has one connection');
  t.match(mesh.thread.dump(), {
    upstream: [
      { client: `${mesh.ip(2)}:40001`, connections: 1 },
      { client: `${mesh.ip(2)}:40002`, connections: 1 },
    ],
  });
  one.destroy();
  await server.whenOpen(1);
  two.destroy();
  await server.whenOpen(0);
  t.match(mesh.thread.dump(), { upstream: [] });
});

test('streams of one client share its connection, streams of another do not', async t => {
  const mesh = await lab(t);
  const server = await receiver(mesh, createHttp2Server());
  await deploy(mesh, { proxyProtocol: 'v1', inMesh: true, protocol: 'http2' });
  const clients = [];
  for (const port of [40_001, 40_002]) {
    const client = http2Connect(`http://127.0.0.1:${await mesh.client(VIP, 80, { ip: mesh.ip(2), port })}`);
    clients.push(client);
    const bodies = await Promise.all(
      [1, 2, 3, 4].map(() => text(client.request({ ':path': '/' }).setEncoding('latin1'))),
    );
    t.same(new Set(bodies), new Set([`TCP4 ${told(mesh, port)}`]), `client ${port}`);
  }
  t.equal(server.headers.length, 2);
  for (const client of clients) client.close();
  await server.whenOpen(0);
});

test('a policy that changes holds for the next request', async t => {
  const mesh = await lab(t);
  const server = await receiver(mesh);
  await deploy(mesh, { proxyProtocol: 'v1' });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const port = await mesh.client(VIP, 80);
  t.equal((await ask(port, { agent })).body, `TCP4 ${told(mesh)}`);
  await deploy(mesh, { proxyProtocol: undefined });
  t.equal((await ask(port, { agent })).body, 'none');
  t.same(server.headers, [`TCP4 ${told(mesh)}`, 'none']);
});

test('plain TCP: each connection has its header, and nothing else before its bytes', async t => {
  for (const [place, inMesh] of PLACES) {
    const mesh = await lab(t);
    const echo = createTcpServer(socket => void socket.on('error', () => {}).pipe(socket));
    await mesh.app(echo, serverIp(mesh), PORT);
    await deploy(mesh, { proxyProtocol: 'v1', inMesh, protocol: 'tcp' });
    for (const port of [40_001, 40_002]) {
      const client = await mesh.client(VIP, 80, { ip: mesh.ip(2), port });
      const heard = await text(createConnection(client, '127.0.0.1').end('hello'));
      t.equal(heard, `PROXY TCP4 ${told(mesh, port)}\r\nhello`, place);
    }
  }
});

test('a client whose address nobody vouches for is told as who it is seen to be', async t => {
  const mesh = await lab(t);
  await receiver(mesh);
  await deploy(mesh, { proxyProtocol: 'v1' });
  const port = await mesh.client(VIP, 80, { ip: '203.0.113.9', port: 1 });
  t.match((await ask(port)).body, /^TCP4 127\.0\.0\.1 10\.96\.0\.10 \d+ 80$/);
});

test('what the waypoint asks for itself begins with the header of nobody, over connections that clients share', async t => {
  const mesh = await lab(t);
  const server = await receiver(mesh);
  await deploy(mesh, { proxyProtocol: 'v1' });
  const asked = `default/${HOST}`;
  const authorizer = externalAuthorizer(asked, { protocol: 'http' });
  const beside = await deployBeside(mesh, 'beside', 40, (_req, res) => res.end('passed'), 'http11');
  const web = { ...service('web', { vip: '10.96.0.11', waypoint: WAYPOINT }) };
  const filters = [{ kind: 'external_authorization', authorizer } as const];
  const backends = [{ weight: 1, service: beside, port: 80, subset: undefined, filters: [] }];
  mesh.apply({ services: [web], routes: [noRoutes(web, { rules: [routeRule({ filters, backends })] })] });
  for (let i = 0; i < 2; i++) {
    const port = await mesh.client('10.96.0.11', 80);
    t.match(await ask(port), { status: 200, body: 'passed' });
  }
  t.same(server.headers, ['UNKNOWN']);
});

test('a copy of a request is told to be of the same client', async t => {
  const mesh = await lab(t);
  const server = await receiver(mesh);
  const beside = await deployBeside(mesh, 'beside', 40, (_req, res) => res.end('passed'), 'http11');
  const mirror = { service: `default/${HOST}`, port: 80, subset: undefined };
  await deploy(mesh, {
    proxyProtocol: 'v1',
    rules: api => [
      routeRule({
        filters: [{ kind: 'mirror', mirror: { ...mirror, percent: 100 } }],
        backends: [{ ...backend(api), service: beside }],
      }),
    ],
  });
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  t.equal((await ask(await mesh.client(VIP, 80), { agent })).body, 'passed');
  await server.whenOpen(1);
  agent.destroy();
  await server.whenOpen(0);
  t.same(server.headers, [`TCP4 ${told(mesh)}`]);
});
