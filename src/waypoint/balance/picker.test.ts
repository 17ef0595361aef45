import { test } from 'tap';
import type { LoadBalancer } from '#shared/route/traffic-policy.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { workload } from '#shared/testing/topology.ts';
import { type BalancedEndpoint, EndpointLoad } from './endpoint.ts';
import { Latency } from './latency.ts';
import { makePicker, type Picker, type PickerOptions } from './picker.ts';

function endpoint(name: string, active = 0, capacity = 1, addedMs?: number): BalancedEndpoint {
  const w = workload(name, { capacity });
  const load = new EndpointLoad(addedMs);
  load.active = active;
  return { uid: w.uid, workload: w, targetPort: 8080, load };
}

type Policy =
  | 'least_request'
  | 'round_robin'
  | 'random'
  | 'passthrough'
  | 'ring_hash'
  | 'maglev'
  | 'peak_ewma';

function balancer(policy: Policy | undefined): LoadBalancer | undefined {
  if (policy === 'ring_hash') return { kind: policy, minRingSize: 1024, maxRingSize: undefined, hash: [] };
  if (policy === 'maglev') return { kind: policy, tableSize: 65_537, hash: [] };
  if (policy === 'least_request') return { kind: policy, choices: undefined };
  if (policy === 'peak_ewma') return { kind: policy, penalty: undefined };
  return policy === undefined ? undefined : { kind: policy };
}

function pickerOf(
  levels: readonly (readonly BalancedEndpoint[])[],
  policy: Policy | undefined,
  over: Partial<PickerOptions> = {},
): Picker {
  return makePicker(
    levels.map(endpoints => [{ weight: 1, endpoints }]),
    {
      balancer: balancer(policy),
      slowStart: undefined,
      cursor: { turn: 0 },
      clock: new FakeClock(),
      panicBelow: 0,
      panicWhenNone: false,
      ...over,
    },
  );
}

const POLICIES: readonly (Policy | undefined)[] = [
  'least_request',
  'round_robin',
  'random',
  'passthrough',
  'peak_ewma',
  'ring_hash',
  'maglev',
  undefined,
];

/** Draws spread evenly over [0, 1), which is what a random source does in the long run. */
function counts(
  endpoints: readonly BalancedEndpoint[],
  policy: Policy | undefined,
  draws: number,
  over: Partial<PickerOptions> = {},
): number[] {
  const picker = pickerOf([endpoints], policy, over);
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
    t.equal(pickerOf([], policy).pick(0.5, []), undefined, `${name}: no endpoint, no choice`);
    t.equal(pickerOf([[a]], policy).pick(0.5, []), a, `${name}: a single endpoint is it`);
    const picker = pickerOf([[a, b, c]], policy);
    for (const random of [0, 0.2, 0.5, 0.9, 1 - 2 ** -53]) {
      t.equal(picker.pick(random, [a, b]), c, `${name}: endpoints already tried are passed over`);
      t.ok(picker.pick(random, [a, b, c]), `${name}: when all have been tried, one is tried again`);
    }
    for (const share of counts([a, b, c], policy, 3000)) {
      const strays = policy === 'ring_hash' ? 200 : 60;
      t.ok(Math.abs(share - 1000) < strays, `${name}: equal endpoints get equal shares (${share} of 3000)`);
    }
    const [once = 0, twice = 0] = counts([endpoint('a', 0, 1), endpoint('b', 0, 3)], policy, 4000);
    if (policy !== 'least_request' && policy !== 'peak_ewma' && policy !== undefined) {
      t.ok(
        Math.abs(twice - 3 * once) < (policy === 'ring_hash' || policy === 'maglev' ? 500 : 80),
        `${name}: three times the capacity, three times the share`,
      );
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
    Array.from(
      { length: n },
      () => pickerOf([list], 'round_robin', { cursor }).pick(0, [])?.workload.name,
    ).join('');
  t.match(
    names([endpoint('a'), endpoint('b'), endpoint('c')], 6),
    /^(abcabc|bcabca|cabcab)$/,
    'one after the other, also across replacements',
  );
  const turns = names([a, b, c], 8);
  t.equal(turns.replaceAll('b', '').length, 4, 'twice the capacity, twice the turns');
  t.notMatch(turns, /bbb/, 'not all at once');
});

test('whoever is out is not picked while another is left', t => {
  for (const policy of POLICIES) {
    const name = policy ?? 'default';
    const [a, b, c] = [endpoint('a'), endpoint('b'), endpoint('c')];
    const picker = pickerOf([[a, b, c]], policy);
    a.load.setOut(true);
    b.load.setOut(true);
    for (let i = 0; i < 100; i++) t.equal(picker.pick(i / 100, []), c, `${name}: the only one left`);
    c.load.setOut(true);
    t.equal(picker.pick(0.5, []), undefined, `${name}: nobody is left`);
    a.load.setOut(false);
    t.equal(picker.pick(0.5, []), a, `${name}: back again`);
  }
  t.end();
});

test('the few that are left share evenly, wherever those that are out stand', t => {
  for (const policy of POLICIES) {
    const all = Array.from({ length: 100 }, (_, i) => endpoint(`e${i}`));
    const picker = pickerOf([all], policy);
    for (const { load } of all.slice(5, 95)) load.setOut(true);
    const hits = new Map<BalancedEndpoint | undefined, number>();
    for (let i = 0; i < 10_000; i++) {
      // Each request with a hash of its own.
      const picked = picker.pick((i * 0.618_034) % 1, [], (i * 2_654_435_761) % 2 ** 32);
      hits.set(picked, (hits.get(picked) ?? 0) + 1);
    }
    t.equal(hits.size, 10, policy ?? 'default');
    t.ok(Math.max(...hits.values()) < 2_000, `${policy ?? 'default'}: ${[...hits.values()].join()}`);
  }
  t.end();
});

test('panic: with too few usable all are used; with none, if nobody forbids it', t => {
  const all = Array.from({ length: 10 }, (_, i) => endpoint(`e${i}`));
  const picked = (over: Partial<PickerOptions>): number => {
    const picker = pickerOf([all], 'random', over);
    return new Set(Array.from({ length: 200 }, (_, i) => picker.pick(i / 200, []))).size;
  };
  for (const { load } of all.slice(0, 6)) load.setOut(true);
  t.equal(picked({ panicBelow: 0.5 }), 10, '4 of 10 are fewer than half');
  t.equal(picked({ panicBelow: 0.4 }), 4, '4 of 10 are enough');
  for (const { load } of all) load.setOut(true);
  t.equal(picked({ panicWhenNone: true }), 10);
  t.equal(pickerOf([all], 'random').pick(0.5, []), undefined);
  t.end();
});

test('a farther level takes over in proportion as the nearer one fails, and is tried when the nearer one has been', t => {
  const near = Array.from({ length: 10 }, (_, i) => endpoint(`near${i}`));
  const far = Array.from({ length: 10 }, (_, i) => endpoint(`far${i}`));
  for (const policy of POLICIES) {
    const name = policy ?? 'default';
    const picker = pickerOf([near, far], policy);
    const farShare = (): number => {
      const picks = Array.from({ length: 2_000 }, (_, i) => picker.pick((i * 0.618_034) % 1, [], -1));
      return picks.filter(e => e !== undefined && far.includes(e)).length / picks.length;
    };
    t.equal(farShare(), 0, `${name}: all near`);
    for (const { load } of near.slice(0, 2)) load.setOut(true);
    t.equal(farShare(), 0, `${name}: 80 % of the near ones carry everything`);
    for (const { load } of near.slice(0, 5)) load.setOut(true);
    t.ok(Math.abs(farShare() - 0.3) < 0.05, `${name}: 50 % carry 70 % (${farShare()})`);
    for (const { load } of near) load.setOut(true);
    t.equal(farShare(), 1, `${name}: none is left`);
    for (const { load } of near) load.setOut(false);
    const tried = picker.pick(0.1, near);
    t.ok(tried !== undefined && far.includes(tried), `${name}: all near ones have been tried`);
  }
  t.end();
});

test('slow start: a new endpoint gets a share that grows with its age', t => {
  const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 };
  for (const policy of ['round_robin', 'random'] as const) {
    const clock = new FakeClock();
    const [old, fresh] = [endpoint('old'), endpoint('new', 0, 1, 0)];
    const share = (): number => (counts([old, fresh], policy, 4_000, { slowStart, clock })[1] ?? 0) / 4_000;
    t.ok(Math.abs(share() - 0.1 / 1.1) < 0.03, `${policy}: the least at first (${share()})`);
    clock.advance(5_000);
    t.ok(
      Math.abs(share() - 0.5 / 1.5) < 0.04,
      `${policy}: half of its weight after half of the time (${share()})`,
    );
    clock.advance(5_000);
    t.ok(Math.abs(share() - 0.5) < 0.02, `${policy}: like the other one after it (${share()})`);
  }
  t.end();
});

test('of more choices the least busy gets more of the requests', t => {
  const all = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(name => endpoint(name));
  for (const { load } of all.slice(1)) load.active = 5;
  const share = (choices: number): number => {
    const picker = pickerOf([all], undefined, { balancer: { kind: 'least_request', choices } });
    const picks = Array.from({ length: 2_000 }, (_, i) => picker.pick((i * 0.618_033) % 1, []));
    return picks.filter(picked => picked === all[0]).length / picks.length;
  };
  // Drawn with replacement: 1 - (7/8)^k.
  const [two, five] = [share(2), share(5)];
  t.ok(two > 0.2 && two < 0.3, String(two));
  t.ok(five > 0.42 && five < 0.55, String(five));
  all[0]?.load.setOut(true);
  t.equal(share(5), 0, 'who is out is not the best');
  t.end();
});

test('peak EWMA prefers who answers faster for what it has in progress', t => {
  const clock = new FakeClock();
  const [fast, slow] = [endpoint('fast'), endpoint('slow')];
  for (const { load } of [fast, slow]) load.latency = new Latency(clock, undefined);
  slow.load.latency?.observe(clock.monotonic() - 500, 200, []);
  t.same(counts([fast, slow], 'peak_ewma', 500, { clock }), [500, 0]);
  fast.load.active = 30;
  t.same(counts([fast, slow], 'peak_ewma', 500, { clock }), [0, 500], '31 times 30 ms are more than 500 ms');
  t.end();
});

test('the same random numbers make the same choices', t => {
  for (const policy of POLICIES) {
    const run = (): string[] => {
      const picker = pickerOf([['a', 'b', 'c', 'd', 'e'].map(name => endpoint(name))], policy);
      return Array.from({ length: 50 }, (_, i) => picker.pick((i * 0.37) % 1, [])?.workload.name ?? '');
    };
    t.same(run(), run(), policy ?? 'default');
  }
  t.end();
});

test('a retry that may leave the locality does, to the nearest level that has not been tried', t => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => endpoint(name));
  if (a === undefined || b === undefined || c === undefined || d === undefined)
    throw new Error('unreachable');
  const picker = pickerOf([[a, b], [c], [d]], undefined);
  t.equal(picker.pickElsewhere(0, [a]), c, 'although b is as near as a');
  t.equal(picker.pickElsewhere(0, [a, c]), d);
  t.equal(picker.pickElsewhere(0, [a, c, d]), b, 'every level has been tried: the rest of the nearest');
  c.load.setOut(true);
  t.equal(picker.pickElsewhere(0, [a]), d, 'one whose endpoints are out is passed over');
  t.equal(pickerOf([[a]], undefined).pickElsewhere(0, [a]), a, 'there is no other');
  t.equal(pickerOf([], undefined).pickElsewhere(0, []), undefined);
  t.end();
});
