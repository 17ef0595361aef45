import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { SharedUse, UNLIMITED } from './shared-use.ts';

interface UnderWay {
  readonly requests?: number;
  readonly retries?: number;
  readonly waiting?: number;
  readonly ending?: number;
}

function isFull(
  limits: Partial<typeof UNLIMITED>,
  { ending = 0, requests = 0, retries = 0, waiting = 0 }: UnderWay,
) {
  const use = new SharedUse();
  use.limit({ ...UNLIMITED, ...limits }, new FakeClock());
  for (let i = 0; i < requests; i++) use.begin(false);
  for (let i = 0; i < retries; i++) use.begin(true);
  use.waitingRetries = waiting;
  return use.retriesFull(ending);
}

const A_FIFTH = { retryConcurrency: { ratio: 0.2, minimum: 3, intervalMs: 0 } };

const ROWS: readonly [string, Partial<typeof UNLIMITED>, UnderWay, boolean][] = [
  ['no bound', {}, { retries: 1_000 }, false],
  ['a number', { maxRetries: 2 }, { retries: 1 }, false],
  ['a number that is reached', { maxRetries: 2 }, { retries: 2 }, true],
  ['by those that wait', { maxRetries: 2 }, { retries: 1, waiting: 1 }, true],
  ['one that ends makes room for the next', { maxRetries: 2 }, { retries: 2, ending: 1 }, false],
  ['without load the minimum', A_FIFTH, { requests: 2, retries: 2 }, false],
  ['and no more', A_FIFTH, { requests: 2, retries: 3 }, true],
  ['with load a share of all that is under way', A_FIFTH, { requests: 21, retries: 4 }, false],
  ['of which there are not enough', A_FIFTH, { requests: 20, retries: 4 }, true],
  ['the share holds, not the number', { ...A_FIFTH, maxRetries: 1 }, { retries: 2 }, false],
];

test('whether one more retry may be under way', t => {
  for (const [name, limits, underWay, expected] of ROWS) t.equal(isFull(limits, underWay), expected, name);
  t.end();
});

test('with an interval the requests that began in it count, though they are over', t => {
  const clock = new FakeClock();
  const use = new SharedUse();
  const limits = { ...UNLIMITED, retryConcurrency: { ratio: 0.1, minimum: 1, intervalMs: 10_000 } };
  use.limit(limits, clock);
  for (let i = 0; i < 50; i++) {
    use.begin(false);
    use.end(false);
  }
  for (let i = 0; i < 4; i++) use.begin(true);
  t.notOk(use.retriesFull(), 'five of fifty');
  use.begin(true);
  t.ok(use.retriesFull());
  use.limit({ ...limits, maxPending: 7 }, clock);
  use.end(true);
  t.notOk(use.retriesFull(), 'another change of the policy forgets nothing');
  clock.advance(10_000);
  t.ok(use.retriesFull(), 'the interval is over');
  t.end();
});
