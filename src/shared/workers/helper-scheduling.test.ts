import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { watchHelpers } from '../native/helper-threads.ts';
import { type Activities, HelperScheduling, isStarved } from './helper-scheduling.ts';

function threads(...activities: readonly [isRunnable: boolean, ranMs: number][]): Activities {
  return new Map(activities.map(([isRunnable, ranMs], i) => [i, { isRunnable, ranMs }]));
}

const rows: { name: string; before: Activities; after: Activities; starved: boolean }[] = [
  { name: 'asleep', before: threads([false, 5]), after: threads([false, 5]), starved: false },
  {
    name: 'it had work and no processor',
    before: threads([true, 5]),
    after: threads([true, 6]),
    starved: true,
  },
  { name: 'it had a processor', before: threads([true, 5]), after: threads([true, 90]), starved: false },
  { name: 'it has just got work', before: threads([false, 5]), after: threads([true, 5]), starved: false },
  { name: 'it is done', before: threads([true, 5]), after: threads([false, 6]), starved: false },
  {
    name: 'one of several',
    before: threads([false, 0], [true, 5]),
    after: threads([false, 0], [true, 5]),
    starved: true,
  },
  {
    name: 'they share what there is',
    before: threads([true, 5], [true, 5]),
    after: threads([true, 20], [true, 20]),
    starved: false,
  },
  { name: 'one that was not there before', before: threads(), after: threads([true, 0]), starved: false },
];

test('helpers are starved that have work all the time and a processor hardly ever', t => {
  for (const { name, before, after, starved } of rows) t.equal(isStarved(before, after, 250), starved, name);
  t.end();
});

test('it goes on looking, with one timer', {
  skip: watchHelpers().length === 0 && 'no helper threads',
}, t => {
  const clock = new FakeClock();
  new HelperScheduling(clock).start();
  for (let i = 0; i < 5; i++) {
    t.equal(clock.pendingTimers, 1);
    clock.advance(500);
  }
  t.end();
});
