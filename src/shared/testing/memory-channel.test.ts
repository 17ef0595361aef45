import { test } from 'tap';
import { ChannelError, type ChannelHandler } from '../engine/channel.ts';
import { type MemoryChannel, memoryChannelPair } from './memory-channel.ts';

function record(channel: MemoryChannel): string[] {
  const events: string[] = [];
  const handler: ChannelHandler = {
    onData: slice => events.push(slice.toString()),
    onEnd: () => events.push('end'),
    onDrain: () => events.push('drain'),
    onClose: error => events.push(error === undefined ? 'close' : `close ${error.code}`),
  };
  channel.setHandler(handler);
  return events;
}

test('bytes arrive in order, cut where the test says', t => {
  const pair = memoryChannelPair({ fragment: () => 2 });
  record(pair.left);
  const seen = record(pair.right);
  pair.left.write(Buffer.from('abc'));
  pair.left.write(Buffer.from('de'));
  pair.flush();
  t.same(seen, ['ab', 'cd', 'e']);
  t.end();
});

test('half-close leaves the other direction open, and both ends make a close in order', t => {
  const pair = memoryChannelPair();
  const left = record(pair.left);
  const right = record(pair.right);
  pair.left.write(Buffer.from('q'));
  pair.left.end();
  pair.flush();
  pair.right.write(Buffer.from('a'));
  pair.right.end();
  pair.flush();
  t.same(right, ['q', 'end', 'close']);
  t.same(left, ['a', 'end', 'close']);
  t.end();
});

test('a paused reader makes write return false, and onDrain follows once it reads', t => {
  const pair = memoryChannelPair({ highWaterBytes: 4 });
  const left = record(pair.left);
  const right = record(pair.right);
  pair.right.pause();
  t.equal(pair.left.write(Buffer.from('abc')), true);
  t.equal(pair.left.write(Buffer.from('d')), false);
  pair.flush();
  t.same([left, right, pair.left.bufferedBytes], [[], [], 4]);
  pair.right.resume();
  pair.flush();
  t.same([left, right], [['drain'], ['abcd']]);
  t.end();
});

test('abort drops what is queued and both ends see one close', t => {
  const pair = memoryChannelPair();
  const left = record(pair.left);
  const right = record(pair.right);
  pair.left.write(Buffer.from('lost'));
  pair.left.abort(new ChannelError('aborted', 'test'));
  pair.left.abort(new ChannelError('io', 'again'));
  pair.flush();
  t.same([left, right], [['close aborted'], ['close reset']]);
  t.end();
});

test('in auto mode events come in microtasks', async t => {
  const pair = memoryChannelPair({ auto: true });
  record(pair.left);
  const right = record(pair.right);
  pair.left.write(Buffer.from('x'));
  t.same(right, []);
  await Promise.resolve();
  await Promise.resolve();
  t.same(right, ['x']);
});
