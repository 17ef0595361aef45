import { createHash, randomBytes } from 'node:crypto';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { createTestEngine } from '../testing/engine.ts';
import { ChannelRecorder, tcpPair } from '../testing/loopback.ts';
import { openDescriptors } from '../testing/open-descriptors.ts';
import { ChannelError, type ChannelHandler } from './channel.ts';
import { copyBidirectional, type CopyResult } from './copy.ts';
import type { TcpChannel } from './engine.ts';

const engine = createTestEngine({ clock: systemClock });
const MB = 1024 * 1024;

interface Joined {
  readonly client: ChannelRecorder;
  readonly server: ChannelRecorder;
  /** Of the side that is read: what passed through its handler. */
  readonly handled: () => number;
  readonly result: Promise<CopyResult>;
}

/** client ↔ (near ↔ far) ↔ server, the two in the middle joined. */
async function join(): Promise<Joined> {
  const [left, right] = [await tcpPair(engine), await tcpPair(engine)];
  const near = left.server;
  let handled = 0;
  countHandled(near, bytes => (handled += bytes));
  const done = Promise.withResolvers<CopyResult>();
  copyBidirectional(near, right.client, { clock: systemClock, onClose: done.resolve });
  return {
    client: new ChannelRecorder(left.client),
    server: new ChannelRecorder(right.server),
    handled: () => handled,
    result: done.promise,
  };
}

function countHandled(channel: TcpChannel, count: (bytes: number) => void): void {
  const setHandler = channel.setHandler.bind(channel);
  channel.setHandler = (handler: ChannelHandler) =>
    setHandler({
      onData: slice => {
        count(slice.length);
        handler.onData(slice);
      },
      onEnd: () => handler.onEnd(),
      onDrain: () => handler.onDrain(),
      onClose: error => handler.onClose(error),
    });
}

/** As fast as it is taken, until the other end is gone. */
async function send(from: ChannelRecorder, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !from.closed; at += 300_000) {
    const drains = from.drains;
    if (from.channel.write(bytes.subarray(at, at + 300_000))) continue;
    await from.until(() => from.closed || from.drains > drains);
  }
  from.channel.end();
}

test('bulk arrives unchanged and in order, and most of it without passing through here', async t => {
  const { client, server, handled, result } = await join();
  const bytes = randomBytes(24 * MB);
  const hash = createHash('sha256');
  server.onSlice = slice => void hash.update(slice);
  await Promise.all([send(client, bytes), server.until(() => server.ended)]);
  t.equal(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'));
  server.channel.end();
  t.same(await result, { bytesSent: bytes.length, bytesReceived: 0, error: undefined, closedBy: undefined });
  if (engine.name === 'native')
    t.ok(handled() < bytes.length / 2, `${handled()} of ${bytes.length} were read`);
  await client.close();
  await server.close();
});

test('what comes alone after bulk is read as ever', async t => {
  const { client, server, handled, result } = await join();
  client.channel.write(randomBytes(4 * MB));
  await server.received(4 * MB);
  const before = handled();
  client.channel.write(Buffer.alloc(100));
  await server.received(4 * MB + 100);
  t.equal(handled() - before, 100);
  client.channel.end();
  server.channel.end();
  await result;
  await client.close();
  await server.close();
});

test('a reader that stops for a while gets all of it, in order', async t => {
  const { client, server, result } = await join();
  const bytes = randomBytes(16 * MB);
  const hash = createHash('sha256');
  let seen = 0;
  server.onSlice = slice => {
    hash.update(slice);
    seen += slice.length;
    if (seen < MB) return;
    seen = 0;
    server.channel.pause();
    setImmediate(() => setImmediate(() => server.channel.resume()));
  };
  await Promise.all([send(client, bytes), server.until(() => server.ended)]);
  t.equal(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'));
  server.channel.end();
  t.equal((await result).bytesSent, bytes.length);
  await client.close();
  await server.close();
});

test('a reader that goes away in the middle resets the sender, and the next connection is not touched by what it left', async t => {
  const first = await join();
  first.server.onSlice = () => {
    if (first.server.bytes > MB) first.server.channel.abort(new ChannelError('aborted', 'enough'));
  };
  void send(first.client, randomBytes(24 * MB));
  const { error, closedBy } = await first.result;
  t.equal(error?.code, 'reset');
  t.equal(closedBy, 'upstream');
  await first.client.close();
  await first.server.close();
  const next = await join();
  const bytes = randomBytes(4 * MB);
  const hash = createHash('sha256');
  next.server.onSlice = slice => void hash.update(slice);
  await Promise.all([send(next.client, bytes), next.server.until(() => next.server.ended)]);
  t.equal(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'));
  next.server.channel.end();
  await next.result;
  await next.client.close();
  await next.server.close();
});

test('a sender that goes away in the middle resets the reader', async t => {
  const { client, server, result } = await join();
  server.onSlice = () => {
    if (server.bytes > MB) client.channel.abort(new ChannelError('aborted', 'enough'));
  };
  void send(client, randomBytes(24 * MB));
  const { error, closedBy } = await result;
  t.equal(error?.code, 'reset');
  t.equal(closedBy, 'downstream');
  t.equal((await server.close())?.code, 'reset');
});

test('two descriptors serve all connections of a thread', async t => {
  const before = openDescriptors();
  for (let i = 0; i < 3; i++) {
    const { client, server, result } = await join();
    await Promise.all([send(client, randomBytes(2 * MB)), server.until(() => server.ended)]);
    server.channel.end();
    await result;
    await client.close();
    await server.close();
  }
  t.equal(openDescriptors(), before, 'the tests above have made them');
});
