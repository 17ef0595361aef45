import { test } from 'tap';
import type { ChannelError } from '#shared/engine/channel.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { closeInOrder } from './close-in-order.ts';
import { socks5Handshake, type Socks5Target } from './handshake.ts';

function setup(fragment?: (available: number) => number) {
  const clock = new FakeClock();
  const pair = memoryChannelPair(fragment === undefined ? {} : { fragment });
  const client = { received: Buffer.alloc(0), ended: false, closed: false };
  pair.left.setHandler({
    onData: slice => void (client.received = Buffer.concat([client.received, slice])),
    onEnd: () => void (client.ended = true),
    onDrain: () => undefined,
    onClose: () => void (client.closed = true),
  });
  let target: Socks5Target | undefined;
  let error: ChannelError | undefined;
  const done = socks5Handshake(pair.right, clock).then(
    found => void (target = found),
    (reason: ChannelError) => void (error = reason),
  );
  const say = (...bytes: number[]): void => {
    pair.left.write(Buffer.from(bytes));
    pair.flush();
  };
  return { clock, pair, client, say, result: async () => (await done, { target, error }) };
}

test('greeting, request, and what the client sent ahead', async t => {
  const { client, say, result, clock } = setup();
  say(5, 1, 0);
  t.strictSame([...client.received], [5, 0]);
  say(5, 1, 0, 1, 10, 0, 0, 1, 0, 80, 0xaa, 0xbb);
  const { target } = await result();
  t.match(target, { host: '10.0.0.1', port: 80 });
  t.strictSame([...(target?.early ?? [])], [0xaa, 0xbb]);
  t.equal(clock.pendingTimers, 0);
});

test('one byte at a time is the same', async t => {
  const { say, result } = setup(() => 1);
  say(5, 1, 0, 5, 1, 0, 1, 10, 0, 0, 1, 0, 80);
  t.match((await result()).target, { host: '10.0.0.1', port: 80 });
});

test('a client that insists on a password is refused', async t => {
  const { pair, client, say, result } = setup();
  say(5, 1, 2);
  pair.flush();
  t.strictSame([...client.received], [5, 0xff]);
  t.match((await result()).error, { code: 'protocol', message: /insists on authentication/ });
});

test('a request that is wrong is answered with its code', async t => {
  const { pair, client, say, result } = setup();
  say(5, 1, 0);
  say(5, 2, 0, 1, 10, 0, 0, 1, 0, 80);
  pair.flush();
  t.strictSame([...client.received.subarray(2, 4)], [5, 7]);
  t.match((await result()).error, { code: 'protocol', message: /command 2 is not CONNECT/ });
});

test('a client that says nothing more is cut', async t => {
  const { clock, say, result } = setup();
  say(5);
  clock.advance(10_000);
  t.match((await result()).error, { code: 'timeout' });
});

test('a client that ends in the middle is let go', async t => {
  const { pair, say, result, clock } = setup();
  say(5, 1, 0, 5, 1);
  pair.left.end();
  pair.flush();
  t.match((await result()).error, { code: 'protocol', message: /ended before its request was complete/ });
  t.equal(clock.pendingTimers, 0);
});

test('after a refusal the client has some seconds to close', async t => {
  const { pair, client, clock, say, result } = setup();
  say(4, 1, 0, 80);
  await result();
  closeInOrder(pair.right, clock);
  pair.flush();
  t.ok(client.ended, 'the reply arrives before the end');
  t.notOk(client.closed);
  clock.advance(5_000);
  pair.flush();
  t.ok(client.closed, 'one that does not close is cut');
});
