import { test } from 'tap';
import { goldenPairs, kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateTcpRoute } from './tcp-route.ts';

const SERVICES = servicesOf({ 'shop/db': [5432], 'shop/db-v2': [5432], 'bank/ledger': [7000] });
const PARENT = { group: '', kind: 'Service', name: 'db', port: 5432 };
const route = (...backendRefs: readonly object[]): object => ({
  parentRefs: [PARENT],
  rules: [{ backendRefs }],
});

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateTcpRoute(object, SERVICES)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

test('connections to a port, by weight', async t => {
  const spec = route({ name: 'db', port: 5432, weight: 9 }, { name: 'db-v2', port: 5432, weight: 1 });
  const result = translateTcpRoute(kubeObject('TCPRoute', spec), SERVICES);
  t.match(result, {
    ok: true,
    value: {
      kind: 'TCPRoute',
      attachments: [
        {
          service: 'shop/db.shop.svc.cluster.local',
          port: 5432,
          streams: [
            {
              rule: {
                name: 'TCPRoute/shop/it/0',
                protocol: 'tcp',
                matches: [],
                backends: [
                  { service: 'shop/db.shop.svc.cluster.local', weight: 9 },
                  { service: 'shop/db-v2.shop.svc.cluster.local', weight: 1 },
                ],
              },
            },
          ],
        },
      ],
    },
  });
});

const REJECTED: readonly [string, object, string, RegExp][] = [
  [
    'a misspelt field',
    { parentRefs: [PARENT], rules: [{ backendRef: [] }] },
    'spec.rules[0].backendRefs',
    /is required/,
  ],
  ['no backend', { parentRefs: [PARENT], rules: [{}] }, 'spec.rules[0].backendRefs', /is required/],
  [
    'a match, which TCPRoute does not have',
    { rules: [{ matches: [], backendRefs: [{ name: 'db' }] }] },
    'spec.rules[0].matches',
    /no field of this object/,
  ],
];

test('a wrong TCPRoute is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateTcpRoute(kubeObject('TCPRoute', spec), SERVICES);
    t.equal(result.ok, false, name);
    t.ok(
      result.diagnostics.some(d => d.field === field && message.test(d.message)),
      name,
    );
  }
});

test('a backend that leads nowhere keeps its share', async t => {
  for (const backend of [
    { name: 'nope', port: 5432 },
    { name: 'ledger', namespace: 'bank', port: 7000 },
  ]) {
    const result = translateTcpRoute(kubeObject('TCPRoute', route(backend)), SERVICES);
    if (!result.ok) throw new Error('rejected');
    t.equal(result.value.attachments[0]?.streams[0]?.rule.backends[0]?.service, undefined);
    t.equal(result.value.faults.length, 1);
  }
});
