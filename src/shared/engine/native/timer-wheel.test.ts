import fc from 'fast-check';
import { test } from 'tap';
import { TimerWheel, type WheelTimer } from './timer-wheel.ts';

test('a timer fires at its millisecond, never before', t => {
  for (const at of [
    1,
    2,
    63,
    64,
    65,
    127,
    4095,
    4096,
    4097,
    262_143,
    262_144,
    20_000_000,
    2 ** 31,
    2 ** 33,
  ]) {
    const wheel = new TimerWheel(7);
    let fired = 0;
    wheel.add(7 + at, () => fired++);
    for (let due = wheel.nextDueAt(); due < 7 + at; due = wheel.nextDueAt()) wheel.advance(due);
    wheel.advance(7 + at - 1);
    t.equal(fired, 0, `${at} ms: not early`);
    wheel.advance(7 + at);
    t.equal(fired, 1, `${at} ms`);
    t.equal(wheel.size, 0);
    t.equal(wheel.nextDueAt(), Number.POSITIVE_INFINITY);
  }
  t.end();
});

test('what is already past fires with the next advance, and a cancelled one never', t => {
  const wheel = new TimerWheel(1_000);
  const fired: string[] = [];
  wheel.add(10, () => fired.push('past'));
  const gone = wheel.add(1_001, () => fired.push('cancelled'));
  wheel.cancel(gone);
  wheel.cancel(gone);
  wheel.advance(1_001);
  t.same(fired, ['past']);
  t.end();
});

test('a timer that cancels its neighbour and sets another one', t => {
  const wheel = new TimerWheel(0);
  const fired: string[] = [];
  wheel.add(5, () => {
    fired.push('first');
    wheel.cancel(second);
    wheel.add(5, () => fired.push('third'));
  });
  const second = wheel.add(5, () => fired.push('second'));
  wheel.advance(5);
  t.same(fired, ['first'], 'one set meanwhile waits for the next advance');
  wheel.advance(6);
  t.same(fired, ['first', 'third']);
  t.end();
});

test('like a list of timers sorted by time, whatever is set, cancelled and waited', t => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), delay: fc.oneof(fc.nat(200), fc.nat(10_000_000)) }),
    fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(50) }),
    fc.record({ kind: fc.constant('advance' as const), by: fc.oneof(fc.nat(100), fc.nat(5_000_000)) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      let now = 123;
      const wheel = new TimerWheel(now);
      const fired: number[] = [];
      const model: { at: number; id: number; timer: WheelTimer }[] = [];
      steps.forEach((s, id) => {
        if (s.kind === 'add') {
          const at = Math.max(now + s.delay, now + 1);
          model.push({ at, id, timer: wheel.add(at, () => fired.push(id)) });
        } else if (s.kind === 'cancel') {
          const [gone] = model.splice(s.which % Math.max(1, model.length), 1);
          if (gone !== undefined) wheel.cancel(gone.timer);
        } else {
          now += s.by;
          wheel.advance(now);
          const due = model.filter(m => m.at <= now).map(m => m.id);
          const firedNow = fired.splice(0);
          if ([...due].sort(byNumber).join() !== [...firedNow].sort(byNumber).join())
            throw new Error('fired others');
          const times = firedNow.map(f => model.find(m => m.id === f)?.at ?? 0);
          if (times.join() !== [...times].sort(byNumber).join()) throw new Error('out of order');
          for (const d of due)
            model.splice(
              model.findIndex(m => m.id === d),
              1,
            );
          if (wheel.size !== model.length) throw new Error('count');
          const next = Math.min(...model.map(m => m.at));
          if (wheel.nextDueAt() > next) throw new Error('would sleep past a timer');
        }
      });
    }),
    { numRuns: 300 },
  );
  t.end();
});

function byNumber(a: number, b: number): number {
  return a - b;
}
