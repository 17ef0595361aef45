import { test } from 'tap';
import type { RetryBudgetConfig } from '#shared/route/model.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { delta, mesh, noRoutes, service, waypointOf, workload } from '#shared/testing/topology.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { ServiceDirectory } from './service-directory.ts';
import { WorkloadServices } from './workload-services.ts';

const orders = service('orders', { vip: '10.0.0.1' });
const NAME = 'default/orders.default.svc.cluster.local';
const PLACE = { network: '', clusterId: '', node: '', locality: { region: '', zone: '', subzone: '' } };

function routesWith(retryBudget: RetryBudgetConfig): ReturnType<typeof noRoutes> {
  const routes = noRoutes(orders);
  return { ...routes, trafficPolicy: { ...routes.trafficPolicy, retryBudget } };
}

function directoryOf(view: MeshView, threads: number): ServiceDirectory {
  const listener = { onEject: () => undefined, onReturn: () => undefined };
  return new ServiceDirectory({
    view,
    threads,
    clock: new FakeClock(),
    random: () => 0.5,
    place: () => PLACE,
    ejections: () => listener,
  });
}

function retriesGranted(directory: ServiceDirectory): number {
  const budget = directory.get(NAME)?.budget;
  let granted = 0;
  while (budget?.tryAcquire() === true) granted++;
  return granted;
}

test('threads share the floor of the retry budget, so that all of them together stay within it', t => {
  const view = mesh({
    services: [orders],
    routes: [routesWith({ ratio: 0, minPerSecond: 10, ttlMs: 10_000 })],
  });
  t.equal(retriesGranted(directoryOf(view, 1)), 100);
  t.equal(retriesGranted(directoryOf(view, 4)), 25);
  t.end();
});

test('a spent retry budget outlives a change of the routes, and is replaced when it is configured otherwise', t => {
  const config = { ratio: 0, minPerSecond: 1, ttlMs: 10_000 };
  const view = mesh({ services: [orders], routes: [routesWith(config)] });
  const directory = directoryOf(view, 1);
  t.equal(retriesGranted(directory), 10);
  directory.onChange(view.apply(delta({ routes: [{ ...routesWith(config), routed: true }] })));
  t.equal(retriesGranted(directory), 0);
  directory.onChange(view.apply(delta({ routes: [routesWith({ ...config, minPerSecond: 2 })] })));
  t.equal(retriesGranted(directory), 20);
  t.end();
});

test('a service that is gone is forgotten, whether anybody asked for it since its last change or not', t => {
  const config = { ratio: 0, minPerSecond: 1, ttlMs: 10_000 };
  const view = mesh({ services: [orders], routes: [routesWith(config)] });
  const directory = directoryOf(view, 1);
  t.equal(retriesGranted(directory), 10);
  directory.onChange(view.apply(delta({ routes: [{ ...routesWith(config), routed: true }] })));
  directory.onChange(view.apply(delta({ removedServices: [NAME] })));
  directory.onChange(view.apply(delta({ services: [orders] })));
  t.equal(retriesGranted(directory), 10, 'its budget is a new one');
  t.end();
});

test('of a workload, which has every port, thousands of ports leave behind no more than a bounded number', t => {
  const pod = workload('orders', { addresses: ['10.0.0.2'], waypoint: waypointOf(orders) });
  const view = mesh(new WorkloadServices(() => true).addTo(delta({ workloads: [pod] })));
  const state = directoryOf(view, 1).get(`${pod.namespace}/${pod.uid}`);
  for (let port = 1; port <= 5_000; port++) {
    state?.upstream(port, undefined);
    state?.defaultRule(port);
  }
  t.match(state?.upstream(4_999, undefined).picker.endpoints, [{ uid: pod.uid, targetPort: 4_999 }]);
  t.equal(state?.defaultRule(4_999).backends[0]?.port, 4_999);
  t.ok((state?.dump().length ?? 0) <= 1_024);
  t.end();
});
