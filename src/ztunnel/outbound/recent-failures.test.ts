import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { RecentFailures } from './recent-failures.ts';

function setup() {
  const clock = new FakeClock();
  const failures = new RecentFailures(clock);
  return { clock, failures, held: () => [...failures.held()] };
}

test('an endpoint that failed is avoided for a while, longer each time', t => {
  const { clock, failures, held } = setup();
  t.strictSame(held(), []);
  for (const holdMs of [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000]) {
    failures.failed('a');
    clock.advance(holdMs - 1);
    t.strictSame(held(), ['a']);
    clock.advance(1);
    t.strictSame(held(), [], `${holdMs} ms`);
  }
  t.end();
});

test('connections that fail together are one failure', t => {
  const { clock, failures, held } = setup();
  for (let i = 0; i < 10; i++) failures.failed('a');
  clock.advance(250);
  t.strictSame(held(), []);
  t.end();
});

test('one that was reached is forgotten, and so is one that was well for a minute', t => {
  const { clock, failures, held } = setup();
  failures.failed('a');
  failures.reached('a');
  t.strictSame(held(), []);
  failures.failed('b');
  clock.advance(61_000);
  failures.failed('b');
  clock.advance(250);
  t.strictSame(held(), [], 'it starts with the shortest hold again');
  t.end();
});

test('each endpoint has its own time', t => {
  const { clock, failures, held } = setup();
  failures.failed('a');
  clock.advance(100);
  failures.failed('b');
  clock.advance(150);
  t.strictSame(held(), ['b']);
  clock.advance(100);
  t.strictSame(held(), []);
  t.end();
});

test('what is remembered is bounded', t => {
  const { clock, failures, held } = setup();
  for (let i = 0; i < 5_000; i++) failures.failed(`uid-${i}`);
  t.equal(held().length, 1_000);
  clock.advance(70_000);
  failures.failed('fresh');
  t.strictSame(held(), ['fresh'], 'old ones make room');
  t.end();
});
