/**
 * `node e2e/bench/pick.ts`: what one choice of an endpoint costs, by algorithm and number of endpoints, whether it leaves
 * garbage, and what making a balancer costs when the mesh has changed. For docs/performance.md; nothing is asserted.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { systemClock } from '../../src/shared/lifecycle/clock.ts';
import type { LoadBalancer } from '../../src/shared/route/traffic-policy.ts';
import { workload } from '../../src/shared/testing/topology.ts';
import { type BalancedEndpoint, EndpointLoad } from '../../src/waypoint/balance/endpoint.ts';
import { Latency } from '../../src/waypoint/balance/latency.ts';
import { makePicker, type Picker } from '../../src/waypoint/balance/picker.ts';

const PICKS = 2_000_000;
const BALANCERS: readonly LoadBalancer[] = [
  { kind: 'round_robin' },
  { kind: 'random' },
  { kind: 'least_request', choices: undefined },
  { kind: 'peak_ewma', penalty: undefined },
  { kind: 'ring_hash', minRingSize: 1024, maxRingSize: undefined, hash: [] },
  { kind: 'maglev', tableSize: 65_537, hash: [] },
];

function endpoints(count: number): BalancedEndpoint[] {
  return Array.from({ length: count }, (_, i) => {
    const w = workload(`pod-${i}`);
    const load = new EndpointLoad();
    load.latency = new Latency(systemClock, undefined);
    return { uid: w.uid, workload: w, targetPort: 8080, load };
  });
}

function make(list: readonly BalancedEndpoint[], balancer: LoadBalancer): Picker {
  return makePicker([[{ weight: 1, endpoints: list }]], {
    balancer,
    slowStart: undefined,
    cursor: { turn: 0 },
    clock: systemClock,
    panicBelow: 0,
    panicWhenNone: true,
  });
}

const NONE: readonly BalancedEndpoint[] = [];

function pickAll(picker: Picker): number {
  let found = 0;
  for (let i = 0; i < PICKS; i++) {
    const random = Math.random();
    if (picker.pick(random, NONE, (random * 2 ** 32) >>> 0) !== undefined) found++;
  }
  return found;
}

/** Collections of the young generation: what is allocated ends in one of them. */
let collections = 0;
new PerformanceObserver(list => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

interface Cost {
  readonly ns: number;
  /** Per million picks. */
  readonly collections: number;
}

/** CPU time, so that what else runs on the machine counts little. */
async function measure(picker: Picker): Promise<Cost> {
  pickAll(picker);
  await new Promise(resolve => setImmediate(resolve));
  const [before, cpu] = [collections, process.cpuUsage()];
  pickAll(picker);
  const { system, user } = process.cpuUsage(cpu);
  await new Promise(resolve => setImmediate(resolve));
  return { ns: ((user + system) * 1_000) / PICKS, collections: ((collections - before) * 1e6) / PICKS };
}

function report(name: string, { ns, collections: gc }: Cost, madeMs = 0): void {
  const columns = [ns.toFixed(0).padStart(6), gc.toFixed(1).padStart(6), madeMs.toFixed(1).padStart(8)];
  console.log(`${name.padEnd(28)}${columns.join('  ')}`);
}

console.log(`${''.padEnd(28)}${['    ns', 'gc/1e6', ' ms made'].join('  ')}`);
const [first] = endpoints(1);
report(
  'nothing but the loop',
  await measure({ endpoints: [], pick: () => first, pickElsewhere: () => first }),
);
for (const count of [10, 1_000, 10_000]) {
  const list = endpoints(count);
  for (const balancer of BALANCERS) {
    make(list, balancer);
    const cpu = process.cpuUsage();
    const picker = make(list, balancer);
    const { system, user } = process.cpuUsage(cpu);
    report(`${balancer.kind}, ${count} endpoints`, await measure(picker), (user + system) / 1_000);
  }
}
