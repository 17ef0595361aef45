/**
 * `node --expose-gc e2e/bench/pick.ts`: what one choice of an endpoint costs, by algorithm and number of endpoints, what it
 * allocates, and what making a balancer costs when the mesh has changed. For docs/performance.md; nothing is asserted.
 */
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
  { kind: 'least_request' },
  { kind: 'peak_ewma' },
  { kind: 'ring_hash', minRingSize: 1024, hash: [] },
  { kind: 'maglev', tableSize: 65_537, hash: [] },
];

function endpoints(count: number): BalancedEndpoint[] {
  return Array.from({ length: count }, (_, i) => {
    const w = workload(`pod-${i}`);
    const load = new EndpointLoad();
    load.latency = new Latency(systemClock);
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

for (const count of [10, 10_000]) {
  const list = endpoints(count);
  for (const balancer of BALANCERS) {
    make(list, balancer);
    const before = performance.now();
    const picker = make(list, balancer);
    const madeMs = performance.now() - before;
    pickAll(picker);
    globalThis.gc?.();
    const heap = process.memoryUsage().heapUsed;
    const start = performance.now();
    pickAll(picker);
    const ns = ((performance.now() - start) * 1e6) / PICKS;
    const bytes = Math.max(0, process.memoryUsage().heapUsed - heap) / PICKS;
    console.log(
      `${String(count).padStart(6)} endpoints  ${balancer.kind.padEnd(14)} ${ns.toFixed(0).padStart(5)} ns a pick  ${bytes.toFixed(2).padStart(6)} bytes a pick  ${madeMs.toFixed(2).padStart(8)} ms to make`,
    );
  }
}
