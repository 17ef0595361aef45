import { test } from 'tap';
import { sortByPrecedence } from '#shared/route/precedence.ts';
import { goldenPairs, kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateGrpcRoute } from './grpc-route.ts';

const SERVICES = servicesOf({ 'shop/orders': [7070], 'shop/orders-v1': [7070], 'shop/orders-v2': [7070] });

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateGrpcRoute(object, SERVICES)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const PARENT = { group: '', kind: 'Service', name: 'orders' };
const rule = (fields: object): object => ({ parentRefs: [PARENT], rules: [fields] });
const match = (method: object): object => rule({ matches: [{ method }] });
const AT = 'spec.rules[0].matches[0].method';

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', rule({ match: [] }), 'spec.rules[0].match', /no field of this object/],
  ['a match of nothing', match({}), `${AT}.service`, /required where there is no method/],
  ['a service that is none', match({ service: 'shop/Orders' }), `${AT}.service`, /no name of a gRPC service/],
  ['a method that is none', match({ method: 'Place Order' }), `${AT}.method`, /no name of a gRPC method/],
  ['an unknown type of match', match({ type: 'Prefix', service: 'a' }), `${AT}.type`, /not one of/],
  [
    'a pattern that is malformed',
    match({ type: 'RegularExpression', service: 'a(' }),
    `${AT}.service`,
    /no regular expression/,
  ],
  [
    'a redirect, which gRPC does not have',
    rule({ filters: [{ type: 'RequestRedirect' }] }),
    'spec.rules[0].filters[0].type',
    /not one of/,
  ],
  [
    'a timeout, which GRPCRoute does not have',
    rule({ timeouts: { request: '1s' } }),
    'spec.rules[0].timeouts',
    /no field of this object/,
  ],
];

test('a wrong GRPCRoute is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateGrpcRoute(kubeObject('GRPCRoute', spec), SERVICES);
    t.equal(result.ok, false, name);
    const found = result.diagnostics.find(one => one.severity === 'rejected');
    t.match(found, { object: 'GRPCRoute shop/it', field, message, fix: /./ }, name);
  }
});

const IGNORED: readonly [string, object, string, RegExp][] = [
  [
    'a parent that does not exist',
    { parentRefs: [{ ...PARENT, name: 'nope' }] },
    'spec.parentRefs[0].name',
    /no Service/,
  ],
  [
    'a backend that does not exist',
    rule({ backendRefs: [{ name: 'orders-v3', port: 7070 }] }),
    'spec.rules[0].backendRefs[0].name',
    /share of requests is refused/,
  ],
];

test('what is ignored is said', async t => {
  for (const [name, spec, field, message] of IGNORED) {
    const result = translateGrpcRoute(kubeObject('GRPCRoute', spec), SERVICES);
    t.equal(result.ok, true, name);
    const found = result.diagnostics.find(one => one.field === field);
    t.match(found, { message, severity: 'ignored', fix: /./ }, name);
  }
});

test('sessions are of the rule, whichever of its matches holds', t => {
  const spec = rule({
    matches: [{ method: { service: 'a' } }, { method: { service: 'b' } }],
    sessionPersistence: {},
  });
  const result = translateGrpcRoute(kubeObject('GRPCRoute', spec), SERVICES);
  const rules = result.ok ? result.value.attachments.flatMap(attachment => attachment.rules) : [];
  const session = { kind: 'cookie', name: 'ambient-shop-it-0', path: undefined, lifetime: 'session' };
  t.match(
    rules.map(made => made.rule.session),
    [session, session],
  );
  t.end();
});

test('the order of matches: characters of the service, of the method, then headers', async t => {
  const headers = [{ name: 'x', value: '1' }];
  const matches = [
    {},
    { method: { method: 'LongMethodName' } },
    { method: { service: 'a.Service' } },
    { method: { service: 'a.Service', method: 'Get' } },
    { method: { service: 'a.Service', method: 'Get' }, headers },
    { method: { service: 'a.Service', method: 'GetOne' } },
    { method: { service: 'a.LongerService' } },
  ];
  const rules = matches.map((one, i) => ({ name: String(i), matches: [one] }));
  const result = translateGrpcRoute(kubeObject('GRPCRoute', { parentRefs: [PARENT], rules }), SERVICES);
  t.equal(result.ok, true);
  if (!result.ok) return;
  const sorted = sortByPrecedence(result.value.attachments[0]?.rules ?? []);
  t.same(
    sorted.map(({ name }) => Number(name.split('/').at(-1))),
    [6, 5, 4, 3, 2, 1, 0],
  );
});

test('an extension is not skipped: calls of its rule, or the share of its backend, fail', async t => {
  const extension = { type: 'ExtensionRef', extensionRef: { group: 'x.io', kind: 'Magic', name: 'm' } };
  const backendRefs = [{ name: 'orders-v1', port: 7070 }];
  const faults = [{ reason: 'InvalidKind', message: /x.io\/Magic m is no filter of this mesh/ }];
  for (const spec of [
    rule({ filters: [extension, extension], backendRefs }),
    rule({ backendRefs: [{ ...backendRefs[0], filters: [extension] }] }),
  ]) {
    const result = translateGrpcRoute(kubeObject('GRPCRoute', spec), SERVICES);
    const backends = [{ service: undefined, weight: 1 }];
    t.match(result, { ok: true, value: { faults, attachments: [{ rules: [{ rule: { backends } }] }] } });
  }
});
