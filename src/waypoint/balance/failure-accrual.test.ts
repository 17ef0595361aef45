import fc from 'fast-check';
import { test } from 'tap';
import type { FailureAccrual } from '#shared/route/traffic-policy.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { EndpointLoad } from './endpoint.ts';
import { AccruingEndpoint } from './failure-accrual.ts';

/** Linkerd's defaults, without jitter where a test counts milliseconds. */
const CONFIG: FailureAccrual = {
  consecutiveFailures: 7,
  successRate: undefined,
  minPenaltyMs: 1_000,
  maxPenaltyMs: 60_000,
  jitter: 0,
};

function setup(config: FailureAccrual | 'none' = CONFIG, random = 0) {
  const clock = new FakeClock();
  const said: string[] = [];
  const load = new EndpointLoad();
  const health = new AccruingEndpoint('e', load, {
    config: config === 'none' ? undefined : config,
    clock,
    random: () => random,
    listener: {
      onEject: (_, reason, forMs) => void said.push(`${reason} ${forMs}`),
      onReturn: () => void said.push('back'),
    },
  });
  const fail = (n: number): void => {
    for (let i = 0; i < n; i++) {
      health.onStart();
      health.onStatus(500);
    }
  };
  return { clock, said, load, health, fail };
}

test('seven failures in a row and it is out; one probe that succeeds and it is back', t => {
  const { clock, fail, health, load, said } = setup();
  fail(6);
  health.onStatus(200);
  fail(6);
  t.notOk(load.out, 'a success ends the row');
  fail(1);
  t.ok(load.out);
  clock.advance(999);
  t.ok(load.out);
  clock.advance(1);
  t.notOk(load.out, 'one may try');
  health.onStart();
  t.ok(load.out, 'and nobody else meanwhile');
  health.onStatus(200);
  t.notOk(load.out);
  t.same(said, ['failure_accrual 1000', 'back']);
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('each probe that fails doubles the penalty, up to a minute; a return begins anew', t => {
  const { clock, fail, health, said } = setup();
  fail(7);
  for (const next of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    clock.advance(60_000);
    fail(1);
    t.equal(said.at(-1), `failure_accrual ${next}`);
  }
  clock.advance(60_000);
  health.onStart();
  health.onStatus(200);
  fail(7);
  t.equal(said.at(-1), 'failure_accrual 1000');
  t.end();
});

test('jitter lengthens the penalty, so that those that fell together do not come back together', t => {
  const { fail, said } = setup({ ...CONFIG, jitter: 0.5 }, 0.5);
  fail(7);
  t.same(said, ['failure_accrual 1250']);
  t.end();
});

test('a probe that says nothing makes room for another: it does not get stuck', t => {
  const { clock, fail, health, load } = setup();
  fail(7);
  clock.advance(1_000);
  health.onStart();
  health.onInconclusive();
  t.notOk(load.out, 'the client of the probe went away');
  health.onStart();
  clock.advance(59_999);
  t.ok(load.out, 'the probe hangs');
  clock.advance(1);
  t.notOk(load.out, 'another one may try');
  t.end();
});

test('whatever happens, an endpoint that has nothing to do may be chosen again after the longest penalty', t => {
  const step = fc.constantFrom('start', 'ok', 'bad', 'connect', 'timeout', 'gone', 'wait');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const { clock, health, load } = setup({ ...CONFIG, jitter: 0.5 }, 0.99);
      for (const s of steps) {
        if (s === 'start') health.onStart();
        else if (s === 'ok') health.onStatus(200);
        else if (s === 'bad') health.onStatus(503);
        else if (s === 'connect' || s === 'timeout') health.onFailure(s);
        else if (s === 'gone') health.onInconclusive();
        else clock.advance(700);
      }
      clock.advance(90_000);
      return !load.out;
    }),
    { numRuns: 500 },
  );
  t.end();
});

test('a success rate below the threshold, of enough requests, is too low; 429 counts', t => {
  const rate: FailureAccrual = {
    ...CONFIG,
    consecutiveFailures: 0,
    successRate: { threshold: 0.8, windowMs: 10_000, minRequests: 5 },
  };
  const rows: readonly (readonly [string, readonly number[], boolean])[] = [
    ['4 of 4 failed: too few', [500, 500, 500, 500], false],
    ['2 of 5 failed', [200, 200, 200, 500, 429], true],
    ['1 of 5 failed', [200, 200, 200, 200, 500], false],
  ];
  for (const [sentence, statuses, out] of rows) {
    const { health, load } = setup(rate);
    for (const status of statuses) health.onStatus(status);
    t.equal(load.out, out, sentence);
  }
  const { clock, health, load } = setup(rate);
  for (let i = 0; i < 4; i++) health.onStatus(500);
  clock.advance(11_000);
  health.onStatus(500);
  t.notOk(load.out, 'what is older than the window is forgotten');
  t.end();
});

test('failures in a row and the success rate both count, whichever comes first; 429 is none of a row', t => {
  const both: FailureAccrual = {
    ...CONFIG,
    consecutiveFailures: 3,
    successRate: { threshold: 0.5, windowMs: 10_000, minRequests: 10 },
  };
  const rows: readonly (readonly [string, readonly number[], readonly string[]])[] = [
    ['3 in a row, of too few for a rate', [500, 500, 500], ['failure_accrual 1000']],
    ['429 in a row, of too few for a rate', [429, 429, 429, 429], []],
    [
      'a rate that is too low, never 3 in a row',
      [500, 500, 200, 500, 500, 200, 500, 500, 200, 500],
      ['success_rate 1000'],
    ],
  ];
  for (const [sentence, statuses, expected] of rows) {
    const { health, said } = setup(both);
    for (const status of statuses) health.onStatus(status);
    t.same(said, expected, sentence);
  }
  const { clock, fail, said } = setup(both);
  fail(3);
  clock.advance(1_000);
  fail(1);
  t.same(said, ['failure_accrual 1000', 'failure_accrual 2000'], 'a probe that fails is too much by itself');
  t.end();
});

test('without a policy only what cannot be connected to is left out, from 100 ms to 10 s', t => {
  const { clock, health, load, said } = setup('none');
  for (let i = 0; i < 50; i++) {
    health.onStatus(500);
    health.onFailure('timeout');
  }
  t.notOk(load.out);
  t.notOk(health.watchesStatus, 'statuses need not be told');
  health.onFailure('connect');
  t.ok(load.out);
  health.onFailure('connect');
  t.same(said, ['connect_failure 100'], 'what was sent before is punished once');
  for (let i = 0; i < 9; i++) {
    clock.advance(10_000);
    health.onStart();
    health.onFailure('connect');
  }
  t.equal(said.at(-1), 'connect_failure 10000');
  clock.advance(10_000);
  health.onStart();
  health.onStatus(500);
  t.notOk(load.out, 'whatever it answers: it can be connected to');
  t.equal(health.state, 'available');
  t.end();
});
