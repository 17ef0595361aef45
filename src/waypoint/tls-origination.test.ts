import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createConnection, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls, createServer as createTlsServer, type TlsOptions, TLSSocket } from 'node:tls';
import { type Test, test } from 'tap';
import { NO_TRAFFIC_POLICY, type TlsOrigination } from '#shared/route/traffic-policy.ts';
import type { TlsCredential } from '#shared/route/tls-credential.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { endpointOf, noRoutes, service, workload } from '#shared/testing/topology.ts';
import type { AppProtocol } from '#shared/workload/workload.ts';
import { ask, GATEWAY, VIP, WAYPOINT } from './testing/deploy.ts';
import { simpleTls } from './testing/simple-tls.ts';
import { type AppServer, WaypointLab } from './testing/waypoint-lab.ts';

/**
 * The waypoint against TLS servers of the runtime, which know nothing of a mesh: outside of it over TCP, and in it, behind a
 * ztunnel, inside the tunnel.
 */

const HOST = 'api.example';
const SERVER_ID = 'spiffe://cluster.local/ns/default/sa/api';
const ca = await createTestCa('public');
const leaf = await ca.issue('spiffe://elsewhere/ns/a/sa/api', { serverNames: [HOST] });
const CERTIFICATE = { cert: leaf.certChainPem, key: leaf.privateKeyPem };

const SIMPLE = simpleTls(ca.rootPem);

interface Deployment {
  readonly server: AppServer;
  readonly tls: Partial<TlsOrigination>;
  readonly connectTimeoutMs?: number;
  readonly protocol?: AppProtocol;
  readonly inMesh?: boolean;
}

interface Deployed {
  readonly mesh: WaypointLab;
  /** Of the client's end. */
  readonly port: number;
}

const PLACES = [
  ['outside the mesh', false],
  ['in the mesh', true],
] as const;

/** Service `api.example`, with TLS of this policy. */
async function deploy(
  t: { teardown(end: () => unknown): void },
  { connectTimeoutMs, inMesh = false, protocol = 'unknown', server, tls }: Deployment,
): Promise<Deployed> {
  const mesh = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => mesh.close());
  const ip = mesh.ip(10);
  const targetPort = await mesh.app(server, ip);
  const ports = [{ servicePort: 80, targetPort, appProtocol: protocol }];
  const api = { ...service('api', { vip: VIP, waypoint: WAYPOINT, hostname: HOST }), ports };
  const w = workload('api', {
    addresses: [ip],
    services: endpointOf(api),
    tunnelProtocol: inMesh ? 'hbone' : 'none',
  });
  if (inMesh) await mesh.enrol(w);
  const trafficPolicy = { ...NO_TRAFFIC_POLICY, connectTimeoutMs, tls: { ...SIMPLE, ...tls } };
  const routes = [noRoutes(api, { trafficPolicy })];
  mesh.apply({ services: [GATEWAY, api], workloads: [w], routes });
  return { mesh, port: await mesh.client(VIP, 80) };
}

/** Answers with what it sees: HTTP version, the name it was asked for, scheme, the names of the client's certificate. */
function answer(req: Http2ServerRequest, res: Http2ServerResponse): void {
  const { socket } = req.httpVersion === '2.0' ? (req.stream.session ?? req) : req;
  const tls = socket instanceof TLSSocket ? socket : undefined;
  const shown = tls?.getPeerX509Certificate()?.subjectAltName ?? 'nobody';
  res.end(`${req.httpVersion} ${String(tls?.servername)} ${req.headers[':scheme'] ?? '-'} ${shown}`);
}

function http2Server(options: TlsOptions = {}): AppServer {
  return createSecureServer({ ...CERTIFICATE, ...options, allowHTTP1: true }, answer);
}

function http1Server(options: TlsOptions = {}): AppServer {
  return createHttpsServer({ ...CERTIFICATE, ...options }, (req, res) => {
    const name = req.socket instanceof TLSSocket ? req.socket.servername : '';
    res.end(`${req.httpVersion} ${String(name)}`);
  });
}

test('plain HTTP becomes HTTPS: the server is asked for by the name of the service, and chooses the version', async t => {
  for (const [place, inMesh] of PLACES) {
    for (const [name, server, said] of [
      ['HTTP/2 where it offers that', http2Server(), `2.0 ${HOST} https nobody`],
      ['HTTP/1.1 where it offers nothing', http1Server(), `1.1 ${HOST}`],
      ['TLS 1.2', http1Server({ maxVersion: 'TLSv1.2' }), `1.1 ${HOST}`],
    ] as const) {
      const { port } = await deploy(t, { server, tls: {}, inMesh });
      for (let i = 0; i < 3; i++)
        t.match(await ask(port), { status: 200, body: said }, `${place}, ${name}, request ${i}`);
    }
  }
});

test('many at once share the first connection once the server has chosen HTTP/2', async t => {
  for (const [place, inMesh] of PLACES) {
    const { mesh, port } = await deploy(t, { server: http2Server(), tls: {}, inMesh });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port)));
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]), place);
    t.match(mesh.thread.dump(), { upstream: [{ protocol: 'negotiated', connections: 1, pending: 0 }] });
  }
});

test('what is spoken is what was settled beforehand', async t => {
  const http11 = await deploy(t, { server: http2Server(), tls: { alpn: ['http/1.1'] } });
  t.match((await ask(http11.port)).body, /^1\.1 /, 'the policy offers HTTP/1.1 alone');
  const declared = await deploy(t, { server: http2Server(), tls: {}, protocol: 'http2' });
  t.match((await ask(declared.port)).body, /^2\.0 /, 'the port says HTTP/2');
});

test('a WebSocket goes over HTTP/1.1, whatever else the server speaks', async t => {
  for (const [place, inMesh] of PLACES)
    t.match(await upgraded(t, inMesh), /^HTTP\/1\.1 101 [^]*ping$/, place);
});

/** What comes of an upgrade and a word. */
async function upgraded(t: Parameters<typeof deploy>[0], inMesh: boolean): Promise<string> {
  const server = http2Server();
  server.on('upgrade', (_req: unknown, socket: Socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket);
  });
  const { port } = await deploy(t, { server, tls: {}, inMesh });
  const socket = createConnection(port, '127.0.0.1');
  const lines = ['GET / HTTP/1.1', 'Host: a', 'Connection: upgrade', 'Upgrade: websocket'];
  socket.write(`${lines.join('\r\n')}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\nping`);
  let seen = '';
  for await (const chunk of socket.setEncoding('latin1')) {
    seen += String(chunk);
    if (seen.endsWith('ping')) socket.end();
  }
  return seen;
}

test('who is trusted', async t => {
  const other = await createTestCa('other');
  const roots = (pem: string) => ({ trustedRoots: { kind: 'pem', pem } }) as const;
  const directory = mkdtempSync(join(tmpdir(), 'waypoint-crl-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const revoking = async (...revoked: (typeof leaf)[]): Promise<Partial<TlsOrigination>> => {
    const revocationListFile = join(directory, `${revoked.length}.crl`);
    writeFileSync(revocationListFile, await ca.revocationLists(revoked));
    return { revocationListFile };
  };
  const rows: readonly (readonly [string, Partial<TlsOrigination>, number, RegExp])[] = [
    ['a list of others that are revoked', await revoking(), 200, /1\.1/],
    ['a list of what is revoked', await revoking(leaf), 503, /revoked/],
    ['a list that is not there', { revocationListFile: '/nowhere.crl' }, 503, /cannot read \/nowhere.crl/],
    ['another name is asked for and expected', { serverName: 'b.example' }, 503, /expected b\.example/],
    [
      'other names are expected',
      { subjectAltNames: [HOST, 'x'], serverName: 'b.example' },
      200,
      /b\.example/,
    ],
    ['another authority', roots(other.rootPem), 503, /not trusted|issuer/],
    ['authorities that are none', roots('none'), 503, /nobody could be verified/],
    ['what the machine trusts', { trustedRoots: { kind: 'system' } }, 503, /not trusted|issuer/],
    ['anybody', { trustedRoots: { kind: 'system' }, skipVerification: true }, 200, /1\.1/],
    [
      'a file that is not there',
      { trustedRoots: { kind: 'file', path: '/nowhere.pem' } },
      503,
      /cannot read/,
    ],
    ['a credential that has not come', { credential: 'shop/api' }, 503, /Secret shop\/api has not come/],
    [
      'authorities that nobody has found',
      { trustedRoots: { kind: 'unresolved', reason: 'there is no ConfigMap shop/ca' } },
      503,
      /there is no ConfigMap shop\/ca/,
    ],
  ];
  for (const [place, inMesh] of PLACES) {
    for (const [row, tls, status, says] of rows) {
      const name = `${place}, ${row}`;
      const { mesh, port } = await deploy(t, { server: http1Server(), tls, inMesh });
      const got = await ask(port);
      t.equal(got.status, status, name);
      const [line = ''] = await mesh.access(1);
      t.match(status === 200 ? got.body : line, says, name);
      if (status === 503) t.match(line, /response_flags="?UF/, name);
    }
  }
});

test('the time to connect is that of the handshake too', async t => {
  for (const [place, inMesh] of PLACES) {
    const silent = createTcpServer(socket => socket.on('error', () => {}).resume());
    const { mesh, port } = await deploy(t, { server: silent, tls: {}, connectTimeoutMs: 1_000, inMesh });
    t.equal((await ask(port)).status, 503, place);
    t.match((await mesh.access(1))[0], /TLS handshake with \S+ not finished within \d+ ms/, place);
  }
});

test('DISABLE speaks in plaintext', async t => {
  const server = createHttpServer((_req, res) => res.end('plain'));
  const { port } = await deploy(t, { server, tls: { mode: 'disable' } });
  t.match(await ask(port), { status: 200, body: 'plain' });
});

const ASKING = { requestCert: true, rejectUnauthorized: true, ca: ca.rootPem };

test('MUTUAL shows the certificate of its files', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'waypoint-tls-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const files = { certificateFile: join(directory, 'tls.crt'), privateKeyFile: join(directory, 'tls.key') };
  const material = await ca.issue('spiffe://elsewhere/ns/a/sa/one');
  writeFileSync(files.certificateFile, material.certChainPem);
  writeFileSync(files.privateKeyFile, material.privateKeyPem);
  const tls = { mode: 'mutual', clientCertificate: files } as const;
  for (const [place, inMesh] of PLACES) {
    const { port } = await deploy(t, { server: http2Server(ASKING), tls, inMesh });
    t.match((await ask(port)).body, /sa\/one$/, place);
  }
});

test('a Secret brings everything, and its rotation is seen at once', async t => {
  for (const [place, inMesh] of PLACES) await rotate(t, place, inMesh);
});

async function rotate(t: Test, place: string, inMesh: boolean): Promise<void> {
  const { mesh, port } = await deploy(t, {
    server: http2Server(ASKING),
    tls: { mode: 'mutual', credential: 'shop/api' },
    inMesh,
  });
  const bring = async (sa: string): Promise<void> => {
    const { certChainPem, privateKeyPem } = await ca.issue(`spiffe://elsewhere/ns/a/sa/${sa}`);
    mesh.thread.setCredential('shop/api', {
      name: 'shop/api',
      certificateChainPem: certChainPem,
      privateKeyPem,
      trustedRootsPem: ca.rootPem,
      revocationListsPem: '',
    });
  };
  t.equal((await ask(port)).status, 503, `${place}, it has not come`);
  await bring('one');
  t.match((await ask(port)).body, /sa\/one$/);
  await bring('two');
  t.match((await ask(port)).body, /sa\/two$/);
  mesh.thread.setCredential('shop/api', undefined);
  t.equal((await ask(port)).status, 503, `${place}, it is gone`);
}

test('authorities may be in a Secret of their own, or beside that of the certificate', async t => {
  const { certChainPem, privateKeyPem } = await ca.issue('spiffe://elsewhere/ns/a/sa/one');
  const secret = (name: string, over: Partial<TlsCredential>): TlsCredential => ({
    name,
    certificateChainPem: '',
    privateKeyPem: '',
    trustedRootsPem: '',
    revocationListsPem: '',
    ...over,
  });
  const client = secret('shop/api', { certificateChainPem: certChainPem, privateKeyPem });
  const roots = { trustedRootsPem: ca.rootPem };
  const named = { kind: 'credential', name: 'shop/roots' } as const;
  const rows: readonly (readonly [string, Partial<TlsOrigination>, readonly TlsCredential[], RegExp])[] = [
    ['beside', { credential: 'shop/api' }, [client, secret('shop/api-cacert', roots)], /URI:.*sa\/one/],
    ['nowhere', { credential: 'shop/api' }, [client], /not trusted|issuer/],
    [
      'there, and no certificate to show',
      { credential: 'shop/api' },
      [secret('shop/api', roots)],
      /no certificate/,
    ],
    [
      'there, and none is to be shown',
      { mode: 'simple', credential: 'shop/api' },
      [{ ...client, ...roots }],
      /tls_handshake|certificate required|handshake/i,
    ],
    [
      'of their own',
      { credential: 'shop/api', trustedRoots: named },
      [client, secret('shop/roots', roots)],
      /URI:.*sa\/one/,
    ],
    [
      'of their own, which has not come',
      { credential: 'shop/api', trustedRoots: named },
      [client],
      /Secret shop\/roots has not come/,
    ],
    [
      'of their own, which has none',
      { credential: 'shop/api', trustedRoots: named },
      [client, { ...client, name: 'shop/roots' }],
      /holds no authorities/,
    ],
  ];
  for (const [name, tls, secrets, says] of rows) {
    const system = { mode: 'mutual', trustedRoots: { kind: 'system' } } as const;
    const { mesh, port } = await deploy(t, { server: http2Server(ASKING), tls: { ...system, ...tls } });
    for (const one of secrets) mesh.thread.setCredential(one.name, { ...one });
    const { body } = await ask(port);
    t.match(`${body} ${(await mesh.access(1)).join('')}`, says, name);
  }
});

test("ISTIO_MUTUAL shows the mesh's certificate to a server that takes no tunnel, and expects its identity", async t => {
  for (const [name, id, status] of [
    ['the identity of the workload', SERVER_ID, 200],
    ['somebody else', 'spiffe://cluster.local/ns/default/sa/other', 503],
  ] as const) {
    const lab = Promise.withResolvers<WaypointLab>();
    const secrets = lab.promise.then(async mesh => ({ material: await mesh.issue(id) }));
    const server = createHttpsServer({ ...ASKING });
    server.on('request', (req, res) => {
      const { socket } = req;
      res.end(socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.subjectAltName : '');
    });
    const { mesh, port } = await deploy(t, { server, tls: { mode: 'mesh' } });
    lab.resolve(mesh);
    const { material } = await secrets;
    server.setSecureContext({
      cert: material.certChainPem,
      key: material.privateKeyPem,
      ca: material.trustBundlePem,
    });
    const got = await ask(port);
    t.equal(got.status, status, name);
    if (status === 200) t.equal(got.body, 'URI:spiffe://cluster.local/ns/default/sa/waypoint');
  }
});

test('in the mesh, its tunnel is what ISTIO_MUTUAL asks for: no TLS is spoken inside of it', async t => {
  const server = createHttpServer((req, res) => res.end(req.httpVersion));
  const { port } = await deploy(t, { server, tls: { mode: 'mesh' }, inMesh: true });
  t.match(await ask(port), { status: 200, body: '1.1' });
});

test('TLS is originated for what is not HTTP as well', async t => {
  for (const [place, inMesh] of PLACES) {
    const { port } = await deploy(t, { server: tlsEcho(), tls: {}, protocol: 'tcp', inMesh });
    t.equal(await sayPlainly(port, 'hello'), `for ${HOST}: hello`, place);
  }
});

/** Says whom it was asked for, then whatever it hears. */
function tlsEcho(): AppServer {
  return createTlsServer(CERTIFICATE, socket => {
    socket.on('error', () => {});
    socket.write(`for ${String(socket.servername)}: `);
    socket.pipe(socket);
  });
}

function sayPlainly(port: number, words: string): Promise<string> {
  return text(createConnection(port, '127.0.0.1').end(words));
}

/** A client that speaks TLS with the server, and trusts nobody else. */
async function askOverTls(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', servername: HOST, ca: ca.rootPem });
  await once(socket, 'secureConnect');
  socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  const answer = await text(socket);
  return answer.slice(answer.indexOf('\r\n\r\n') + 4);
}

test("TLS of a client's own is passed on as it is, where the policy says so; plaintext is carried over TLS", async t => {
  const passing = { passesClientTls: true };
  for (const [place, inMesh] of PLACES) {
    for (const protocol of ['tls', 'unknown'] as const) {
      const name = `${place}, declared ${protocol}`;
      const https = await deploy(t, { server: http2Server(), tls: passing, protocol, inMesh });
      t.match(await askOverTls(https.port), `1.1 ${HOST} - nobody`, `${name}, HTTPS`);
      t.match(await ask(https.port), { status: 200, body: `2.0 ${HOST}` }, `${name}, HTTP`);
      const tcp = await deploy(t, { server: tlsEcho(), tls: passing, protocol, inMesh });
      t.equal(await sayPlainly(tcp.port, 'hello'), `for ${HOST}: hello`, `${name}, plaintext`);
    }
    const declared = await deploy(t, { server: tlsEcho(), tls: passing, protocol: 'tcp', inMesh });
    t.equal(await sayPlainly(declared.port, 'hello'), `for ${HOST}: hello`, `${place}, declared tcp`);
    const around = await deploy(t, { server: http2Server(), tls: {}, protocol: 'tls', inMesh });
    await t.rejects(askOverTls(around.port), `${place}, the policy says nothing of it: TLS in TLS`);
  }
});

test('whom nobody may trust is not reached by plaintext either, and TLS of a client is its own affair', async t => {
  const trustedRoots = { kind: 'unresolved', reason: 'there is no ConfigMap shop/ca' } as const;
  const tls = { trustedRoots, passesClientTls: true };
  const { mesh, port } = await deploy(t, { server: http2Server(), tls, protocol: 'tls' });
  t.equal((await ask(port)).status, 503);
  t.match((await mesh.access(1))[0], /response_flags="?UF.*there is no ConfigMap shop\/ca/);
  t.match(await askOverTls(port), `1.1 ${HOST}`);
});
