import { test } from 'tap';
import { RecentResets } from './recent-resets.ts';

test('the last 1024 resets are known, older ids are given the benefit of the doubt, others are not', t => {
  const resets = new RecentResets();
  t.equal(resets.has(1), false);
  for (let i = 0; i < 1023; i++) resets.add(1001 + 2 * i);
  t.same([resets.has(1001), resets.has(999), resets.has(1002)], [true, false, false]);
  resets.add(9001);
  resets.add(9003);
  t.same([resets.has(9003), resets.has(999), resets.has(1001), resets.has(9005)], [true, true, true, false]);
  t.end();
});
