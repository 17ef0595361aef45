import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { test } from 'tap';
import { delta, endpointOf, mesh, policy, service, workload } from '../testing/topology.ts';
import { DeltaMerger } from './merge-deltas.ts';
import { MeshStore } from './mesh-store.ts';
import type { MeshDelta } from './mesh-view.ts';

const budgetMs = Number(process.env['FUZZ_SECONDS'] ?? '1') * 500;
const run = {
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: budgetMs,
  markInterruptAsFailure: false,
};
const name = fc.constantFrom('a', 'b', 'c', 'd');
const ip = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3');
const subset = fc.uniqueArray(name, { maxLength: 3 });

const workloads = fc.array(
  fc.tuple(name, ip, name).map(([n, address, of]) =>
    workload(n, {
      addresses: [address],
      services: endpointOf(service(of)),
      authorizationPolicies: [`default/${of}`],
    }),
  ),
  { maxLength: 3 },
);
const services = fc.array(
  fc.tuple(name, ip, fc.nat(32)).map(([n, address, length]) =>
    service(n, {
      addresses: [{ network: '', ip: address, prefixLength: length === 32 ? undefined : length }],
    }),
  ),
  { maxLength: 3 },
);
const policies = fc.array(
  fc
    .tuple(name, fc.constantFrom('global' as const, 'namespace' as const, 'workload_selector' as const))
    .map(([n, scope]) => policy(n, 'deny', [{}], { scope })),
  { maxLength: 3 },
);
const anyDelta: fc.Arbitrary<MeshDelta> = fc
  .record({
    workloads,
    services,
    policies,
    goneWorkloads: subset,
    goneServices: subset,
    gonePolicies: subset,
  })
  .map(d =>
    delta({
      workloads: d.workloads,
      services: d.services,
      policies: d.policies,
      removedWorkloads: d.goneWorkloads.map(n => workload(n).uid),
      removedServices: d.goneServices.map(n => `default/${service(n).hostname}`),
      removedPolicies: d.gonePolicies.map(n => `default/${n}`),
    }),
  );

/** What a store answers, without the order it learnt things in. */
function answers(store: MeshStore): unknown {
  const all = store.toDelta();
  const names = (list: readonly { name: string }[]) => list.map(item => item.name).sort();
  return {
    workloads: names(all.workloads),
    services: names(all.services),
    policies: names(all.policies),
    endpoints: ['a', 'b', 'c', 'd'].map(n =>
      store.endpoints(`default/${service(n).hostname}`).map(e => [e.workload.name, e.workload.addresses]),
    ),
    vips: ['10.0.0.1', '10.0.0.2', '10.255.0.1'].map(address => store.serviceByAddress('', address)?.name),
    applied: all.workloads
      .map(w => [w.name, store.policiesFor(w).map(p => [p.name, p.scope])])
      .map(String)
      .sort(),
    byAddress: ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(
      address => store.workloadByAddress('', address)?.name,
    ),
  };
}

test('a merged delta leads to the same mesh as the deltas one by one', t => {
  fc.assert(
    fc.property(fc.array(anyDelta, { maxLength: 8 }), deltas => {
      const merger = new DeltaMerger();
      const stepwise = new MeshStore();
      for (const d of deltas) {
        stepwise.apply(d);
        merger.add(d);
      }
      const merged = mesh(merger.take());
      if (!merger.empty) throw new Error('something is still held');
      return isDeepStrictEqual(answers(merged), answers(stepwise));
    }),
    run,
  );
  t.end();
});

test('a store after any deltas answers as one made from its own dump', t => {
  fc.assert(
    fc.property(fc.array(anyDelta, { maxLength: 8 }), deltas => {
      const store = new MeshStore();
      for (const d of deltas) store.apply(d);
      return isDeepStrictEqual(answers(mesh(store.toDelta())), answers(store));
    }),
    run,
  );
  t.end();
});
