import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import type { FailurePenalty } from '#shared/route/traffic-policy.ts';
import { Latency } from './latency.ts';

function setup(penalty?: FailurePenalty) {
  const clock = new FakeClock();
  const latency = new Latency(clock, penalty);
  const observe = (tookMs: number, status = 200, headers: HeaderList = []): void =>
    latency.observe(clock.monotonic() - tookMs, status, headers);
  return { clock, latency, observe, now: () => Math.round(latency.estimate(clock.monotonic())) };
}

test('who has not been tried is taken for 30 ms, and less as time goes by without a request', t => {
  const { clock, now } = setup();
  t.equal(now(), 30);
  clock.advance(10_000);
  t.equal(now(), 11, 'a tenth of e after the decay time');
  t.end();
});

test('a peak counts at once and in full; faster answers bring it down over 10 s', t => {
  const { clock, now, observe } = setup();
  observe(500);
  t.equal(now(), 500);
  observe(20);
  t.equal(now(), 500, 'no time has passed');
  clock.advance(5_000);
  observe(20);
  t.ok(now() > 300 && now() < 320, String(now()));
  t.end();
});

test('a failure is not taken for speed, but for slowness where it was slow', t => {
  const { clock, latency, now, observe } = setup();
  observe(200);
  clock.advance(5_000);
  const before = now();
  observe(1, 503);
  latency.observeFailure(clock.monotonic() - 1);
  t.equal(now(), before);
  observe(900, 503);
  t.equal(now(), 900);
  t.end();
});

test('429 counts as 5 s: who says it is overloaded is avoided', t => {
  const { now, observe } = setup();
  observe(3, 429);
  t.equal(now(), 5_000);
  t.end();
});

const PENALTY = { penaltyMs: 2_000, maxRetryAfterMs: 60_000 };

test('with a penalty a failure counts as that at least, or as what the answer asks for', t => {
  const cases: readonly [string, number, HeaderList, number][] = [
    ['a success', 200, [], 30],
    ['no failure', 404, ['retry-after', '7'], 30],
    ['500', 500, [], 2_000],
    ['429 counts as others do', 429, [], 2_000],
    ['503 with a hint', 503, ['retry-after', '7'], 7_000],
    ['a hint that is less', 503, ['retry-after', '1'], 2_000],
    ['a hint that is too much', 503, ['retry-after', '3600'], 60_000],
  ];
  for (const [name, status, headers, expected] of cases) {
    const { now, observe } = setup(PENALTY);
    observe(3, status, headers);
    t.equal(now(), expected, name);
  }
  const { now, observe } = setup(PENALTY);
  observe(2_500, 500);
  t.equal(now(), 2_500, 'who fails slower than that counts as slow as he is');
  t.end();
});

test('each failure is punished anew, however far the last one is forgotten', t => {
  const { clock, now, observe } = setup(PENALTY);
  for (let i = 0; i < 3; i++) {
    observe(1, 500);
    t.equal(now(), 2_000);
    clock.advance(1_000);
  }
  t.end();
});

test('a failure that only the end of a response tells is punished, and how long the stream was open is no latency', t => {
  const { latency, now, clock } = setup(PENALTY);
  latency.observe(clock.monotonic(), 200, []);
  clock.advance(600_000);
  latency.observeEnd(200, []);
  t.equal(now(), 0);
  latency.observeEnd(503, ['grpc-retry-pushback-ms', '9000']);
  t.equal(now(), 9_000);
  const plain = setup();
  plain.latency.observeEnd(503, ['grpc-retry-pushback-ms', '9000']);
  t.equal(plain.now(), 30, 'without a penalty nothing is');
  t.end();
});
