import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { RecentCount } from './recent-count.ts';

test('what happened within the window is counted, and nothing before', t => {
  const clock = new FakeClock();
  const count = new RecentCount(clock, 1_000);
  t.equal(count.count(), 0);
  count.add();
  clock.advance(500);
  count.add();
  count.add();
  t.equal(count.count(), 3);
  clock.advance(500);
  t.equal(count.count(), 2, 'the first is too old');
  clock.advance(499);
  t.equal(count.count(), 2);
  clock.advance(1);
  t.equal(count.count(), 0);
  count.add();
  clock.advance(1e9);
  t.equal(count.count(), 0, 'however long it was');
  count.add();
  count.clear();
  t.equal(count.count(), 0);
  t.equal(clock.pendingTimers, 0);
  t.end();
});
