import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import type { Clock } from './clock.ts';
import { CoarseTimers, type Timed } from './coarse-timers.ts';

const TICK_MS = 10;

function setUp() {
  const fake = new FakeClock(0);
  let timersSet = 0;
  const clock: Clock = {
    now: () => fake.now(),
    monotonic: () => fake.monotonic(),
    setTimer: (delayMs, fn) => {
      timersSet++;
      return fake.setTimer(delayMs, fn);
    },
  };
  const timers = new CoarseTimers(clock, TICK_MS);
  const firedAt: number[] = [];
  const add = (delayMs: number): Timed => {
    const entry: Timed = {
      deadlineAt: Number.POSITIVE_INFINITY,
      timedIndex: -1,
      onDeadline: () => void firedAt.push(fake.monotonic()),
    };
    timers.add(entry);
    entry.deadlineAt = timers.after(delayMs);
    return entry;
  };
  return { fake, timers, add, firedAt, timersSet: () => timersSet };
}

test('a deadline fires at its time or up to two ticks later, never earlier', t => {
  for (let addedAt = 0; addedAt < 25; addedAt++) {
    const { add, fake, firedAt } = setUp();
    add(1000);
    fake.advance(addedAt);
    add(42);
    for (let i = 0; i < 100; i++) fake.advance(1);
    const [at = Number.NaN] = firedAt;
    t.ok(at >= addedAt + 42 && at <= addedAt + 42 + 2 * TICK_MS, `added at ${addedAt}, fired at ${at}`);
  }
  t.end();
});

test('nor when it is added after all others have gone and before the next tick', t => {
  for (let addedAt = 0; addedAt < 25; addedAt++) {
    const { add, fake, firedAt, timers } = setUp();
    timers.remove(add(1000));
    fake.advance(addedAt);
    add(42);
    for (let i = 0; i < 100; i++) fake.advance(1);
    const [at = Number.NaN] = firedAt;
    t.ok(at >= addedAt + 42 && at <= addedAt + 42 + 2 * TICK_MS, `added at ${addedAt}, fired at ${at}`);
  }
  t.end();
});

test('requests that come one behind the other need one timer a tick', t => {
  const { add, fake, timers, timersSet } = setUp();
  for (let i = 0; i < 100; i++) {
    timers.remove(add(1000));
    fake.advance(1);
  }
  t.ok(timersSet() <= 11, `${timersSet()} timers in 100 ms`);
  fake.advance(100);
  const after = timersSet();
  fake.advance(1000);
  t.equal(timersSet(), after, 'none while there is nothing to wait for');
  t.end();
});

test('what is removed fires no more, whatever else is added or removed', t => {
  const { add, fake, firedAt, timers } = setUp();
  const entries = [add(10), add(20), add(30)];
  for (const entry of entries.slice(0, 2)) timers.remove(entry);
  timers.remove(entries[0] ?? add(1));
  fake.advance(200);
  t.equal(firedAt.length, 1);
  t.end();
});
