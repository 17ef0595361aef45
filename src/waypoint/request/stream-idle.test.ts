import { test } from 'tap';
import { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { StreamIdle } from './stream-idle.ts';

function idleAfter(timeoutMs: number): { clock: FakeClock; idle: StreamIdle; fired: () => number } {
  const clock = new FakeClock();
  let fired = 0;
  const idle = new StreamIdle(new CoarseTimers(clock, 10), timeoutMs, 'test', { onIdle: () => fired++ });
  return { clock, idle, fired: () => fired };
}

test('a stream on which nothing moves ends once, at the timeout or two ticks later', t => {
  const { clock, idle, fired } = idleAfter(100);
  clock.advance(99);
  t.equal(fired(), 0);
  clock.advance(21);
  t.equal(fired(), 1);
  clock.advance(1_000);
  t.equal(fired(), 1);
  idle.end();
  // The tick that finds nothing left.
  clock.advance(10);
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('whatever moves puts the end off', t => {
  const { clock, idle, fired } = idleAfter(100);
  for (let i = 0; i < 10; i++) {
    clock.advance(80);
    idle.touch();
  }
  t.equal(fired(), 0);
  clock.advance(130);
  t.equal(fired(), 1);
  idle.end();
  t.end();
});
