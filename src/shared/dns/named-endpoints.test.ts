import { test } from 'tap';
import { quietLogger } from '../testing/quiet-logger.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { delta, endpointOf, noRoutes, service, workload } from '../testing/topology.ts';
import { MeshStore } from '../workload/mesh-store.ts';
import { serviceName } from '../workload/workload.ts';
import { NamedEndpoints } from './named-endpoints.ts';

const API = service('api');
const NAME = serviceName(API);
const named = (name: string, hostname: string) =>
  workload(name, { addresses: [], hostname, tunnelProtocol: 'none', services: endpointOf(API) });

/** A store behind names that stand for what `answers` says. */
function lab(answers: Record<string, readonly string[]>) {
  const clock = new FakeClock();
  const store = new MeshStore();
  const asked: string[] = [];
  const endpoints = new NamedEndpoints({
    clock,
    random: () => 0,
    logger: quietLogger,
    lookup: hostname => {
      asked.push(hostname);
      return Promise.resolve({ ips: answers[hostname] ?? [], ttlMs: 5_000 });
    },
    onDelta: change => store.apply(change),
  });
  const apply = async (change: Parameters<typeof delta>[0]): Promise<void> => {
    store.apply(endpoints.apply(delta(change)));
    await new Promise(done => setImmediate(done));
  };
  const pass = async (): Promise<void> => {
    clock.advance(6_000);
    await new Promise(done => setImmediate(done));
  };
  const reached = (): readonly string[] =>
    store
      .endpoints(NAME)
      .flatMap(endpoint => endpoint.workload.addresses)
      .toSorted();
  const subset = (): readonly string[] | undefined => store.routes(NAME)?.subsets[0]?.workloads;
  return { answers, apply, asked, clock, endpoints, pass, reached, store, subset };
}

test('each address of a name is an endpoint, as they come and go', async t => {
  const { answers, apply, clock, endpoints, pass, reached, store } = lab({
    'a.test': ['10.0.0.1', '10.0.0.2'],
  });
  await apply({ services: [API], workloads: [named('one', 'a.test')] });
  t.same(reached(), ['10.0.0.1', '10.0.0.2']);
  answers['a.test'] = ['10.0.0.2', '10.0.0.3'];
  await pass();
  t.same(reached(), ['10.0.0.2', '10.0.0.3']);
  answers['a.test'] = [];
  await pass();
  t.same(reached(), ['10.0.0.2', '10.0.0.3'], 'the last that were found stay');
  await apply({ removedWorkloads: [named('one', 'a.test').uid] });
  t.same(reached(), []);
  t.equal(store.toDelta().workloads.length, 0);
  t.equal(clock.pendingTimers, 0, 'nobody asks any more');
  endpoints.close();
});

test('a name of several workloads is asked for once; a known one needs no answer', async t => {
  const { apply, asked, endpoints, reached, store } = lab({ 'a.test': ['10.0.0.1'] });
  await apply({ services: [API], workloads: [named('one', 'a.test')] });
  store.apply(endpoints.apply(delta({ workloads: [named('two', 'a.test')] })));
  t.same(reached(), ['10.0.0.1', '10.0.0.1']);
  t.same(asked, ['a.test']);
  endpoints.close();
});

test('a workload that gets an address, or another name, leaves the old ones', async t => {
  const { apply, endpoints, reached } = lab({ 'a.test': ['10.0.0.1'], 'b.test': ['10.0.0.2'] });
  await apply({ services: [API], workloads: [named('one', 'a.test')] });
  await apply({ workloads: [named('one', 'b.test')] });
  t.same(reached(), ['10.0.0.2']);
  await apply({ workloads: [{ ...named('one', ''), addresses: ['10.0.0.3'] }] });
  t.same(reached(), ['10.0.0.3']);
  endpoints.close();
});

test('subsets name the addresses, whatever comes first', async t => {
  const one = named('one', 'a.test');
  const subsets = [{ name: 'v1', trafficPolicy: undefined, portPolicies: [], workloads: [one.uid, 'other'] }];
  const { answers, apply, endpoints, pass, subset } = lab({ 'a.test': ['10.0.0.1'] });
  await apply({ services: [API], routes: [noRoutes(API, { subsets })] });
  t.same(subset(), [one.uid, 'other']);
  await apply({ workloads: [one] });
  t.same(subset(), [`${one.uid}/10.0.0.1`, 'other']);
  answers['a.test'] = ['10.0.0.2'];
  await pass();
  t.same(subset(), [`${one.uid}/10.0.0.2`, 'other']);
  await apply({ routes: [noRoutes(API, { subsets })] });
  t.same(subset(), [`${one.uid}/10.0.0.2`, 'other'], 'routes that come later too');
  endpoints.close();
});

test('without names a change passes as it is', t => {
  const { endpoints } = lab({});
  const change = delta({ services: [API], workloads: [workload('pod', { addresses: ['10.0.0.1'] })] });
  t.equal(endpoints.apply(change), change);
  t.end();
});
