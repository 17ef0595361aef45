import { test } from 'tap';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { OverloadMonitor, shedShare } from './overload-monitor.ts';

/** A thread whose timers are late by as much as the test says. */
class LateClock extends FakeClock {
  lateMs = 0;

  override setTimer(delayMs: number, fn: () => void): ReturnType<Clock['setTimer']> {
    return super.setTimer(delayMs + this.lateMs, fn);
  }
}

test('nothing is shed up to the permitted lag, everything from twice of it', t => {
  t.same(
    [0, 500, 750, 1_000, 9_000].map(lag => shedShare(lag, 500)),
    [0, 0, 0.5, 1, 1],
  );
  t.end();
});

test('while the event loop is late a share of new requests is refused, and none once it is not', t => {
  const clock = new LateClock();
  let random = 0.49;
  const monitor = new OverloadMonitor({ clock, random: () => random, maxLagMs: 500, maxRequests: 10 });
  monitor.start();
  clock.advance(1_000);
  t.equal(monitor.refusal(1), undefined);
  clock.lateMs = 750;
  clock.advance(2_000);
  t.match(monitor.refusal(1), /event loop is more than 500 ms late \(OVERLOAD_LAG\)/);
  random = 0.51;
  t.equal(monitor.refusal(1), undefined, 'half of them go on');
  clock.lateMs = 0;
  clock.advance(2_000);
  random = 0;
  t.equal(monitor.refusal(1), undefined);
  monitor.stop();
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('more requests in progress than may be are refused', t => {
  const clock = new FakeClock();
  const monitor = new OverloadMonitor({
    clock,
    random: () => 0,
    maxLagMs: Number.POSITIVE_INFINITY,
    maxRequests: 10,
  });
  monitor.start();
  t.equal(clock.pendingTimers, 0, 'no lag is looked for where none is too long');
  t.equal(monitor.refusal(10), undefined);
  t.match(monitor.refusal(11), /10 requests are in progress \(MAX_REQUESTS\)/);
  t.end();
});
