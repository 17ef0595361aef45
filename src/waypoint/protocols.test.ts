import {
  Client as GrpcClient,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type sendUnaryData,
  Server as GrpcServer,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import {
  connect as http2Connect,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { routeMatch, routeRule } from '#shared/testing/route.ts';
import { addBeside, ask, backend, deploy } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

interface Test {
  teardown(end: () => unknown): void;
}

async function lab(t: Test): Promise<WaypointLab> {
  // Whatever the machine is busy with, a client that is slow to speak is no server-first one.
  const made = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => made.close());
  return made;
}

/** Sends raw bytes and reads until the other side closes. */
function exchange(port: number, bytes: string): Promise<string> {
  const socket = createConnection(port, '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}

test('HTTP/1.0: answered in its own version, closed unless it asks to be kept, chunks undone', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [
    (req, res) => {
      const answer = `${req.httpVersion} ${req.url}`;
      if (req.url?.startsWith('/long') === true) res.setHeader('content-length', answer.length);
      res.write(answer.slice(0, 4));
      res.end(answer.slice(4));
    },
  ]);
  const closed = await exchange(port, 'GET /a HTTP/1.0\r\n\r\n');
  t.match(closed, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n1\.1 \/a$/);
  t.notMatch(closed, /transfer-encoding/i, 'a client of 1.0 knows no chunks');
  t.match(closed, /connection: close/i);
  const request = (path: string): string => `GET ${path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`;
  const kept = await exchange(
    port,
    request('/long/1') + request('/long/2') + request('/chunks') + request('/never'),
  );
  t.match(
    kept,
    /\r\nconnection: keep-alive\r\n[^]*1\.1 \/long\/1HTTP\/1\.1 200 OK\r\n[^]*1\.1 \/long\/2HTTP/i,
  );
  t.match(kept, /1\.1 \/chunks$/, 'without a length its end is that of the connection');
});

test('CONNECT is refused over both versions: nobody would judge what a tunnel carries', async t => {
  const mesh = await lab(t);
  const app = createServer((_, res) => res.end());
  let tunnels = 0;
  app.on('connect', (_, socket) => {
    tunnels++;
    socket.end();
  });
  const { port } = await deploy(mesh, [app], undefined, 'http11');
  t.match(
    await exchange(
      port,
      'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n',
    ),
    /^HTTP\/1\.1 501 [^]*\r\nconnection: close\r\n/i,
  );
  const session = http2Connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'a:80' });
  const response: readonly unknown[] = await once(stream, 'response');
  t.equal(Reflect.get(Object(response[0]), ':status'), 501);
  stream.resume();
  t.equal(tunnels, 0);
  const lines = await mesh.access(2);
  for (const line of lines) t.match(line, /method="?CONNECT"?.* response_code=501 response_flags="DPE"/);
});

test('100-continue: the server is asked before the body is sent', async t => {
  const mesh = await lab(t);
  const app = createServer();
  app.on('checkContinue', (req, res) => {
    if (req.url === '/no') return void res.writeHead(417).end();
    res.writeContinue();
    req.pipe(res);
  });
  const { port } = await deploy(mesh, [app]);
  const send = (path: string): Promise<{ status: number; continued: boolean; body: string }> =>
    new Promise((resolve, reject) => {
      let continued = false;
      const req = httpRequest({
        port,
        path,
        method: 'PUT',
        headers: { expect: '100-continue' },
        agent: false,
      });
      req.on('continue', () => {
        continued = true;
        req.end('body');
      });
      req.on('error', reject);
      req.on('response', res => {
        void text(res).then(body => {
          req.destroy();
          resolve({ status: res.statusCode ?? 0, continued, body });
        });
      });
      req.flushHeaders();
    });
  t.same(await send('/yes'), { status: 200, continued: true, body: 'body' });
  t.same(await send('/no'), { status: 417, continued: false, body: '' });
});

test('server-sent events arrive as they are sent, and the connection may be silent between them', async t => {
  const mesh = await lab(t);
  let next = (): void => {};
  const { port } = await deploy(mesh, [
    (_, res) => {
      let count = 0;
      next = () => void res.write(`data: ${++count}\n\n`);
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      next();
    },
  ]);
  const controller = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal: controller.signal });
  const reader = response.body?.getReader();
  for (let i = 1; i <= 3; i++) {
    const part = await reader?.read();
    t.equal(Buffer.from(part?.value ?? []).toString(), `data: ${i}\n\n`);
    next();
  }
  controller.abort();
});

test('heads of 70 KiB pass, both ways, over both versions', async t => {
  const mesh = await lab(t);
  const big = 'h'.repeat(70_000);
  const plain = createServer({ maxHeaderSize: 200_000 }, (req, res) => {
    res.writeHead(200, { 'x-back': String(req.headers['x-big']) }).end();
  });
  const { port } = await deploy(mesh, [plain], undefined, 'http11');
  const lengths = await new Promise<number>((resolve, reject) => {
    const options = { port, headers: { 'x-big': big }, maxHeaderSize: 200_000, agent: false } as const;
    httpRequest(options, res => {
      res.resume();
      resolve(String(res.headers['x-back']).length);
    })
      .on('error', reject)
      .end();
  });
  t.equal(lengths, big.length);
  const settings = { maxHeaderListSize: 200_000 };
  const session = http2Connect(`http://127.0.0.1:${port}`, { settings, maxSendHeaderBlockLength: 200_000 });
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  const stream = session.request({ ':path': '/', 'x-big': big });
  stream.resume();
  const response: readonly unknown[] = await once(stream, 'response');
  t.equal(String(Reflect.get(Object(response[0]), 'x-back')).length, big.length);
});

test('a head over the limit is refused and says so', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [(_, res) => res.end()]);
  t.match(
    await exchange(port, `GET / HTTP/1.1\r\nHost: a\r\nx: ${'h'.repeat(90_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  t.match(await exchange(port, `GET /${'u'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), /^HTTP\/1\.1 414 /);
});

test('compressed bodies pass as they are, and whether to compress is left to both ends', async t => {
  const mesh = await lab(t);
  const plain = 'compress me '.repeat(1_000);
  const packed = gzipSync(plain);
  const { port } = await deploy(mesh, [
    (req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const wanted = req.headers['accept-encoding'];
        res.setHeader(
          'x-came',
          `${req.headers['content-encoding']} ${wanted} ${Buffer.concat(chunks).equals(packed)}`,
        );
        if (wanted !== 'gzip') return void res.end(plain);
        res.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length, etag: '"strong"' });
        res.end(packed);
      });
    },
  ]);
  const headers = { 'accept-encoding': 'gzip', 'content-encoding': 'gzip' };
  const answer = await ask(port, { headers, body: packed });
  t.match(answer.headers, { 'x-came': 'gzip gzip true', 'content-encoding': 'gzip', etag: '"strong"' });
  t.ok(Buffer.from(answer.body, 'latin1').equals(packed));
  const bare = await ask(port);
  t.match(bare, { body: plain, headers: { 'x-came': 'undefined undefined false' } }, 'nobody asked for it');
  t.equal(bare.headers['content-encoding'], undefined);
});

test('bodies without end: 200 MB each way at once, held nowhere', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [(req, res) => void req.pipe(res)]);
  const total = 200 * 1024 * 1024;
  const slice = Buffer.alloc(1024 * 1024, 'z');
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const received = await new Promise<number>((resolve, reject) => {
    let bytes = 0;
    const req = httpRequest({ port, method: 'POST', agent: false }, res => {
      res.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      });
      res.on('end', () => resolve(bytes));
    });
    req.on('error', reject);
    let left = total / slice.length;
    const write = (): void => {
      while (left > 0) {
        left--;
        if (!req.write(slice)) return void req.once('drain', write);
      }
      req.end();
    };
    write();
  });
  t.equal(received, total);
  // Client, application, two ztunnels of the test and the waypoint share this process.
  t.ok(most < 160 * 1024 * 1024, `of 400 MB at most ${most} bytes were held, or not collected yet`);
});

test('a slow reader and a slow writer are waited for', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [
    (req, res) => {
      const hash = createHash('sha256');
      req.on('data', (chunk: Buffer) => hash.update(chunk));
      req.on('end', () => {
        res.write(hash.digest('hex'));
        res.end(Buffer.alloc(4 * 1024 * 1024, 'r'));
      });
    },
  ]);
  const socket = createConnection(port, '127.0.0.1');
  socket.pause();
  const body = 'one byte at a time';
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
  for (const letter of body)
    await new Promise<void>(resolve => socket.write(letter, () => setImmediate(resolve)));
  let bytes = 0;
  const first: Buffer[] = [];
  for (;;) {
    const chunk: unknown = socket.read(65_536) ?? socket.read();
    if (Buffer.isBuffer(chunk)) {
      if (bytes < 4_096) first.push(chunk);
      bytes += chunk.length;
    } else if (socket.readableEnded || socket.destroyed) break;
    else await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
  }
  const digest = createHash('sha256').update(body).digest('hex');
  t.match(Buffer.concat(first).toString('latin1'), digest);
  t.ok(bytes > 4 * 1024 * 1024);
});

// --- gRPC

const bytesOf = (value: string): Buffer => Buffer.from(value);
const textOf = (bytes: Buffer): string => bytes.toString();

function method(path: string, requestStream: boolean, responseStream: boolean) {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: bytesOf,
    requestDeserialize: textOf,
    responseSerialize: bytesOf,
    responseDeserialize: textOf,
  };
}

/** A service of the real library with a method of each kind. */
async function grpcApp(t: Test, mesh: WaypointLab): Promise<string> {
  const server = new GrpcServer();
  const trailers = new Metadata();
  trailers.set('x-trailer', 'at the end');
  server.addService(
    {
      unary: method('/s/Unary', false, false),
      fail: method('/s/Fail', false, false),
      hang: method('/s/Hang', false, false),
      collect: method('/s/Collect', true, false),
      list: method('/s/List', false, true),
      chat: method('/s/Chat', true, true),
    },
    {
      unary: (call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) =>
        done(null, `${call.request} ${String(call.metadata.get('x-key')[0])}`, trailers),
      fail: (_: ServerUnaryCall<string, string>, done: sendUnaryData<string>) =>
        done({ code: status.FAILED_PRECONDITION, details: 'not nöw' }),
      hang: () => {},
      collect: (call: ServerReadableStream<string, string>, done: sendUnaryData<string>) => {
        const parts: string[] = [];
        call.on('data', (part: string) => parts.push(part));
        call.on('end', () => done(null, parts.join('+')));
      },
      list: (call: ServerWritableStream<string, string>) => {
        for (let i = 0; i < 1_000; i++) call.write(`${call.request}${i}`);
        call.end(trailers);
      },
      chat: (call: ServerDuplexStream<string, string>) => {
        call.on('data', (part: string) => call.write(part.toUpperCase()));
        call.on('end', () => call.end());
      },
    },
  );
  const ip = mesh.ip(40);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${ip}:0`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.teardown(() => server.forceShutdown());
  return addBeside(mesh, 'grpc', ip, port, 'grpc');
}

test('gRPC of every kind: metadata, trailers, statuses, deadlines, a stream that goes back and forth', async t => {
  const mesh = await lab(t);
  const service = await grpcApp(t, mesh);
  const { port } = await deploy(mesh, [(_, res) => res.end()], () => ({ rules: [ruleTo(service)] }), 'grpc');
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const metadata = new Metadata();
  metadata.set('x-key', 'value');

  const unary = await new Promise<string>((resolve, reject) => {
    const call = client.makeUnaryRequest('/s/Unary', bytesOf, textOf, 'hi', metadata, (error, answer) =>
      error === null ? resolve(`${answer} ${trailer}`) : reject(error),
    );
    let trailer = '';
    call.on('status', ({ metadata: end }) => (trailer = String(end.get('x-trailer')[0])));
  });
  t.match(unary, /^hi value/);

  const failure = (path: string, deadline?: number): Promise<{ code: number; details: string }> =>
    new Promise(resolve => {
      const options = deadline === undefined ? {} : { deadline: Date.now() + deadline };
      client.makeUnaryRequest(path, bytesOf, textOf, 'x', new Metadata(), options, error =>
        resolve({ code: error?.code ?? 0, details: error?.details ?? '' }),
      );
    });
  t.same(await failure('/s/Fail'), { code: status.FAILED_PRECONDITION, details: 'not nöw' });
  t.match(await failure('/s/Missing'), { code: status.UNIMPLEMENTED });
  t.match(await failure('/s/Hang', 100), { code: status.DEADLINE_EXCEEDED });

  const collected = new Promise<string>((resolve, reject) => {
    const call = client.makeClientStreamRequest('/s/Collect', bytesOf, textOf, (error, answer) =>
      error === null ? resolve(answer ?? '') : reject(error),
    );
    for (const part of ['a', 'b', 'c']) call.write(part);
    call.end();
  });
  t.equal(await collected, 'a+b+c');

  const listed = client.makeServerStreamRequest('/s/List', bytesOf, textOf, 'n');
  const items: string[] = [];
  const ended = new Promise<unknown>(resolve => {
    listed.on('status', ({ metadata: end }) => resolve(end.get('x-trailer')[0]));
  });
  for await (const item of listed) items.push(String(item));
  t.equal(items.length, 1_000);
  t.equal(items.at(-1), 'n999');
  t.equal(await ended, 'at the end');

  const chat: ClientDuplexStream<string, string> = client.makeBidiStreamRequest('/s/Chat', bytesOf, textOf);
  for (const word of ['hello', 'world']) {
    chat.write(word);
    const answer: readonly unknown[] = await once(chat, 'data');
    t.same(answer, [word.toUpperCase()]);
  }
  chat.end();
  await once(chat.resume(), 'end');
});

function ruleTo(service: string) {
  return routeRule({ backends: [{ weight: 1, service, port: 80, subset: undefined, filters: [] }] });
}

test('a gRPC call for which there is no endpoint, and a stream that is cancelled', async t => {
  const mesh = await lab(t);
  const app = createHttp2Server();
  const cancelled = Promise.withResolvers<void>();
  app.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    stream.write(Buffer.from([0, 0, 0, 0, 1, 0x61]));
    stream.on('close', () => cancelled.resolve());
  });
  const { port } = await deploy(
    mesh,
    [app],
    of => ({
      rules: [
        {
          ...ruleTo('default/nobody'),
          matches: [routeMatch({ path: { kind: 'exact', value: '/s/Nobody', ignoreCase: false } })],
        },
        routeRule({ backends: [backend(of)] }),
      ],
    }),
    'grpc',
  );
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const code = await new Promise<number>(resolve =>
    client.makeUnaryRequest('/s/Nobody', bytesOf, textOf, '', error => resolve(error?.code ?? 0)),
  );
  t.equal(code, status.INTERNAL, 'a route that leads nowhere');
  const stream = client.makeServerStreamRequest('/s/Endless', bytesOf, textOf, '');
  stream.on('error', () => undefined);
  await once(stream, 'data');
  stream.cancel();
  await cancelled.promise;
});

// --- WebSocket, with the runtime's own client

test('a WebSocket of a real client, text and binary, large and small, closed with its reason', async t => {
  const mesh = await lab(t);
  const app = createServer();
  app.on('upgrade', (req, socket) => {
    const accept = createHash('sha1')
      .update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    let held = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      for (let frame = readFrame(held); frame !== undefined; frame = readFrame(held)) {
        held = held.subarray(frame.length);
        socket.write(writeFrame(frame.opcode, frame.payload));
        if (frame.opcode === 8) socket.end();
      }
    });
    socket.on('error', () => undefined);
  });
  const { port } = await deploy(mesh, [app], undefined, 'http11');
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  client.binaryType = 'arraybuffer';
  await new Promise<void>((resolve, reject) => {
    client.onopen = () => resolve();
    client.onerror = () => reject(new Error('not opened'));
  });
  const echoed = (data: string | Uint8Array<ArrayBuffer>): Promise<unknown> =>
    new Promise(resolve => {
      client.onmessage = event => resolve(event.data);
      client.send(data);
    });
  t.equal(await echoed('grüße'), 'grüße');
  t.equal(await echoed('x'.repeat(100_000)), 'x'.repeat(100_000));
  const binary = await echoed(new Uint8Array([0, 255, 1]));
  t.same(binary instanceof ArrayBuffer ? [...new Uint8Array(binary)] : [], [0, 255, 1]);
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    client.onclose = ({ code, reason }) => resolve({ code, reason });
  });
  client.close(4_000, 'enough');
  t.match(await closed, { code: 4_000, reason: 'enough' });
});

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  /** Of the whole frame. */
  readonly length: number;
}

/** A masked frame of a client that fits into 64 bits of length (RFC 6455 §5.2). */
function readFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head + 4) return undefined;
  const size =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const length = head + 4 + size;
  if (bytes.length < length) return undefined;
  const mask = bytes.subarray(head, head + 4);
  const payload = Buffer.from(bytes.subarray(head + 4, length));
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload, length };
}

function writeFrame(opcode: number, payload: Buffer): Buffer {
  const size = payload.length;
  const head = size < 126 ? Buffer.from([0x80 | opcode, size]) : Buffer.alloc(10);
  if (size >= 126) {
    head.set([0x80 | opcode, 127]);
    head.writeBigUInt64BE(BigInt(size), 2);
  }
  return Buffer.concat([head, payload]);
}

test('an answer to HEAD, and 204 and 304, have no body; the next request of the connection is understood', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [
    (req, res) => {
      if (req.method === 'HEAD') return void res.writeHead(200, { 'content-length': 5 }).end();
      res.writeHead(req.url === '/204' ? 204 : req.url === '/304' ? 304 : 200).end();
    },
  ]);
  t.match(await ask(port, { method: 'HEAD' }), { status: 200, headers: { 'content-length': '5' }, body: '' });
  const pipelined = ['/204', '/304', '/x'].map(path => `GET ${path} HTTP/1.1\r\nHost: a\r\n`);
  const answers = await exchange(port, `${pipelined.join('\r\n')}Connection: close\r\n\r\n`);
  t.same(
    [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code),
    ['204', '304', '200'],
  );
});
