import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { allocateAddresses } from './auto-allocate.ts';
import { translateServiceEntry } from './service-entry.ts';

const CLUSTER = { clusterId: 'c', clusterDomain: 'cluster.local', trustDomain: 'td', network: '' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateServiceEntry(object, CLUSTER)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const entry = (fields: object): object => ({
  hosts: ['api.example.com'],
  ports: [{ number: 80, name: 'http' }],
  resolution: 'STATIC',
  endpoints: [{ address: '10.0.0.1' }],
  ...fields,
});

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', entry({ host: [] }), 'spec.host', /no field of this object/],
  ['no hosts', entry({ hosts: [] }), 'spec.hosts', /is required/],
  ['a host that is none', entry({ hosts: ['a b'] }), 'spec.hosts', /no host name/],
  ['every host', entry({ hosts: ['*'] }), 'spec.hosts', /"\*" is every host there is/],
  [
    'a wildcard in the middle',
    entry({ hosts: ['api.*.example.com'] }),
    'spec.hosts',
    /has a "\*" that is no whole first label/,
  ],
  [
    'a wildcard of half a label',
    entry({ hosts: ['*api.example.com'] }),
    'spec.hosts',
    /no whole first label/,
  ],
  ['a wildcard of a domain that is none', entry({ hosts: ['*.a b'] }), 'spec.hosts', /no host name/],
  [
    'a wildcard that is to be looked up',
    { hosts: ['*.example.com'], resolution: 'DNS' },
    'spec.hosts',
    /"\*.example.com" is a wildcard, which DNS cannot look up/,
  ],
  ['an unknown resolution', entry({ resolution: 'MAGIC' }), 'spec.resolution', /not one of/],
  [
    'hosts found as they are asked for, one of which is known',
    { hosts: ['*.example.com', 'api.example.com'], resolution: 'DYNAMIC_DNS' },
    'spec.hosts',
    /"api.example.com" is no wildcard/,
  ],
  [
    'hosts found as they are asked for, with endpoints',
    entry({ hosts: ['*.example.com'], resolution: 'DYNAMIC_DNS' }),
    'spec.resolution',
    /finds the endpoints itself/,
  ],
  ['"*" and more', entry({ exportTo: ['*', 'bank'] }), 'spec.exportTo', /holds "\*" and more/],
  ['an unknown location', entry({ location: 'HERE' }), 'spec.location', /not one of/],
  ['an address that is none', entry({ addresses: ['here'] }), 'spec.addresses', /no IP address or range/],
  ['a range that is none', entry({ addresses: ['10.0.0.0/33'] }), 'spec.addresses', /no IP address or range/],
  ['a port without a number', entry({ ports: [{ name: 'http' }] }), 'spec.ports[0].number', /is required/],
  ['a port without a name', entry({ ports: [{ number: 80 }] }), 'spec.ports[0].name', /is required/],
  ['an endpoint without an address', entry({ endpoints: [{}] }), 'spec.endpoints[0].address', /is required/],
  [
    'a name for an address',
    entry({ endpoints: [{ address: 'a.example.com' }] }),
    'spec.endpoints[0].address',
    /no IP address/,
  ],
  [
    'an endpoint by DNS that is no name',
    entry({ resolution: 'DNS', endpoints: [{ address: 'a b' }] }),
    'spec.endpoints[0].address',
    /neither an IP address nor a host name/,
  ],
  [
    'endpoints of two kinds',
    entry({ workloadSelector: { labels: { app: 'a' } } }),
    'spec.workloadSelector',
    /cannot be together/,
  ],
  [
    'endpoints that are not looked for',
    entry({ resolution: 'NONE' }),
    'spec.resolution',
    /NONE has no endpoints/,
  ],
];

test('a wrong ServiceEntry is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateServiceEntry(kubeObject('ServiceEntry', spec), CLUSTER);
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { field, message, fix: /./, severity: 'rejected' }, name);
  }
});

const IGNORED: readonly [string, object, string, RegExp][] = [
  ['no endpoints', entry({ endpoints: [] }), 'spec.endpoints', /nobody to answer/],
  [
    'nothing that leads to hosts that are passed on',
    { hosts: ['*.example.com'], resolution: 'NONE', ports: [{ number: 443, name: 'tls' }] },
    'spec.addresses',
    /known by their addresses alone, and nothing leads to them/,
  ],
];

const VISIBILITIES: readonly (readonly [string, readonly string[] | undefined, unknown])[] = [
  ['nothing is said', undefined, 'public'],
  ['everywhere', ['*'], 'public'],
  ['its own namespace', ['.'], 'namespace'],
  ['its own namespace by name', ['shop', '.'], 'namespace'],
  ['another one', ['bank'], ['bank']],
  ['some, and its own', ['.', 'bank', 'books'], ['shop', 'bank', 'books']],
  ['nobody', ['~'], ['~']],
];

test('where an entry is known', async t => {
  for (const [name, exportTo, visibility] of VISIBILITIES) {
    const spec = entry(exportTo === undefined ? {} : { exportTo });
    const result = translateServiceEntry(kubeObject('ServiceEntry', spec), CLUSTER);
    t.same(result.ok && result.value.visibility, visibility, name);
    t.same(result.diagnostics, [], name);
  }
});

test('what is ignored is said', async t => {
  for (const [name, spec, field, message] of IGNORED) {
    const result = translateServiceEntry(kubeObject('ServiceEntry', spec), CLUSTER);
    t.equal(result.ok, true, name);
    t.match(result.diagnostics[0], { field, message, severity: 'ignored' }, name);
  }
});

test('addresses of the mesh’s own', async t => {
  const wish = (key: string, creationTimestamp = '') => ({ key, creationTimestamp });
  const [v4, v6] =
    allocateAddresses([wish('shop/api/api.example.com')]).get('shop/api/api.example.com') ?? [];
  t.match(v4, /^240\.240\.\d+\.\d+$/);
  t.match(v6, /^2001:2::[0-9a-f]{1,4}$/);
  const many = Array.from({ length: 2000 }, (_, i) => wish(`shop/api/${i}.example.com`));
  const one = allocateAddresses(many);
  t.equal(new Set([...one.values()].flat()).size, 4000, 'nobody shares one');
  t.same(
    Object.fromEntries(allocateAddresses(many.toReversed())),
    Object.fromEntries(one),
    'in whatever order',
  );
  const more = allocateAddresses([...many, wish('shop/new/new.example.com', '2026-01-01T00:00:00Z')]);
  const moved = many.filter(({ key }) => more.get(key)?.[0] !== one.get(key)?.[0]);
  t.same(moved, [], 'a younger entry moves no older one');
  const all = allocateAddresses(Array.from({ length: 65_600 }, (_, i) => wish(String(i))));
  t.equal(all.size, 65_534, 'when all are given away the youngest get none');
  t.notOk([...all.values()].flat().some(ip => ip === '240.240.0.0' || ip === '240.240.255.255'));
});
