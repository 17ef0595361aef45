import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { DEFAULT_RETRY_BUDGET, RetryBudget } from './budget.ts';

function take(budget: RetryBudget, most: number): number {
  let taken = 0;
  while (taken < most && budget.tryAcquire()) taken++;
  return taken;
}

function record(budget: RetryBudget, requests: number): void {
  for (let i = 0; i < requests; i++) budget.recordRequest();
}

test('the retry budget', async t => {
  const clock = new FakeClock();
  t.equal(take(new RetryBudget(DEFAULT_RETRY_BUDGET, clock), 1000), 100, 'with no load, 10/s over 10 s');

  const loaded = new RetryBudget(DEFAULT_RETRY_BUDGET, clock);
  record(loaded, 10_000);
  t.equal(take(loaded, 10_000), 2100, 'with load, a fifth of it on top');
  clock.advance(5000);
  t.equal(loaded.tryAcquire(), false, 'spent is spent within the window');
  clock.advance(5000);
  t.equal(take(loaded, 10_000), 100, 'after the window both load and retries are forgotten');

  const noFloor = new RetryBudget({ ratio: 0.5, minPerSecond: 0, ttlMs: 1000 }, clock);
  t.equal(noFloor.tryAcquire(), false, 'without a floor and load there is none');
  record(noFloor, 4);
  t.equal(take(noFloor, 10), 2, 'half of the requests');
  clock.advance(500);
  record(noFloor, 2);
  t.equal(take(noFloor, 10), 1, 'the window slides');
  clock.advance(600);
  record(noFloor, 2);
  t.equal(take(noFloor, 10), 1, 'what left the window frees its retries and takes its load away');
  clock.advance(1_000_000);
  t.equal(noFloor.tryAcquire(), false, 'a long pause empties it');
  t.equal(clock.pendingTimers, 0, 'it needs no timer');
});

test('a storm: when everything fails, retries add a fifth', async t => {
  const clock = new FakeClock();
  const budget = new RetryBudget({ ...DEFAULT_RETRY_BUDGET, minPerSecond: 0 }, clock);
  let retries = 0;
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 100; i++) {
      budget.recordRequest();
      if (budget.tryAcquire()) retries++;
      clock.advance(10);
    }
  }
  t.ok(retries > 1100 && retries <= 1210, `${retries} retries for 6000 requests`);
});
