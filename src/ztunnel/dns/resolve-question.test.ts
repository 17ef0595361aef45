import { test } from 'tap';
import { endpointOf, mesh, service, workload } from '#shared/testing/topology.ts';
import type { Service } from '#shared/workload/workload.ts';
import { resolveQuestion, type Resolution, type ResolveOptions } from './resolve-question.ts';
import { TYPES } from './testing/messages.ts';

const at = (...ips: string[]): Service['addresses'] =>
  ips.map(ip => ({ network: '', ip, prefixLength: undefined }));

/** A host of a ServiceEntry. */
function entry(hostname: string, fields: Partial<Service> = {}): Service {
  return service(hostname, { hostname, canonical: false, ...fields });
}

const orders = service('orders', { namespace: 'shop', vip: '10.96.0.1' });
const headless = service('db', { namespace: 'shop' });
const publishing = service('early', {
  namespace: 'shop',
  loadBalancing: { routingPreference: [], mode: 'unspecified', healthPolicy: 'allow_all' },
});
const NONE = { routingPreference: [], mode: 'passthrough', healthPolicy: 'only_healthy' } as const;
const source = workload('client', { namespace: 'shop', addresses: ['10.77.0.1', 'fd77::1'] });
const VIEW = mesh({
  workloads: [
    source,
    workload('db-0', {
      namespace: 'shop',
      addresses: ['10.0.0.1', 'fd00::1'],
      services: endpointOf(headless),
    }),
    workload('db-1', {
      namespace: 'shop',
      addresses: ['10.0.0.2'],
      services: endpointOf(headless, publishing),
      status: 'unhealthy',
    }),
    workload('db-2', { namespace: 'shop', addresses: ['10.0.0.3'], services: endpointOf(headless) }),
    workload('db-3', {
      namespace: 'shop',
      addresses: ['10.0.0.4'],
      services: endpointOf(headless),
      network: 'far',
    }),
  ],
  services: [
    orders,
    headless,
    publishing,
    service('empty', { namespace: 'shop' }),
    service('dual', { namespace: 'shop', addresses: at('10.96.0.2', 'fd96::2') }),
    service('far', {
      namespace: 'shop',
      addresses: [{ network: 'far', ip: '10.96.0.9', prefixLength: undefined }],
    }),
    entry('api.test', { namespace: 'shop', addresses: at('240.240.0.1', '2001:2::1') }),
    entry('*.wild.test', { addresses: at('240.240.0.2') }),
    entry('one.wild.test', { addresses: at('240.240.0.3') }),
    entry('*.deep.wild.test', { addresses: at('240.240.0.4') }),
    entry('hidden.test', { namespace: 'other', visibility: 'namespace', addresses: at('240.240.0.5') }),
    entry('told.test', { namespace: 'other', visibility: ['shop'], addresses: at('240.240.0.6') }),
    entry('twice.test', { namespace: 'other', addresses: at('240.240.0.7') }),
    entry('twice.test', { namespace: 'shop', addresses: at('240.240.0.8') }),
    entry('real.test', { addresses: at('203.0.113.1'), loadBalancing: NONE }),
    entry('nowhere.test'),
    entry('range.test', { addresses: [{ network: '', ip: '203.0.113.0', prefixLength: 24 }] }),
    entry('shared.shop.svc.cluster.local', { namespace: 'shop', addresses: at('240.240.0.9') }),
    entry('short', { namespace: 'shop', addresses: at('240.240.0.10') }),
    entry('*.shop.svc.cluster.local', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('alias.shop.svc.cluster.local', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('stub.other.svc.cluster.local', { namespace: 'other', addresses: at('240.240.0.12') }),
    entry('*.shop', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('*.svc', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('db-0.db.shop', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('db-0.db', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('orders.shop', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('orders', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('orders.shop.svc.cluster.local', { namespace: 'thief', addresses: at('240.240.0.66') }),
    entry('db.shop', { namespace: 'shop', addresses: at('240.240.0.11') }),
  ],
});

function ask(name: string | undefined, type: number = TYPES.A, from = source, dnsClass = 1): Resolution {
  const question = { name, type, class: dnsClass, end: 0, edns: undefined };
  return resolveQuestion(VIEW, from, question, options());
}

function options({ clusterDomain = 'cluster.local', random = 0 } = {}): ResolveOptions {
  return { clusterDomain, random: () => random, isCurrent: () => true };
}

const known = (...ips: string[]): Resolution => ({ kind: 'known', alias: undefined, ips });
const alias = (name: string, ...ips: string[]): Resolution => ({ kind: 'known', alias: name, ips });

for (const [sentence, name, type, expected] of [
  ['a Service has its VIP', 'orders.shop.svc.cluster.local', TYPES.A, known('10.96.0.1')],
  [
    'without an address of the family the answer is empty',
    'orders.shop.svc.cluster.local',
    TYPES.AAAA,
    known(),
  ],
  ['a Service of two families has both', 'dual.shop.svc.cluster.local', TYPES.AAAA, known('fd96::2')],
  [
    'a headless Service has its ready endpoints',
    'db.shop.svc.cluster.local',
    TYPES.A,
    known('10.0.0.1', '10.0.0.3'),
  ],
  ['of either family', 'db.shop.svc.cluster.local', TYPES.AAAA, known('fd00::1')],
  [
    'and those that are not ready, where it publishes them',
    'early.shop.svc.cluster.local',
    TYPES.A,
    known('10.0.0.2'),
  ],
  ['a host of a ServiceEntry has its address', 'api.test', TYPES.A, known('240.240.0.1')],
  ['of either family, too', 'api.test', TYPES.AAAA, known('2001:2::1')],
  ['hints of addresses are none', 'api.test', TYPES.HTTPS, known()],
  ['of either type', 'api.test', TYPES.SVCB, known()],
  [
    'with the first search domain it is an alias',
    'api.test.shop.svc.cluster.local',
    TYPES.A,
    alias('api.test', '240.240.0.1'),
  ],
  ['with the second', 'api.test.svc.cluster.local', TYPES.A, alias('api.test', '240.240.0.1')],
  ['with the third', 'api.test.cluster.local', TYPES.A, alias('api.test', '240.240.0.1')],
  ['a host of one label as well', 'short.shop.svc.cluster.local', TYPES.A, alias('short', '240.240.0.10')],
  ['a name below a wildcard has its address', 'any.wild.test', TYPES.A, known('240.240.0.2')],
  ['over several labels', 'x.y.wild.test', TYPES.A, known('240.240.0.2')],
  ['who is named goes before', 'one.wild.test', TYPES.A, known('240.240.0.3')],
  ['and the nearest wildcard before a farther one', 'x.deep.wild.test', TYPES.A, known('240.240.0.4')],
  [
    "with a search domain, of another namespace's entry",
    'any.wild.test.shop.svc.cluster.local',
    TYPES.A,
    alias('any.wild.test', '240.240.0.2'),
  ],
  ['with the last one', 'any.wild.test.cluster.local', TYPES.A, alias('any.wild.test', '240.240.0.2')],
  ['what is exported to the namespace is known', 'told.test', TYPES.A, known('240.240.0.6')],
  ['of two, that of the own namespace', 'twice.test', TYPES.A, known('240.240.0.8')],
  [
    "a name of the cluster that is in the entry's namespace",
    'stub.other.svc.cluster.local',
    TYPES.A,
    known('240.240.0.12'),
  ],
  ['one of the own namespace may be named so', 'db.shop', TYPES.A, known('240.240.0.11')],
  [
    'a name of the cluster that a ServiceEntry has',
    'shared.shop.svc.cluster.local',
    TYPES.A,
    known('240.240.0.9'),
  ],
] as const) {
  test(sentence, async t => t.same(ask(name, type), expected));
}

for (const [sentence, name, type] of [
  ['a name that is not known', 'far.example', TYPES.A],
  ['the domain of a wildcard itself', 'wild.test', TYPES.A],
  ['a host that is not exported to the namespace', 'hidden.test', TYPES.A],
  ['a host without addresses', 'nowhere.test', TYPES.A],
  ['a host of resolution NONE, which is reached where it is', 'real.test', TYPES.A],
  ['a host that is a range', 'range.test', TYPES.A],
  ['a Service of another network alone', 'far.shop.svc.cluster.local', TYPES.A],
  ['a headless Service without ready endpoints', 'empty.shop.svc.cluster.local', TYPES.A],
  [
    'a pod of a headless Service that it is not known to be called so',
    'db-0.db.shop.svc.cluster.local',
    TYPES.A,
  ],
  ['a short name without its search domain', 'orders', TYPES.A],
  ['with another namespace as its search domain', 'orders.other.svc.cluster.local', TYPES.A],
  ['a search domain and nothing else', 'shop.svc.cluster.local', TYPES.A],
  ['the root', '', TYPES.A],
  ['a name of other bytes', undefined, TYPES.A],
  ['an entry of another namespace that is named as a Service is for short', 'orders.shop', TYPES.A],
  [
    'and with a search domain before the one that leads to the Service',
    'orders.shop.shop.svc.cluster.local',
    TYPES.A,
  ],
  [
    "by a name that may be a pod's, an entry of another namespace",
    'any.wild.test.svc.cluster.local',
    TYPES.A,
  ],
  [
    'a name of nobody with a search domain, though a wildcard of another namespace is of that domain',
    'www.far.example.shop.svc.cluster.local',
    TYPES.A,
  ],
  ["a name of the cluster in a namespace that is not the entry's", 'alias.shop.svc.cluster.local', TYPES.A],
  ['SRV', 'orders.shop.svc.cluster.local', TYPES.SRV],
  ['TXT', 'api.test', TYPES.TXT],
  ['ANY', 'api.test', TYPES.ANY],
] as const) {
  test(`forwarded: ${sentence}`, async t => t.match(ask(name, type), { kind: 'forward' }));
}

test('another class is forwarded', async t => {
  t.match(ask('api.test', TYPES.A, source, 3), { kind: 'forward' });
});

test('a pod is told no address of a family that it has no way to', async t => {
  const v4 = workload('v4', { namespace: 'shop', addresses: ['10.77.0.2'] });
  const v6 = workload('v6', { namespace: 'shop', addresses: ['fd77::2'] });
  t.same(ask('api.test', TYPES.AAAA, v4), known());
  t.same(ask('api.test', TYPES.A, v6), known());
  const unknown = workload('new', { namespace: 'shop', addresses: [] });
  t.same(ask('api.test', TYPES.AAAA, unknown), known('2001:2::1'), 'as long as its own are known');
});

test('endpoints of a headless Service take turns in coming first', async t => {
  const question = { name: 'db.shop.svc.cluster.local', type: TYPES.A, class: 1, end: 0, edns: undefined };
  const told = (random: number): Resolution => resolveQuestion(VIEW, source, question, options({ random }));
  t.same(told(0.99), known('10.0.0.3', '10.0.0.1'));
});

test("another cluster's domain", async t => {
  const question = {
    name: 'api.test.shop.svc.other.local',
    type: TYPES.A,
    class: 1,
    end: 0,
    edns: undefined,
  };
  t.same(
    resolveQuestion(VIEW, source, question, options({ clusterDomain: 'other.local' })),
    alias('api.test', '240.240.0.1'),
  );
});
