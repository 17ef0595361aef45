import { test } from 'tap';
import { workload } from '#shared/testing/topology.ts';
import type { BalancedEndpoint } from './endpoint.ts';
import { makePicker, type BalancingPolicy } from './picker.ts';

function endpoint(name: string, active = 0, capacity = 1): BalancedEndpoint {
  const w = workload(name, { capacity });
  return { uid: w.uid, workload: w, targetPort: 8080, load: { active } };
}

const POLICIES: readonly (BalancingPolicy | undefined)[] = [
  'least_request',
  'round_robin',
  'random',
  'passthrough',
  undefined,
];

/** Draws spread evenly over [0, 1), which is what a random source does in the long run. */
function counts(
  endpoints: readonly BalancedEndpoint[],
  policy: BalancingPolicy | undefined,
  draws: number,
): number[] {
  const picker = makePicker(endpoints, policy, { turn: 0 });
  const hits = endpoints.map(() => 0);
  let seed = 42;
  for (let i = 0; i < draws; i++) {
    seed = (seed * 48271) % 2147483647;
    const picked = picker.pick(((i + seed / 2147483647) % draws) / draws, []);
    const at = endpoints.findIndex(e => e === picked);
    hits[at] = (hits[at] ?? 0) + 1;
  }
  return hits;
}

test('whatever the policy', async t => {
  const [a, b, c] = [endpoint('a'), endpoint('b'), endpoint('c')];
  for (const policy of POLICIES) {
    const name = policy ?? 'default';
    t.equal(makePicker([], policy, { turn: 0 }).pick(0.5, []), undefined, `${name}: no endpoint, no choice`);
    t.equal(makePicker([a], policy, { turn: 0 }).pick(0.5, []), a, `${name}: a single endpoint is it`);
    const picker = makePicker([a, b, c], policy, { turn: 0 });
    for (const random of [0, 0.2, 0.5, 0.9, 1 - 2 ** -53]) {
      t.equal(picker.pick(random, [a, b]), c, `${name}: endpoints already tried are passed over`);
      t.ok(picker.pick(random, [a, b, c]), `${name}: when all have been tried, one is tried again`);
    }
    for (const share of counts([a, b, c], policy, 3000)) {
      t.ok(Math.abs(share - 1000) < 60, `${name}: equal endpoints get equal shares (${share} of 3000)`);
    }
    const [once = 0, twice = 0] = counts([endpoint('a', 0, 1), endpoint('b', 0, 3)], policy, 4000);
    if (policy !== 'least_request' && policy !== undefined) {
      t.ok(Math.abs(twice - 3 * once) < 80, `${name}: three times the capacity, three times the share`);
    }
  }
});

test('least request', async t => {
  const [idle, busy] = [endpoint('idle', 0), endpoint('busy', 5)];
  t.same(counts([idle, busy], 'least_request', 500), [500, 0], 'of two, the less busy is always taken');
  const [small, large] = [endpoint('small', 2, 1), endpoint('large', 4, 10)];
  t.same(counts([small, large], 'least_request', 500), [0, 500], 'busy is relative to capacity');
  const many = [endpoint('a', 9), endpoint('b'), endpoint('c'), endpoint('d')];
  t.ok((counts(many, 'least_request', 4000)[0] ?? 0) < 100, 'the busiest of many is hardly ever taken');
});

test('round robin', async t => {
  const [a, b, c] = [endpoint('a', 0, 1), endpoint('b', 0, 2), endpoint('c', 0, 1)];
  const cursor = { turn: 0 };
  const names = (list: readonly BalancedEndpoint[], n: number): string =>
    Array.from({ length: n }, () => makePicker(list, 'round_robin', cursor).pick(0, [])?.workload.name).join(
      '',
    );
  t.match(
    names([endpoint('a'), endpoint('b'), endpoint('c')], 6),
    /^(abcabc|bcabca|cabcab)$/,
    'one after the other, also across replacements',
  );
  const turns = names([a, b, c], 8);
  t.equal(turns.replaceAll('b', '').length, 4, 'twice the capacity, twice the turns');
  t.notMatch(turns, /bbb/, 'not all at once');
});
