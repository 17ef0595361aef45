import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { Latency } from './latency.ts';

function setup() {
  const clock = new FakeClock();
  const latency = new Latency(clock);
  const observe = (tookMs: number, status = 200): void => latency.observe(clock.monotonic() - tookMs, status);
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
