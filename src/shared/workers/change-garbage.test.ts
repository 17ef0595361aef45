import { test } from 'tap';
import type { Clock } from '../lifecycle/clock.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { delta, workload } from '../testing/topology.ts';
import { ChangeGarbage } from './change-garbage.ts';

const changed = (count: number) =>
  delta({ workloads: Array.from({ length: count }, (_, n) => workload(`w-${n}`)) });

function setup(collectionMs = 10) {
  const fake = new FakeClock();
  const at: number[] = [];
  let spentMs = 0;
  const clock: Clock = {
    now: () => fake.now(),
    monotonic: () => fake.monotonic() + spentMs,
    setTimer: (delayMs, fn) => fake.setTimer(delayMs, fn),
  };
  const garbage = new ChangeGarbage(clock, () => {
    at.push(fake.monotonic());
    spentMs += collectionMs;
  });
  return { at, clock: fake, garbage };
}

test('few changes are left to the runtime', async t => {
  const { at, clock, garbage } = setup();
  garbage.add(changed(255));
  clock.advance(600_000);
  t.strictSame(at, []);
});

test('changes add up, removals as well, and the rest of their burst is waited for', async t => {
  const { at, clock, garbage } = setup();
  garbage.add(changed(200));
  clock.advance(1_000);
  garbage.add(delta({ removedWorkloads: changed(56).workloads.map(w => w.uid) }));
  clock.advance(9_000);
  garbage.add(changed(1_000));
  t.strictSame(at, []);
  clock.advance(1_000);
  t.strictSame(at, [11_000]);
  clock.advance(600_000);
  t.strictSame(at, [11_000], 'once for the burst');
});

test('a mesh that never rests: a two-hundredth of the time at most is theirs, however long one takes', async t => {
  for (const collectionMs of [10, 60, 1_000]) {
    const { at, clock, garbage } = setup(collectionMs);
    for (let second = 0; second < 1_200; second++) {
      garbage.add(changed(256));
      clock.advance(1_000);
    }
    t.ok(at.length >= 2, `${at.length} of ${collectionMs} ms`);
    t.ok(at.every((time, n) => n === 0 || time - (at[n - 1] ?? 0) >= Math.max(10_000, collectionMs * 200)));
  }
});

test('nothing is collected after the end', async t => {
  const { at, clock, garbage } = setup();
  garbage.add(changed(1_000));
  garbage.close();
  clock.advance(600_000);
  t.strictSame(at, []);
});
