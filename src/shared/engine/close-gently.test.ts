import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { ChannelError } from './channel.ts';
import { closeGently, LINGER_MS, watchLinger } from './close-gently.ts';

const REASON = new ChannelError('tls_handshake', 'not trusted');

test('last words arrive, then the end; who ends as well is not aborted', t => {
  const clock = new FakeClock();
  const pair = memoryChannelPair();
  const far = new ChannelRecorder(pair.right);
  pair.left.write(Buffer.from('alert'));
  closeGently(pair.left, REASON, clock);
  pair.right.write(Buffer.from('what nobody hears'));
  pair.flush();
  t.equal(far.text, 'alert');
  t.ok(far.ended);
  pair.right.end();
  pair.flush();
  t.equal(far.error, undefined);
  t.ok(far.closed);
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('who does not end is aborted', t => {
  const clock = new FakeClock();
  const pair = memoryChannelPair();
  const far = new ChannelRecorder(pair.right);
  closeGently(pair.left, REASON, clock);
  pair.flush();
  clock.advance(LINGER_MS - 1);
  pair.flush();
  t.notOk(far.closed);
  clock.advance(1);
  pair.flush();
  t.equal(far.error?.code, 'reset');
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('a slow reader gets all of it; one that takes nothing for a minute does not', t => {
  const clock = new FakeClock();
  const pair = memoryChannelPair({ fragment: () => 1 });
  const far = new ChannelRecorder(pair.right);
  let stuck = 0;
  pair.left.write(Buffer.from('slowly'));
  watchLinger(pair.left, clock, () => stuck++);
  for (let i = 0; i < 5; i++) {
    clock.advance(6 * LINGER_MS);
    pair.step();
  }
  t.equal(far.text, 'slowl');
  t.equal(stuck, 0);
  clock.advance(60_000 + LINGER_MS);
  t.equal(stuck, 1);
  t.equal(clock.pendingTimers, 0);
  t.end();
});
