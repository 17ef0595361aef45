import { test } from 'tap';
import { delta, endpointOf, mesh, noRoutes, policy, port, service, workload } from '../testing/topology.ts';
import { MeshStore } from './mesh-store.ts';
import type { Service } from './workload.ts';

const uids = (store: MeshStore, name: string): string[] => store.endpoints(name).map(e => e.workload.name);
const nameOf = (s: Service): string => `${s.namespace}/${s.hostname}`;

test('a workload is found by uid and by address in its network', t => {
  const store = mesh({
    workloads: [workload('orders', { addresses: ['10.0.0.1', 'fd00::1'], network: 'n1' })],
  });
  t.equal(store.workload('Kubernetes//Pod/default/orders')?.name, 'orders');
  t.equal(store.workloadByAddress('n1', '10.0.0.1')?.name, 'orders');
  t.equal(store.workloadByAddress('n1', 'fd00::1')?.name, 'orders', 'by each of its addresses');
  t.equal(store.workloadByAddress('', '10.0.0.1'), undefined, 'not in another network');
  t.end();
});

test("a host-network workload is never found by its node's address", t => {
  const store = mesh({
    workloads: [workload('agent', { addresses: ['192.0.2.1'], networkMode: 'host_network' })],
  });
  t.equal(store.workloadByAddress('', '192.0.2.1'), undefined);
  t.end();
});

test('a recycled address belongs to the workload that came last, in whichever order the other goes', t => {
  const old = workload('old', { addresses: ['10.0.0.1'] });
  const store = mesh({ workloads: [old] });
  store.apply(delta({ workloads: [workload('new', { addresses: ['10.0.0.1'] })] }));
  t.equal(store.workloadByAddress('', '10.0.0.1')?.name, 'new');
  const change = store.apply(delta({ removedWorkloads: [old.uid] }));
  t.equal(store.workloadByAddress('', '10.0.0.1')?.name, 'new');
  t.strictSame(change.evictedWorkloads, [old.uid], 'pooled sessions to the old one must go');
  t.end();
});

test("a pod's address is the pod's, whoever else has it written down, in whichever order they come", t => {
  const pod = workload('pod', { addresses: ['10.0.0.1'] });
  const others = [
    'c/networking.istio.io/WorkloadEntry/evil/Pod',
    'c/networking.istio.io/ServiceEntry/evil/e/0',
    'c/discovery.k8s.io/EndpointSlice/evil/s/10.0.0.1',
  ].map(uid => workload('entry', { uid, namespace: 'evil', addresses: ['10.0.0.1'] }));
  for (const other of others) {
    for (const workloads of [
      [pod, other],
      [other, pod],
    ]) {
      t.equal(mesh({ workloads }).workloadByAddress('', '10.0.0.1')?.name, 'pod', other.uid);
    }
    t.equal(mesh({ workloads: [other] }).workloadByAddress('', '10.0.0.1')?.name, 'entry');
  }
  t.end();
});

test('an update moves every index', t => {
  const a = service('a', { vip: '10.96.0.1' });
  const b = service('b', { vip: '10.96.0.2' });
  const store = mesh({
    services: [a, b],
    workloads: [workload('pod', { addresses: ['10.0.0.1'], services: endpointOf(a) })],
  });
  const change = store.apply(
    delta({ workloads: [workload('pod', { addresses: ['10.0.0.2'], services: endpointOf(b) })] }),
  );
  t.equal(store.workloadByAddress('', '10.0.0.1'), undefined);
  t.equal(store.workloadByAddress('', '10.0.0.2')?.name, 'pod');
  t.strictSame(uids(store, nameOf(a)), []);
  t.strictSame(uids(store, nameOf(b)), ['pod']);
  t.strictSame([...change.changedServices].sort(), [nameOf(a), nameOf(b)]);
  t.strictSame(change.evictedWorkloads, ['Kubernetes//Pod/default/pod'], 'its address is another');
  t.end();
});

test('a change that leaves address, identity and protocol alone evicts nothing', t => {
  const store = mesh({ workloads: [workload('pod', { addresses: ['10.0.0.1'] })] });
  const change = store.apply(
    delta({ workloads: [workload('pod', { addresses: ['10.0.0.1'], status: 'unhealthy' })] }),
  );
  t.strictSame(change.evictedWorkloads, []);
  const renamed = store.apply(
    delta({ workloads: [workload('pod', { addresses: ['10.0.0.1'], serviceAccount: 'other' })] }),
  );
  t.equal(renamed.evictedWorkloads.length, 1, 'another service account is another peer');
  t.end();
});

test('endpoints are in a stable order, and the same array while nothing changed', t => {
  const s = service('s');
  const pod = (name: string) => workload(name, { services: endpointOf(s) });
  const store = mesh({ workloads: [pod('c'), pod('a'), pod('b')] });
  t.strictSame(uids(store, nameOf(s)), ['a', 'b', 'c']);
  const before = store.endpoints(nameOf(s));
  store.apply(delta({ workloads: [workload('unrelated')] }));
  t.equal(store.endpoints(nameOf(s)), before);
  store.apply(delta({ removedWorkloads: ['Kubernetes//Pod/default/b'] }));
  t.strictSame(uids(store, nameOf(s)), ['a', 'c']);
  t.strictSame(store.endpoints('default/nothing'), [], 'an unknown service has none');
  t.end();
});

test('a service is found by VIP: exact first, then the longest prefix', t => {
  const cidr = (name: string, ip: string, prefixLength: number) =>
    service(name, { addresses: [{ network: '', ip, prefixLength }] });
  const store = mesh({
    services: [
      cidr('wide', '10.0.0.0', 8),
      cidr('narrow', '10.1.0.0', 16),
      service('exact', { vip: '10.1.0.1' }),
    ],
  });
  t.equal(store.serviceByAddress('', '10.1.0.1')?.name, 'exact');
  t.equal(store.serviceByAddress('', '10.1.0.2')?.name, 'narrow');
  t.equal(store.serviceByAddress('', '10.2.0.1')?.name, 'wide');
  t.equal(store.serviceByAddress('', '192.0.2.1'), undefined);
  t.equal(store.serviceByAddress('other', '10.1.0.1'), undefined, 'not in another network');
  store.apply(delta({ removedServices: ['default/narrow.default.svc.cluster.local'] }));
  t.equal(store.serviceByAddress('', '10.1.0.2')?.name, 'wide', 'a removed prefix is gone');
  t.end();
});

test("a host name means the caller's namespace first, then the canonical service, then the first by name", t => {
  const host = { hostname: 'api.example.com' };
  const store = mesh({
    services: [
      service('a', { ...host, namespace: 'b-ns', canonical: false }),
      service('a', { ...host, namespace: 'a-ns', canonical: false }),
      service('a', { ...host, namespace: 'c-ns', canonical: true }),
    ],
  });
  t.equal(store.serviceByHostname(host.hostname, 'b-ns')?.namespace, 'b-ns');
  t.equal(store.serviceByHostname(host.hostname, 'else')?.namespace, 'c-ns');
  store.apply(delta({ removedServices: [`c-ns/${host.hostname}`] }));
  t.equal(store.serviceByHostname(host.hostname, 'else')?.namespace, 'a-ns');
  t.equal(store.serviceByHostname('nothing', 'else'), undefined);
  t.end();
});

test("the policies of a workload: global, its namespace's, and those that select it", t => {
  const pod = workload('pod', {
    authorizationPolicies: ['default/selected', 'default/unknown', 'default/spaced'],
  });
  const store = mesh({
    workloads: [pod],
    policies: [
      policy('everywhere', 'deny', [], { scope: 'global', namespace: 'root' }),
      policy('spaced', 'allow', [], { scope: 'namespace' }),
      policy('elsewhere', 'allow', [], { scope: 'namespace', namespace: 'other' }),
      policy('selected', 'allow', []),
      policy('unselected', 'allow', []),
    ],
  });
  t.strictSame(
    store.policiesFor(pod).map(p => p.name),
    ['selected', 'spaced', 'everywhere'],
  );
  const before = store.policiesFor(pod);
  store.apply(
    delta({ policies: [policy('elsewhere', 'deny', [], { scope: 'namespace', namespace: 'other' })] }),
  );
  t.equal(store.policiesFor(pod), before, 'the same array while the same policies apply');
  store.apply(delta({ removedPolicies: ['default/selected'] }));
  t.strictSame(
    store.policiesFor(pod).map(p => p.name),
    ['spaced', 'everywhere'],
  );
  t.end();
});

test("policyVersion grows exactly when somebody's policies may differ", t => {
  const store = mesh({ workloads: [workload('pod')] });
  const grows = (fields: Parameters<typeof delta>[0]): boolean => {
    const before = store.policyVersion;
    const change = store.apply(delta(fields));
    t.equal(change.policyChanged, store.policyVersion > before, 'the change says the same');
    return store.policyVersion > before;
  };
  t.notOk(grows({ workloads: [workload('other')] }), 'not for a workload that no policy selects');
  t.ok(grows({ policies: [policy('p', 'deny', [{}])] }), 'for a policy');
  t.ok(grows({ workloads: [workload('pod', { authorizationPolicies: ['default/p'] })] }), 'for a selection');
  t.notOk(
    grows({ workloads: [workload('pod', { authorizationPolicies: ['default/p'], status: 'unhealthy' })] }),
    'not for an update that selects the same',
  );
  t.ok(grows({ removedPolicies: ['default/p'] }), 'for a removed policy');
  t.notOk(grows({ removedPolicies: ['default/p'] }), 'not for the removal of what is not there');
  t.end();
});

test('a store made from the dump of another answers the same', t => {
  const s = service('s', { vip: '10.96.0.1', ports: [port(80, 8080)] });
  const store = mesh({
    services: [s],
    workloads: [workload('pod', { addresses: ['10.0.0.1'], services: endpointOf(s) })],
    policies: [policy('p', 'deny', [], { scope: 'namespace' })],
    routes: [noRoutes(s)],
  });
  const copy = new MeshStore();
  copy.apply(structuredClone(store.toDelta()));
  t.strictSame(copy.toDelta(), store.toDelta());
  t.strictSame(uids(copy, nameOf(s)), ['pod'], 'endpoints too');
  t.strictSame(copy.routes(nameOf(s)), store.routes(nameOf(s)));
  t.end();
});

test('a service by the nearest wildcard its host name is under', t => {
  const wildcard = (hostname: string, namespace = 'default'): Service =>
    service('w', { hostname, namespace });
  const store = mesh({
    services: [wildcard('*.b.test', 'b-ns'), wildcard('*.a.b.test'), wildcard('*.b.test', 'a-ns')],
  });
  const found = (name: string, namespace = 'b-ns'): string | undefined => {
    const one = store.serviceByWildcard(name, namespace);
    return one && nameOf(one);
  };
  t.equal(found('x.a.b.test'), 'default/*.a.b.test');
  t.equal(found('x.y.b.test'), 'b-ns/*.b.test', 'over several labels');
  t.equal(found('x.b.test', 'else'), 'a-ns/*.b.test');
  t.equal(found('b.test'), undefined, 'the domain itself is not');
  t.equal(found('.b.test'), undefined);
  t.equal(found('x.c.test'), undefined);
  store.apply(delta({ removedServices: ['default/*.a.b.test'] }));
  t.equal(found('x.a.b.test'), 'b-ns/*.b.test');
  t.end();
});
