import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type Test, test } from 'tap';
import type { TcpChannel } from '../engine/engine.ts';
import { createTestEngine } from '../testing/engine.ts';
import { systemClock } from '../lifecycle/clock.ts';
import { Http2Connection, type Http2ConnectionHandler } from './connection.ts';
import type { Http2Stream, Http2StreamHandler } from './stream.ts';

/** The other implementation at hand, at each end in turn, over loopback. */

const engine = createTestEngine({ clock: systemClock });

/** Echoes: the request's fields as `x-…` of the response, its body, its trailers. */
function echo(stream: Http2Stream, fields: readonly string[]): Http2StreamHandler {
  const head = [':status', '200'];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.startsWith('x-') === true) head.push(fields[i] ?? '', fields[i + 1] ?? '');
  }
  stream.sendHeaders(head, false);
  let blocked = 0;
  return {
    onHeaders() {},
    onData(slice) {
      if (stream.sendData(slice, false)) stream.consume(slice.length);
      else blocked += slice.length;
    },
    onEnd: trailers => stream.sendTrailers(trailers),
    onReset() {},
    onDrain() {
      stream.consume(blocked);
      blocked = 0;
    },
  };
}

function connectionHandler(onClose: () => void): Http2ConnectionHandler {
  return { onStream: (stream, fields) => echo(stream, fields), onGoaway() {}, onCapacity() {}, onClose };
}

/** Our server; the client of node:http2 on it. */
async function nodeClient(t: Test): Promise<http2.ClientHttp2Session> {
  const closes: Promise<void>[] = [];
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, (channel: TcpChannel) => {
    closes.push(
      new Promise(
        resolve => new Http2Connection('server', channel, systemClock, {}, connectionHandler(resolve)),
      ),
    );
  });
  const session = http2.connect(`http://127.0.0.1:${listener.address.port}`);
  t.teardown(async () => {
    session.close();
    await Promise.all(closes);
    await listener.close();
  });
  return session;
}

/** A server of node:http2; our connection to it. */
async function nodeServer(
  t: Test,
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
): Promise<Http2Connection> {
  const server = http2.createServer();
  server.on('stream', onStream);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server has no other kind of address
  const { port } = server.address() as AddressInfo;
  const channel = await engine.connect({ remote: { ip: '127.0.0.1', port }, timeoutMs: 5_000 });
  let closed = (): void => {};
  const whenClosed = new Promise<void>(resolve => {
    closed = resolve;
  });
  const connection = new Http2Connection(
    'client',
    channel,
    systemClock,
    {},
    connectionHandler(() => closed()),
  );
  t.teardown(async () => {
    connection.drain();
    await whenClosed;
    server.close();
    await once(server, 'close');
  });
  return connection;
}

interface Answer {
  readonly head: readonly string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
}

function request(
  connection: Http2Connection,
  fields: readonly string[],
  body: Buffer | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let head: readonly string[] = [];
    const parts: Buffer[] = [];
    const stream = connection.openStream(fields, body === undefined, {
      onHeaders: received => {
        head = [...received];
      },
      onData: slice => {
        parts.push(Buffer.from(slice));
        stream?.consume(slice.length);
      },
      onEnd: trailers => resolve({ head, body: Buffer.concat(parts), trailers }),
      onReset: reset => reject(new Error(reset.message)),
      onDrain() {},
    });
    if (body !== undefined) stream?.sendData(body, true);
  });
}

const MEGABYTES = Buffer.alloc(9 * 1024 * 1024, 'a pattern that does not fit the frames ');

test('client of node:http2: fields, a body of 9 MiB both ways, trailers', async t => {
  const session = await nodeClient(t);
  const stream = session.request(
    { ':method': 'POST', ':path': '/', 'x-name': 'v\u00e9' },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ sum: '1' }));
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on('trailers', received => {
    trailers = received;
  });
  const answered: Promise<unknown[]> = once(stream, 'response');
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.end(MEGABYTES);
  t.match(await answered, [{ ':status': 200, 'x-name': 'v\u00e9' }]);
  await once(stream, 'end');
  t.ok(Buffer.concat(parts).equals(MEGABYTES));
  t.match(trailers, { sum: '1' });
});

test('client of node:http2: 300 requests over 90 streams, one connection', async t => {
  const session = await nodeClient(t);
  await once(session, 'remoteSettings');
  const one = async (i: number): Promise<void> => {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/${i}`,
      'x-i': String(i),
      [`x-${i % 50}`]: 'v'.repeat(i),
    });
    stream.end(`body ${i}`);
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    const answered: Promise<unknown[]> = once(stream, 'response');
    t.match(await answered, [{ 'x-i': String(i), [`x-${i % 50}`]: 'v'.repeat(i) }]);
    await once(stream, 'end');
    t.equal(Buffer.concat(parts).toString(), `body ${i}`);
  };
  for (let from = 0; from < 270; from += 90) {
    await Promise.all(Array.from({ length: 90 }, (_, i) => one(from + i)));
  }
});

test('client of node:http2: PING and reset', async t => {
  const session = await nodeClient(t);
  await once(session, 'remoteSettings');
  const answered = new Promise<Buffer>((resolve, reject) =>
    session.ping(Buffer.from('12345678'), (error, _ms, payload) =>
      error === null ? resolve(payload) : reject(error),
    ),
  );
  t.equal((await answered).toString(), '12345678');
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  await once(stream, 'response');
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await once(stream, 'close');
});

test('server of node:http2: fields, a body of 9 MiB both ways, interim head, trailers', async t => {
  const connection = await nodeServer(t, (stream, headers) => {
    stream.additionalHeaders({ ':status': 103, link: '</a>' });
    stream.respond(
      { ':status': 200, 'x-name': headers['x-name'], 'set-cookie': ['a=1', 'b=2'] },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ sum: '1' }));
    stream.pipe(stream);
  });
  const fields = [':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', 'a', 'x-name', 'v'];
  const answer = await request(connection, fields, MEGABYTES);
  t.match(answer.head.join('|'), /^:status\|200\|x-name\|v\|set-cookie\|a=1\|set-cookie\|b=2/);
  t.ok(answer.body.equals(MEGABYTES));
  t.same(answer.trailers, ['sum', '1']);
});

test('server of node:http2: 270 requests over 90 streams, one connection', async t => {
  const connection = await nodeServer(t, (stream, headers) => {
    stream.respond({ ':status': 200, 'x-path': headers[':path'], [`x-${String(headers['x-i'])}`]: 'w' });
    stream.end(`for ${String(headers['x-i'])}`);
  });
  const one = async (i: number): Promise<void> => {
    const fields = [
      ':method',
      'GET',
      ':scheme',
      'http',
      ':path',
      `/${i}`,
      ':authority',
      'a',
      'x-i',
      String(i),
    ];
    const { head, body } = await request(connection, fields, undefined);
    t.same([head.slice(2, 6), body.toString()], [['x-path', `/${i}`, `x-${i}`, 'w'], `for ${i}`]);
  };
  for (let from = 0; from < 270; from += 90) {
    await Promise.all(Array.from({ length: 90 }, (_, i) => one(from + i)));
  }
  t.equal(connection.openedTotal, 270);
});
