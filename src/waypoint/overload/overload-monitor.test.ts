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

/** What share is refused after looks that are late by so much, one after the other. */
const LOOKS: readonly (readonly [string, readonly number[], number])[] = [
  ['a pause, however long, is no overload: what waited is served', [0, 60_000], 0],
  ['nor is one after another, while the loop is in time between them', [900, 0, 900], 0],
  ['late at two looks is', [900, 900], 0.8],
  ['by the less late of the two: the first', [600, 60_000], 0.2],
  ['or the second', [60_000, 600], 0.2],
  ['and it is over with the first look that is in time', [900, 900, 0], 0],
];

for (const [sentence, lates, share] of LOOKS) {
  test(sentence, t => {
    const clock = new LateClock();
    let random = 0;
    const monitor = new OverloadMonitor({ clock, random: () => random, maxLagMs: 500, maxRequests: 10 });
    clock.lateMs = lates[0] ?? 0;
    monitor.start();
    for (const [i, lateMs] of lates.entries()) {
      clock.lateMs = lates[i + 1] ?? 0;
      clock.advance(100 + lateMs);
    }
    const refused = (at: number): boolean => {
      random = at;
      return monitor.refusal(1) !== undefined;
    };
    t.same([refused(share - 0.01), refused(share + 0.01)], [share > 0, false]);
    monitor.stop();
    t.end();
  });
}

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
