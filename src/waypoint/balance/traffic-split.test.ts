import { test } from 'tap';
import type { RouteBackend } from '#shared/route/model.ts';
import { routeRule } from '#shared/testing/route.ts';
import { TrafficSplit } from './traffic-split.ts';

const backends = (weights: readonly number[]): RouteBackend[] =>
  weights.map((weight, i) => ({ weight, service: `v${i}`, port: 80, subset: undefined, filters: [] }));

/** The most that any backend's count strays from its share, in requests, after any number of them up to `requests`. */
function worstError(weights: readonly number[], start: number, requests: number): number {
  const split = new TrafficSplit(() => start);
  const rule = routeRule({ backends: backends(weights) });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const counts = weights.map(() => 0);
  let worst = 0;
  for (let n = 1; n <= requests; n++) {
    const picked = split.pick(rule);
    const chosen = rule.backends.findIndex(backend => backend === picked);
    counts[chosen] = (counts[chosen] ?? 0) + 1;
    for (const [i, weight] of weights.entries())
      worst = Math.max(worst, Math.abs((counts[i] ?? 0) - (n * weight) / total));
  }
  return worst;
}

const SPLITS: readonly (readonly number[])[] = [
  [90, 10],
  [99, 1],
  [50, 50],
  [1, 1, 1],
  [50, 30, 20],
  [0, 75, 25],
  [1, 999],
  [1_000_000, 1],
];

test('any run of requests is split as the weights say, to within 5 requests, wherever it begins', t => {
  for (const weights of SPLITS) {
    let worst = 0;
    for (let start = 0; start < 1; start += 0.09) worst = Math.max(worst, worstError(weights, start, 2_000));
    t.ok(worst < 5, `${weights.join('/')}: ${worst.toFixed(2)} requests`);
  }
  t.end();
});

test('rules are split each for itself, and threads do not march in step', t => {
  const starts = [0, 0.5];
  const split = new TrafficSplit(() => starts.shift() ?? 0);
  const [a, b] = [routeRule({ backends: backends([1, 1]) }), routeRule({ backends: backends([1, 1]) })];
  t.equal(split.pick(a)?.service, 'v1');
  t.equal(split.pick(b)?.service, 'v0');
  t.same(starts, [], 'each began at a place of its own');
  t.end();
});

test('no backend, and none with a weight', t => {
  const split = new TrafficSplit(() => 0);
  t.equal(split.pick(routeRule({ backends: [] })), undefined);
  t.equal(split.pick(routeRule({ backends: backends([0]) })), undefined);
  t.equal(split.pick(routeRule({ backends: backends([0, 0]) })), undefined);
  t.equal(split.pick(routeRule({ backends: backends([3]) }))?.service, 'v0');
  t.end();
});
