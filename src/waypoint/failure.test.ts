import { createServer, request as httpRequest, type RequestListener } from 'node:http';
import {
  connect as http2Connect,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { createConnection, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Test, test } from 'tap';
import { endpointOf, noRoutes, service, waypointOf, workload } from '#shared/testing/topology.ts';
import type { AppProtocol } from '#shared/workload/workload.ts';
import { type AppServer, WaypointLab } from './testing/waypoint-lab.ts';
import type { TrafficSettings } from './workers/settings.ts';

const GATEWAY = service('waypoint');
const VIP = '10.96.0.10';

interface Deployed {
  readonly lab: WaypointLab;
  readonly port: number;
}

/** One service with one endpoint behind a waypoint, all over real TLS. */
async function deploy(
  t: Test,
  app: AppServer | RequestListener,
  appProtocol: AppProtocol = 'http11',
  settings: Partial<TrafficSettings> = {},
): Promise<Deployed> {
  const lab = await WaypointLab.create(settings);
  t.teardown(() => lab.close());
  const targetPort = await lab.app(typeof app === 'function' ? createServer(app) : app, lab.ip(10));
  const ports = [{ servicePort: 80, targetPort, appProtocol }];
  const echo = { ...service('echo', { vip: VIP, waypoint: waypointOf(GATEWAY) }), ports };
  const pod = workload('echo-1', { addresses: [lab.ip(10)], services: endpointOf(echo) });
  await lab.enrol(pod);
  lab.apply({ services: [GATEWAY, echo], workloads: [pod], routes: [noRoutes(echo)] });
  return { lab, port: await lab.client(VIP, 80) };
}

/** An application that sends these bytes in answer to a request's first bytes, and then does `then`. */
function rawApp(answer: string, then: (socket: Socket) => void): AppServer {
  return createTcpServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(answer, () => then(socket)));
  });
}

/** How a response ended, of HTTP/1.1. */
function get(port: number, path = '/'): Promise<{ status: number; body: string; complete: boolean }> {
  return new Promise((resolve, reject) => {
    const req = httpRequest({ host: '127.0.0.1', port, path, agent: false }, res => {
      let body = '';
      res.on('data', (part: Buffer) => (body += part.toString('latin1')));
      res.on('error', () => undefined);
      res.on('close', () => resolve({ status: res.statusCode ?? 0, body, complete: res.complete }));
    });
    req.on('error', reject);
    req.end();
  });
}

test('a response that breaks off is never seen as a whole one', async t => {
  const reset = (socket: Socket): void => void setImmediate(() => socket.resetAndDestroy());
  const end = (socket: Socket): void => void socket.end();
  const rows: readonly (readonly [string, string, (socket: Socket) => void])[] = [
    ['reset before the declared length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', reset],
    ['ended before the declared length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', end],
    ['reset among the chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n', reset],
    ['ended among the chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n', end],
    ['reset of a body that lasts to the end of the connection', 'HTTP/1.1 200 OK\r\n\r\npart', reset],
  ];
  for (const [sentence, answer, then] of rows) {
    const { lab, port } = await deploy(t, rawApp(answer, then));
    const response = await get(port).catch((error: Error) => error);
    t.notOk(!(response instanceof Error) && response.status === 200 && response.complete, sentence);
    const [line = ''] = await lab.access(1);
    t.notMatch(line, /response_flags="-"/, `${sentence}, in the log`);
  }
});

test('the same over HTTP/2: the stream is reset', async t => {
  const app = createHttp2Server();
  app.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200 });
    stream.write('part', () => stream.destroy(new Error('broken')));
  });
  const { port } = await deploy(t, app, 'http2');
  const session = http2Connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => undefined);
  stream.resume();
  await new Promise<void>(resolve => stream.on('close', () => resolve()));
  t.not(stream.rstCode, 0);
});

test('a slow reader holds up the upstream, not the memory, and not its neighbours', async t => {
  const total = 64 * 1024 * 1024;
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let sent = 0;
  const { port } = await deploy(t, (req, res) => {
    if (req.url !== '/large') return void res.end('small');
    res.setHeader('content-length', total);
    const more = (): void => {
      while (sent < total) {
        sent += chunk.length;
        if (!res.write(chunk)) return void res.once('drain', more);
      }
      res.end();
    };
    more();
  });
  const slow = createConnection(port, '127.0.0.1', () =>
    slow.write('GET /large HTTP/1.1\r\nHost: h\r\n\r\n'),
  );
  await new Promise(resolve => slow.once('data', resolve));
  slow.pause();
  // The upstream comes to a stand: as many rounds of others as it takes for two looks to see the same.
  for (let before = -1; before !== sent; ) {
    before = sent;
    for (let i = 0; i < 40; i++) t.equal((await get(port)).body, 'small');
  }
  t.ok(sent < total / 2, `${sent} of ${total} bytes are under way`);
  let received = 0;
  slow.on('data', part => (received += part.length));
  slow.resume();
  await new Promise<void>(resolve =>
    slow.on('data', () => {
      if (received >= total - 256 * 1024) resolve();
    }),
  );
  t.equal(sent, total);
  slow.destroy();
});

test('a client that gives up has its request given up upstream', async t => {
  const arrived = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const { lab, port } = await deploy(t, (_, res) => {
    res.on('close', () => closed.resolve());
    arrived.resolve();
  });
  const client = createConnection(port, '127.0.0.1', () => client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
  client.on('error', () => undefined);
  await arrived.promise;
  client.resetAndDestroy();
  await closed.promise;
  const [line = ''] = await lab.access(1);
  t.match(line, /response_flags="?DC"?/, line.replace(/^.*dst.namespace/, ''));
});

test('a WebSocket of which one half is over and the other silent ends at the idle timeout', async t => {
  const server = createServer();
  const upgraded = Promise.withResolvers<Duplex>();
  server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.on('error', () => undefined);
    socket.resume();
    upgraded.resolve(socket);
  });
  const { lab, port } = await deploy(t, server, 'http11', { downstreamIdleTimeoutMs: 1_000 });
  const client = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true }, () => {
    client.write('GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  client.on('error', () => undefined);
  await new Promise(resolve => client.once('data', resolve));
  const clientClosed = new Promise(resolve => client.on('close', resolve));
  client.end('bye');
  await clientClosed;
  t.match((await lab.access(1))[0], /response_flags="?SI"?/);
  const app = await upgraded.promise;
  const appClosed = new Promise(resolve => app.on('close', resolve));
  // A socket that has read the other's end notices a reset when it writes.
  app.write('anybody there?');
  await appClosed;
});

test('an upstream that closes a connection just as it is used again fails no request', async t => {
  // Says keep-alive and closes after each answer, as a server that restarts or is overloaded does.
  const server = createTcpServer(socket => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  });
  const { port } = await deploy(t, server);
  for (let i = 0; i < 30; i++) {
    const { status, body, complete } = await get(port);
    t.same({ status, body, complete }, { status: 200, body: 'ok', complete: true });
  }
});

test('a request that changes something is not sent twice when its connection breaks', async t => {
  let seen = 0;
  const server = createTcpServer(socket => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      seen++;
      socket.resetAndDestroy();
    });
  });
  const { port } = await deploy(t, server);
  const status = await new Promise<number>((resolve, reject) => {
    const req = httpRequest({ host: '127.0.0.1', port, method: 'POST', agent: false }, res => {
      res.resume();
      resolve(res.statusCode ?? 0);
    });
    req.on('error', reject);
    req.end('charge 10 EUR');
  });
  t.equal(status, 503);
  t.equal(seen, 1);
});

test('an HTTP/2 request whose server never answers ends at the stream idle timeout', async t => {
  const app = createHttp2Server();
  app.on('stream', stream => stream.on('error', () => undefined));
  const { port, lab } = await deploy(t, app, 'http2', { streamIdleTimeoutMs: 200 });
  const session = http2Connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/silent' });
  const status = await new Promise<unknown>((resolve, reject) => {
    stream.on('response', headers => resolve(headers[':status']));
    stream.on('error', reject);
  });
  t.equal(status, 504);
  stream.close();
  t.match(await lab.access(1), [/SI.*nothing moved for 200 ms \(STREAM_IDLE_TIMEOUT\)/]);
});
