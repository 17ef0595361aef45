import { test } from 'tap';
import { ChannelError } from '#shared/engine/channel.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { framed, MessageReader } from './message-reader.ts';
import { TcpClient } from './tcp-client.ts';

interface Asked {
  readonly text: string;
  readonly answer: (text: string) => Promise<void>;
}

/** A client that asks with text, and what it hears. */
function setUp() {
  const clock = new FakeClock();
  const pair = memoryChannelPair();
  const asked: Asked[] = [];
  const heard: string[] = [];
  const closed: (ChannelError | undefined)[] = [];
  let isGone = false;
  const reader = new MessageReader();
  pair.left.setHandler({
    onData: slice => heard.push(...reader.push(slice).map(String)),
    onEnd: () => heard.push('end'),
    onDrain: () => undefined,
    onClose: error => closed.push(error),
  });
  const client = new TcpClient(pair.right, {
    clock,
    onQuery: (bytes, reply) =>
      new Promise(resolve => {
        const answer = async (text: string): Promise<void> => {
          reply(Buffer.from(text));
          resolve();
          await new Promise(next => setImmediate(next));
          pair.flush();
        };
        asked.push({ text: String(bytes), answer });
      }),
    onClose: () => (isGone = true),
  });
  const send = (...texts: string[]): void => {
    pair.left.write(Buffer.concat(texts.map(text => framed(Buffer.from(text)))));
    pair.flush();
  };
  return { asked, client, clock, closed, heard, isGone: () => isGone, pair, send };
}

test('queries are answered as they can be, and the connection ends with its client', async t => {
  const { asked, clock, heard, isGone, pair, send } = setUp();
  send('one', 'two');
  await asked[1]?.answer('second');
  pair.left.end();
  pair.flush();
  t.notOk(isGone(), 'there is one left to answer');
  await asked[0]?.answer('first');
  t.same(heard, ['second', 'first', 'end']);
  t.ok(isGone());
  t.equal(clock.pendingTimers, 0);
});

test('a connection that asks nothing for ten seconds is closed, one that waits for an answer is not', async t => {
  const { asked, clock, isGone, pair, send } = setUp();
  send('one');
  clock.advance(60_000);
  pair.flush();
  t.notOk(isGone());
  await asked[0]?.answer('late');
  clock.advance(9_999);
  pair.flush();
  t.notOk(isGone());
  clock.advance(1);
  pair.flush();
  t.ok(isGone());
  t.equal(clock.pendingTimers, 0);
});

test('an answer to a client that is gone goes nowhere, and leaves no timer', async t => {
  const { asked, client, clock, isGone, pair, send } = setUp();
  send('one');
  pair.left.abort(new ChannelError('reset', 'gone'));
  pair.flush();
  t.ok(isGone());
  await asked[0]?.answer('late');
  t.equal(clock.pendingTimers, 0);
  client.onDrain();
  t.equal(clock.pendingTimers, 0);
});

test('of many queries so many are under way at a time; the others wait', async t => {
  const { asked, send } = setUp();
  send(...Array.from({ length: 40 }, (_, n) => String(n)));
  send('40');
  t.equal(asked.length, 32);
  await asked[0]?.answer('a');
  t.equal(asked.length, 33);
  for (let n = 1; n < 41; n++) await asked[n]?.answer('b');
  t.same(
    asked.map(({ text }) => Number(text)),
    Array.from({ length: 41 }, (_, n) => n),
    'in their order',
  );
});
