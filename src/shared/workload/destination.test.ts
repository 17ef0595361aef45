import { test } from 'tap';
import { mesh, service, workload } from '../testing/topology.ts';
import { type Destination, resolveAddress, resolveHostname } from './destination.ts';
import type { Visibility } from './visibility.ts';
import type { NetworkAddress, Service } from './workload.ts';

const HOST = 'api.example';
const VIP = '240.240.0.1';

const address = (ip: string, prefixLength?: number): NetworkAddress => ({ network: '', ip, prefixLength });

/** A host of a ServiceEntry. */
function entry(namespace: string, visibility: Visibility, fields: Partial<Service> = {}): Service {
  return service('api', {
    namespace,
    hostname: HOST,
    canonical: false,
    addresses: [address(VIP)],
    visibility,
    ...fields,
  });
}

const WILD = { hostname: '*.example' };
const NEAR = { hostname: '*.b.example' };
const RANGE = { addresses: [address('240.240.0.0', 16)] };
const NARROW = { addresses: [address('240.240.0.0', 24)] };

interface Row {
  /** Of the name that is asked for. */
  readonly host?: string;
  readonly services: readonly Service[];
  /** Namespaces of clients → that of the service each finds. */
  readonly found: Readonly<Record<string, string | undefined>>;
}

const ROWS: readonly (readonly [string, Row])[] = [
  ['public: everywhere', { services: [entry('a', 'public')], found: { a: 'a', b: 'a' } }],
  ['in its own namespace', { services: [entry('a', 'namespace')], found: { a: 'a', b: undefined } }],
  [
    'in some, its own not among them',
    { services: [entry('a', ['b', 'c'])], found: { a: undefined, b: 'a', c: 'a', d: undefined } },
  ],
  ['in none', { services: [entry('a', ['~'])], found: { a: undefined, b: undefined } }],
  [
    'two of one name and address, for different namespaces',
    { services: [entry('a', ['x']), entry('b', ['y'])], found: { x: 'a', y: 'b', z: undefined } },
  ],
  [
    'one that is hidden hides no other',
    { services: [entry('a', 'namespace'), entry('b', 'public')], found: { a: 'a', c: 'b' } },
  ],
  [
    'of several that are known its own',
    { services: [entry('a', 'public'), entry('b', ['b', 'c'])], found: { b: 'b', c: 'a' } },
  ],
  [
    'the nearest wildcard that is known, the narrowest range that is known',
    {
      host: `one.${HOST}`,
      services: [
        entry('a', 'public', { ...WILD, ...RANGE }),
        entry('b', ['x'], { hostname: '*.api.example', ...NARROW }),
      ],
      found: { x: 'b', y: 'a' },
    },
  ],
];

const OF_ADDRESSES: typeof ROWS = [
  [
    'of several of one range its own',
    { services: [entry('a', 'public', RANGE), entry('b', 'public', RANGE)], found: { b: 'b', c: 'a' } },
  ],
  [
    'a range takes the place of an address that is hidden',
    { services: [entry('a', 'public', RANGE), entry('b', 'namespace')], found: { b: 'b', c: 'a' } },
  ],
];

test('by its address a service is found where it is known', t => {
  for (const [name, { found, services }] of [...ROWS, ...OF_ADDRESSES]) {
    const view = mesh({ services });
    for (const [namespace, expected] of Object.entries(found)) {
      const client = workload('client', { namespace });
      t.equal(namespaceOf(resolveAddress(view, client, VIP)), expected, `${name}: client in ${namespace}`);
    }
  }
  t.end();
});

test('and by its name, and by a wildcard', t => {
  for (const [name, { found, host = HOST, services }] of ROWS) {
    const view = mesh({ services });
    for (const [namespace, expected] of Object.entries(found)) {
      const client = workload('client', { namespace });
      const destination = resolveHostname(view, client, host, 'cluster.local');
      t.equal(namespaceOf(destination), expected, `${name}: client in ${namespace}`);
    }
  }
  t.end();
});

test('a wildcard that is hidden gives way to the next one', t => {
  const services = [entry('a', 'public', WILD), entry('b', ['x'], NEAR)];
  const view = mesh({ services });
  const find = (namespace: string): string | undefined =>
    namespaceOf(resolveHostname(view, workload('c', { namespace }), 'www.b.example', 'cluster.local'));
  t.equal(find('x'), 'b');
  t.equal(find('y'), 'a');
  t.end();
});

test('an address whose service is hidden is that of a workload, or of nobody', t => {
  const pod = workload('pod', { addresses: [VIP] });
  const view = mesh({ services: [entry('a', 'namespace')], workloads: [pod] });
  t.match(resolveAddress(view, workload('c', { namespace: 'b' }), VIP), {
    kind: 'workload',
    workload: { name: 'pod' },
  });
  t.match(resolveAddress(view, workload('c', { namespace: 'b' }), '240.240.0.9'), { kind: 'unknown' });
  t.end();
});

test('what is an address or name of the cluster, no entry of another namespace takes', t => {
  const vip = service('payments', { namespace: 'shop', vip: '10.96.0.1' });
  const pod = workload('payments-1', { namespace: 'shop', addresses: ['10.0.0.1'] });
  const written = (fields: Partial<Service>): Service =>
    service('evil', { namespace: 'evil', canonical: false, hostname: 'evil.example', ...fields });
  const rows: readonly (readonly [string, string, Service])[] = [
    ['the VIP of a Service', '10.96.0.1', written({ addresses: [address('10.96.0.1')] })],
    ['a range over VIPs', '10.96.0.1', written({ addresses: [address('10.96.0.0', 12)] })],
    ['the address of a pod', '10.0.0.1', written({ addresses: [address('10.0.0.1')] })],
    ['a range over pods', '10.0.0.1', written({ addresses: [address('10.0.0.0', 8)] })],
    ['the host name of a Service', vip.hostname, written({ hostname: vip.hostname })],
    ['its short name', 'payments.shop', written({ hostname: 'payments.shop' })],
    ['a wildcard over it', vip.hostname, written({ hostname: '*.shop.svc.cluster.local' })],
  ];
  for (const [sentence, host, entry] of rows) {
    const view = mesh({ services: [entry, vip], workloads: [pod] });
    const find = (namespace: string): string | undefined => {
      const client = workload('client', { namespace });
      const found = /^\d/.test(host)
        ? resolveAddress(view, client, host)
        : resolveHostname(view, client, host, 'cluster.local');
      return found.kind === 'workload' ? found.workload.namespace : namespaceOf(found);
    };
    t.equal(find('web'), 'shop', sentence);
    t.equal(find('shop'), 'shop', `${sentence}, asked for in its own namespace`);
  }
  const egress = mesh({ services: [written({ addresses: [address('10.0.0.0', 8)] })], workloads: [pod] });
  const client = workload('client', { namespace: 'web' });
  t.equal(
    namespaceOf(resolveAddress(egress, client, '10.9.9.9')),
    'evil',
    'what nobody of the cluster has is its',
  );
  t.end();
});

function namespaceOf(destination: Destination): string | undefined {
  return destination.kind === 'service' ? destination.service.namespace : undefined;
}
