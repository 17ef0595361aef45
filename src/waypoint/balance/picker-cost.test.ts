import { test } from 'tap';
import type { LoadBalancer } from '#shared/route/traffic-policy.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { workload } from '#shared/testing/topology.ts';
import { type BalancedEndpoint, EndpointLoad } from './endpoint.ts';
import { Latency } from './latency.ts';
import { makePicker, type Picker } from './picker.ts';

/** Logarithms of 10,000 are 14; several looks at each step are still of that order. */
const MANY = 10_000;
const MAX_LOOKS = 200;
const PICKS = 50_000;

const REPORTS = { stabilizationMs: 0, expirationMs: 180_000, updateMs: 1_000, errorPenalty: 0, metrics: [] };

const BALANCERS: readonly LoadBalancer[] = [
  { kind: 'round_robin' },
  { kind: 'random' },
  { kind: 'passthrough' },
  { kind: 'least_request', choices: undefined },
  { kind: 'least_request', choices: 5 },
  { kind: 'peak_ewma', penalty: undefined },
  { kind: 'backend_utilization', reports: REPORTS },
  { kind: 'ring_hash', minRingSize: 1024, maxRingSize: undefined, hash: [] },
  { kind: 'maglev', tableSize: 65_537, hash: [] },
];

let looks = 0;

class WatchedLoad extends EndpointLoad {
  override get out(): boolean {
    looks++;
    return super.out;
  }
}

function endpoints(clock: FakeClock, make: () => EndpointLoad): BalancedEndpoint[] {
  return Array.from({ length: MANY }, (_, i) => {
    const w = workload(`pod-${i}`);
    const load = make();
    load.latency = new Latency(clock, undefined);
    return { uid: w.uid, workload: w, targetPort: 8080, load };
  });
}

function pickerOf(clock: FakeClock, all: readonly BalancedEndpoint[], balancer: LoadBalancer): Picker {
  return makePicker([[{ weight: 1, endpoints: all }]], {
    balancer,
    slowStart: undefined,
    cursor: { turn: 0 },
    clock,
    panicBelow: 0,
    panicWhenNone: true,
  });
}

const NONE: readonly BalancedEndpoint[] = [];

/** @returns how many found one */
function pickMany(picker: Picker, picks: number): number {
  let found = 0;
  let seed = 42;
  for (let i = 0; i < picks; i++) {
    seed = (seed * 48_271) % 2_147_483_647;
    if (picker.pick(seed / 2_147_483_647, NONE, seed) !== undefined) found++;
  }
  return found;
}

const OUT: readonly (readonly [string, (i: number) => boolean])[] = [
  ['nobody is out', () => false],
  ['every other one is out', i => i % 2 === 0],
  ['all but one are out', i => i !== 7_654],
];

for (const [what, isOut] of OUT) {
  test(`a choice among 10,000 looks at few of them while ${what}`, t => {
    for (const balancer of BALANCERS) {
      const clock = new FakeClock();
      const all = endpoints(clock, () => new WatchedLoad());
      const picker = pickerOf(clock, all, balancer);
      for (const [i, { load }] of all.entries()) load.setOut(isOut(i));
      pickMany(picker, 100);
      looks = 0;
      t.equal(pickMany(picker, 200), 200, `${balancer.kind}: each finds one`);
      t.ok(looks / 200 <= MAX_LOOKS, `${balancer.kind}: ${looks / 200} looks for a choice`);
    }
    t.end();
  });
}

/** @returns bytes for a call: few of several results, since the compiler and others allocate as well. */
function garbageOf(picker: Picker): number {
  const grown: number[] = [];
  for (let i = 0; i < 20; i++) {
    const before = process.memoryUsage().heapUsed;
    pickMany(picker, PICKS);
    const bytes = process.memoryUsage().heapUsed - before;
    // Less than nothing: a collection came between.
    if (bytes >= 0) grown.push(bytes / PICKS);
  }
  grown.sort((x, y) => x - y);
  return grown[Math.floor(grown.length / 4)] ?? Number.POSITIVE_INFINITY;
}

test('a choice leaves no garbage', t => {
  const clock = new FakeClock();
  const all = endpoints(clock, () => new EndpointLoad());
  const [first] = all;
  // The random number itself, where the call is not inlined.
  const ofTheCall = garbageOf({ endpoints: [], pick: () => first, pickElsewhere: () => first });
  const kept: object[] = [];
  const wasteful = { endpoints: [], pick: () => void (kept[0] = { first }), pickElsewhere: () => first };
  t.ok(garbageOf(wasteful) > ofTheCall + 8, 'garbage is seen');
  for (const balancer of BALANCERS) {
    const bytes = garbageOf(pickerOf(clock, all, balancer));
    t.ok(bytes < Math.max(ofTheCall, 16) + 1, `${balancer.kind}: ${bytes.toFixed(2)} bytes for a choice`);
  }
  t.end();
});
