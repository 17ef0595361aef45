import fc from 'fast-check';
import { test } from 'tap';
import { backoffDelay } from '../lifecycle/backoff.ts';
import { refetchTime, RENEWAL_BACKOFF, renewalTime } from './renewal.ts';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('a leaf is renewed between 45 % and 55 % of its life, whatever the random number', t => {
  t.equal(renewalTime(1000, 101_000, 0.5), 51_000);
  fc.assert(
    fc.property(fc.integer({ min: 60_000, max: 90 * 86_400_000 }), random, (lifeMs, r) => {
      const share = (renewalTime(5000, 5000 + lifeMs, r) - 5000) / lifeMs;
      return Math.abs(share - 0.5) <= 0.05 + 1e-9;
    }),
  );
  t.end();
});

test('a leaf that has already ended is renewed after a second, not in a tight loop', t => {
  t.equal(renewalTime(5000, 4000, 0), 6000);
  t.end();
});

test('a refetch after a change of trust is spread over ten seconds, over less for short leaves', t => {
  t.equal(refetchTime(0, 86_400_000, 0), 0);
  t.equal(refetchTime(0, 86_400_000, 0.5), 5000);
  t.equal(refetchTime(0, 40_000, 0.5), 2500);
  t.equal(refetchTime(50_000, 40_000, 0.5), 50_000);
  t.end();
});

test('backoff is 1 s doubled, ±20 %, never above 150 s', t => {
  for (let attempt = 0; attempt < 20; attempt++) {
    const base = Math.min(150_000, 1000 * 2 ** attempt);
    t.equal(backoffDelay(RENEWAL_BACKOFF, attempt, 0), base * 0.8);
    t.ok(backoffDelay(RENEWAL_BACKOFF, attempt, 0.999) <= Math.min(150_000, base * 1.2));
  }
  t.end();
});
