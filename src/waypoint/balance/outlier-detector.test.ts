import { test } from 'tap';
import type { OutlierDetection } from '#shared/route/traffic-policy.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { EndpointLoad } from './endpoint.ts';
import { OutlierDetector } from './outlier-detector.ts';

const CONFIG: OutlierDetection = {
  consecutive5xx: 5,
  consecutiveGatewayErrors: 0,
  splitExternalLocalOriginErrors: false,
  consecutiveLocalOriginFailures: 5,
  errorStatusCodes: [],
  failurePercent: undefined,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};

function setup(over: Partial<OutlierDetection> = {}, count = 4) {
  const clock = new FakeClock();
  const said: string[] = [];
  const detector = new OutlierDetector({
    config: { ...CONFIG, ...over },
    clock,
    endpoints: () => count,
    listener: {
      onEject: (uid, reason, forMs) => void said.push(`${uid} out: ${reason} ${forMs}`),
      onReturn: uid => void said.push(`${uid} back`),
    },
  });
  const endpoints = Array.from({ length: count }, (_, i) => {
    const load = new EndpointLoad();
    return { load, health: detector.watch(`e${i}`, load) };
  });
  const [first] = endpoints;
  if (first === undefined) throw new Error('no endpoint');
  return { clock, said, endpoints, ...first };
}

const times = (n: number, fn: () => void): void => {
  for (let i = 0; i < n; i++) fn();
};

test('what counts as a failure in a row, and how many are too many', t => {
  const rows: readonly (readonly [
    string,
    Partial<OutlierDetection>,
    (h: ReturnType<typeof setup>['health']) => void,
    boolean,
  ])[] = [
    ['five 5xx', {}, h => times(5, () => h.onStatus(500)), true],
    ['four 5xx', {}, h => times(4, () => h.onStatus(500)), false],
    ['a success between them', {}, h => [500, 500, 500, 500, 200, 500].forEach(s => h.onStatus(s)), false],
    ['a 404 is a success', {}, h => [500, 500, 500, 500, 404, 500].forEach(s => h.onStatus(s)), false],
    [
      'a client that went away says nothing',
      {},
      h => [500, 500, 500, 500].forEach(s => (h.onStatus(s), h.onInconclusive())),
      false,
    ],
    ['consecutive5xx 0 is off', { consecutive5xx: 0 }, h => times(9, () => h.onStatus(500)), false],
    [
      'gateway errors',
      { consecutive5xx: 0, consecutiveGatewayErrors: 3 },
      h => [502, 503, 504].forEach(s => h.onStatus(s)),
      true,
    ],
    [
      'a 500 is no gateway error',
      { consecutive5xx: 0, consecutiveGatewayErrors: 3 },
      h => [502, 503, 500, 504].forEach(s => h.onStatus(s)),
      false,
    ],
    [
      'statuses that are named are failures',
      { errorStatusCodes: [429] },
      h => times(5, () => h.onStatus(429)),
      true,
    ],
    ['…and no others', { errorStatusCodes: [429] }, h => times(9, () => h.onStatus(500)), false],
    [
      '…gateway errors too, where they are named',
      { errorStatusCodes: [503], consecutive5xx: 0, consecutiveGatewayErrors: 3 },
      h => [503, 503, 503].forEach(s => h.onStatus(s)),
      true,
    ],
    [
      '…but connections that fail all the same',
      { errorStatusCodes: [429] },
      h => times(5, () => h.onFailure('connect')),
      true,
    ],
    ['without them they do not', {}, h => times(5, () => h.onStatus(429)), false],
    [
      'no connection is a 503',
      { consecutiveGatewayErrors: 5 },
      h => times(5, () => h.onFailure('connect')),
      true,
    ],
    [
      'a timeout is a 504',
      { consecutive5xx: 0, consecutiveGatewayErrors: 2 },
      h => times(2, () => h.onFailure('timeout')),
      true,
    ],
    [
      'split: no connection is no 5xx',
      { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 0 },
      h => times(9, () => h.onFailure('connect')),
      false,
    ],
    [
      'split: it is counted for itself',
      { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2 },
      h => times(2, () => h.onFailure('connect')),
      true,
    ],
    [
      'split: an answer ends the row, a 500 too',
      { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2 },
      h => (h.onFailure('connect'), h.onStatus(500), h.onFailure('connect')),
      false,
    ],
  ];
  for (const [sentence, config, act, out] of rows) {
    const { health, load } = setup(config);
    act(health);
    t.equal(load.out, out, sentence);
  }
  t.end();
});

test('an ejected endpoint is back after its time, at a look every interval, and stays longer each time', t => {
  const { clock, health, load, said } = setup();
  times(5, () => health.onStatus(503));
  clock.advance(29_999);
  t.ok(load.out);
  clock.advance(1);
  t.notOk(load.out);
  t.same(said, ['e0 out: consecutive_5xx 30000', 'e0 back']);
  times(4, () => health.onStatus(503));
  t.notOk(load.out, 'with a clean record');
  health.onStatus(503);
  t.equal(said.at(-1), 'e0 out: consecutive_5xx 60000');
  clock.advance(60_000);
  t.notOk(load.out);
  t.end();
});

test('good conduct is rewarded: each interval forgives one ejection, and then nothing runs any more', t => {
  const { clock, health, said } = setup();
  times(5, () => health.onStatus(500));
  clock.advance(30_000);
  t.equal(clock.pendingTimers, 1);
  clock.advance(10_000);
  t.equal(clock.pendingTimers, 0);
  times(5, () => health.onStatus(500));
  t.equal(said.at(-1), 'e0 out: consecutive_5xx 30000');
  t.end();
});

test('an ejection never lasts more than 5 minutes, unless the first may', t => {
  const { clock, health, said } = setup({ baseEjectionMs: 200_000 });
  times(5, () => health.onStatus(500));
  clock.advance(200_000);
  times(5, () => health.onStatus(500));
  t.equal(said.at(-1), 'e0 out: consecutive_5xx 300000');
  t.end();
});

test('no more than the permitted share is out, but one always may be', t => {
  const ejectAll = (maxEjectionPercent: number, count: number): number => {
    const { endpoints } = setup({ maxEjectionPercent }, count);
    for (const { health } of endpoints) times(5, () => health.onStatus(500));
    return endpoints.filter(({ load }) => load.out).length;
  };
  t.equal(ejectAll(10, 5), 1);
  t.equal(ejectAll(10, 20), 2);
  t.equal(ejectAll(50, 4), 2);
  t.equal(ejectAll(100, 4), 4);
  t.equal(ejectAll(0, 4), 0);
  t.end();
});

test('an endpoint that goes makes room for another ejection, and leaves no timer', t => {
  const { clock, endpoints } = setup({ maxEjectionPercent: 25 });
  const [a, b] = endpoints;
  times(5, () => a?.health.onStatus(500));
  times(5, () => b?.health.onStatus(500));
  t.same([a?.load.out, b?.load.out], [true, false]);
  a?.health.close();
  times(1, () => b?.health.onStatus(500));
  t.ok(b?.load.out);
  b?.health.close();
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('too large a share of failures in an interval, in a row or not, of enough requests to enough endpoints', t => {
  /** Each endpoint gets `requests`, of which the first fails every second one and the others none. */
  const outAfter = (over: Partial<OutlierDetection>, count: number, requests: number): string[] => {
    const { clock, endpoints, said } = setup({ failurePercent: 50, ...over }, count);
    for (const [index, { health }] of endpoints.entries())
      for (let i = 0; i < requests; i++) health.onStatus(index === 0 && i % 2 === 0 ? 500 : 200);
    clock.advance(10_000);
    return said;
  };
  t.same(outAfter({}, 5, 50), ['e0 out: failure_percentage 30000']);
  t.same(outAfter({}, 5, 49), [], 'fewer than 50 requests say nothing');
  t.same(outAfter({}, 4, 50), [], 'nor do fewer than 5 endpoints');
  t.same(outAfter({ failurePercent: 51 }, 5, 50), []);
  t.same(outAfter({ failurePercent: undefined }, 5, 50), [], 'it is off where it is not set');
  t.same(outAfter({ maxEjectionPercent: 0 }, 5, 50), [], 'the share that may be out holds');
  t.end();
});

test('each interval is counted for itself, and nothing runs where nobody asks', t => {
  const { clock, endpoints, said } = setup({ failurePercent: 50 }, 5);
  const ask = (status: number, requests: number): void => {
    for (const [index, { health }] of endpoints.entries())
      times(requests, () => health.onStatus(index === 0 ? status : 200));
  };
  t.equal(clock.pendingTimers, 0);
  for (let i = 0; i < 3; i++) {
    for (let sent = 0; sent < 4; sent++) ask(500, 1);
    ask(200, 30);
    clock.advance(10_000);
  }
  t.same(said, [], '12 of 102 in three intervals');
  t.equal(clock.pendingTimers, 0);
  for (const { health } of endpoints) health.close();
  t.end();
});
