import { test } from 'tap';
import type { KubeObject } from '../source/kube-object.ts';
import { servicesOf } from '../testing/golden-pairs.ts';
import type { RouteLookup } from '../translate/gateway-route/route-translation.ts';
import { AskedLookup } from './asked-lookup.ts';

const metadata = {
  name: 'r',
  namespace: 'shop',
  labels: {},
  annotations: {},
  creationTimestamp: '',
  generation: 1,
};
const route = (): KubeObject => ({ apiVersion: 'v1', kind: 'HTTPRoute', metadata, spec: {} });

/** A lookup whose answers can be exchanged. */
function setup(ports: Readonly<Record<string, readonly number[]>>) {
  let now = servicesOf(ports);
  const asked = new AskedLookup({
    service: (...args) => now.service(...args),
    serviceEntry: (...args) => now.serviceEntry(...args),
    serviceByHostname: (...args) => now.serviceByHostname(...args),
    servicesMatching: (...args) => now.servicesMatching(...args),
    isGranted: (...args) => now.isGranted(...args),
  });
  return { asked, become: (next: RouteLookup) => (now = next) };
}

const BEFORE = { 'shop/orders': [80], 'shop/users': [80] };
const FROM = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' };
const GRANT = { from: [FROM], to: [{ group: '', kind: 'Service', name: undefined }] };

const cases: readonly {
  readonly name: string;
  readonly ask: (lookup: RouteLookup) => unknown;
  readonly later: RouteLookup;
  readonly outdated: boolean;
}[] = [
  {
    name: 'a Service that was asked for and is as it was',
    ask: lookup => lookup.service('shop', 'orders'),
    later: servicesOf(BEFORE),
    outdated: false,
  },
  {
    name: 'a Service that was asked for and has other ports',
    ask: lookup => lookup.service('shop', 'orders'),
    later: servicesOf({ ...BEFORE, 'shop/orders': [80, 81] }),
    outdated: true,
  },
  {
    name: 'a Service that was asked for and is gone',
    ask: lookup => lookup.service('shop', 'orders'),
    later: servicesOf({ 'shop/users': [80] }),
    outdated: true,
  },
  {
    name: 'a Service that was missed and has come',
    ask: lookup => lookup.service('shop', 'late'),
    later: servicesOf({ ...BEFORE, 'shop/late': [80] }),
    outdated: true,
  },
  {
    name: 'a Service that nobody asked for',
    ask: lookup => lookup.service('shop', 'orders'),
    later: servicesOf({ ...BEFORE, 'shop/users': [99], 'shop/late': [80] }),
    outdated: false,
  },
  {
    name: 'a host name that means another Service',
    ask: lookup => lookup.serviceByHostname('orders.shop.svc.cluster.local', 'shop'),
    later: servicesOf({ 'shop/orders': [8080] }),
    outdated: true,
  },
  {
    name: 'a ServiceEntry that was missed and has come',
    ask: lookup => lookup.serviceEntry('shop', 'vendor'),
    later: servicesOf(BEFORE, [], { 'shop/vendor': ['api.vendor.test'] }),
    outdated: true,
  },
  {
    name: 'a wildcard that one Service more matches',
    ask: lookup => lookup.servicesMatching('*.shop.svc.cluster.local'),
    later: servicesOf({ ...BEFORE, 'shop/late': [80] }),
    outdated: true,
  },
  {
    name: 'a grant that was missed and has come',
    ask: lookup => lookup.isGranted(FROM, { namespace: 'stock', name: 'items' }),
    later: servicesOf(BEFORE, [GRANT]),
    outdated: true,
  },
];

for (const { name, ask, outdated, later } of cases) {
  test(`${name}: ${outdated ? 'translated again' : 'left alone'}`, async t => {
    const { asked, become } = setup(BEFORE);
    const object = route();
    asked.remembering(object, ask);
    t.notOk(asked.isOutdated(object), 'at first');
    become(later);
    t.equal(asked.isOutdated(object), outdated);
  });
}

test('the answers of the last translation count', async t => {
  const { asked, become } = setup(BEFORE);
  const object = route();
  asked.remembering(object, lookup => lookup.service('shop', 'orders'));
  become(servicesOf({ 'shop/orders': [81] }));
  t.equal(
    asked.remembering(object, lookup => lookup.service('shop', 'orders')?.ports[0]),
    81,
  );
  t.notOk(asked.isOutdated(object));
});

test('an object that was never translated is outdated', async t => {
  t.ok(setup(BEFORE).asked.isOutdated(route()));
});
