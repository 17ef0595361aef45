import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import type { ServiceAccountMatch } from '#shared/authz/policy.ts';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { compileIntentions, type IntentionOptions } from './compile-intentions.ts';
import { translateServiceIntentions, type ServiceIntentions } from './service-intentions.ts';

const KNOWN = ['frontend', 'orders', 'payments', 'fraud'];

const OPTIONS: IntentionOptions = {
  defaultAction: 'allow',
  accountsOf: name => (KNOWN.includes(name) ? [{ namespace: 'shop', serviceAccount: name }] : []),
  withoutWaypoint: () => [],
  providerOf: () => undefined,
};

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects => {
    const results = objects.map(translateServiceIntentions);
    return {
      results,
      compiled: compileIntentions(
        results.flatMap(r => (r.ok ? [r.value] : [])),
        OPTIONS,
      ),
    };
  });
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

/** `orders>payments allow` */
function intentions(...lines: readonly string[]): ServiceIntentions[] {
  const byDestination = new Map<string, ServiceIntentions['sources'][number][]>();
  for (const line of lines) {
    const [source = '', destination = '', action = ''] = line.split(/[> ]/);
    const list = byDestination.get(destination) ?? [];
    list.push({ name: source, verdict: action === 'allow' ? 'allow' : 'deny' });
    byDestination.set(destination, list);
  }
  return [...byDestination].map(([destination, sources]) => ({
    name: destination,
    namespace: 'shop',
    creationTimestamp: '',
    destination,
    sources,
    tokens: undefined,
  }));
}

/** Asks as the data plane does: the policies selected for the destination, against the source's identity. */
function allowed(
  all: readonly ServiceIntentions[],
  source: string,
  destination: string,
  options = OPTIONS,
): boolean {
  const { policies } = compileIntentions(all, options);
  const isHere = (account: ServiceAccountMatch): boolean => account.serviceAccount === destination;
  const named = policies.filter(({ selects }) => selects !== 'others' && selects.some(isHere));
  const holding = named.length > 0 ? named : policies.filter(({ selects }) => selects === 'others');
  const connection = authzConnection({
    sourceIdentity: source === '' ? undefined : `spiffe://cluster.local/ns/shop/sa/${source}`,
    sourceIp: '10.0.0.1',
    destinationIp: '10.0.0.2',
    destinationPort: 80,
  });
  return evaluate(compile(holding.map(({ policy }) => policy)), connection).allowed;
}

const ROWS: readonly [string, readonly string[], string, string, boolean][] = [
  ['without intentions the default holds', [], 'orders', 'payments', true],
  ['an exact deny denies', ['orders>payments deny'], 'orders', 'payments', false],
  ['it denies nobody else', ['orders>payments deny'], 'frontend', 'payments', true],
  ['and nowhere else', ['orders>payments deny'], 'orders', 'fraud', true],
  ['any to any denies', ['*>* deny'], 'orders', 'payments', false],
  ['any to any denies plaintext', ['*>* deny'], '', 'payments', false],
  ['exact to exact wins over any to any', ['*>* deny', 'orders>payments allow'], 'orders', 'payments', true],
  ['others stay denied', ['*>* deny', 'orders>payments allow'], 'frontend', 'payments', false],
  ['other destinations stay denied', ['*>* deny', 'orders>payments allow'], 'orders', 'fraud', false],
  ['any to exact wins over any to any', ['*>* deny', '*>payments allow'], 'frontend', 'payments', true],
  ['exact to any wins over any to any', ['*>* deny', 'orders>* allow'], 'orders', 'fraud', true],
  ['any to exact wins over exact to any', ['orders>* allow', '*>payments deny'], 'orders', 'payments', false],
  [
    'exact to any holds where there is no other',
    ['*>* deny', 'orders>* allow', 'frontend>payments allow'],
    'orders',
    'payments',
    true,
  ],
  [
    'exact to exact wins over exact to any',
    ['orders>* allow', '*>* deny', 'orders>payments deny'],
    'orders',
    'payments',
    false,
  ],
  [
    'a deny beside an allow of all',
    ['*>payments allow', 'frontend>payments deny'],
    'frontend',
    'payments',
    false,
  ],
  [
    'an allow beside a deny of all',
    ['*>payments deny', 'frontend>payments allow'],
    'frontend',
    'payments',
    true,
  ],
];

test('precedence: the most exact intention counts', async t => {
  for (const [name, lines, source, destination, expected] of ROWS) {
    t.equal(allowed(intentions(...lines), source, destination), expected, name);
  }
  const denyByDefault: IntentionOptions = { ...OPTIONS, defaultAction: 'deny' };
  t.equal(
    allowed(intentions('orders>payments allow'), 'frontend', 'payments', denyByDefault),
    false,
    'the default may be to deny',
  );
});

test('what is wrong among intentions is said', async t => {
  const [one] = intentions('orders>payments allow');
  if (one === undefined) throw new Error('no intention');
  const twice = compileIntentions([one, { ...one, name: 'second', creationTimestamp: '2026' }], OPTIONS);
  t.equal(twice.policies.length, 1, 'a second object for a destination is not used');
  t.match(twice.diagnostics[0], {
    object: 'ServiceIntentions shop/second',
    severity: 'rejected',
    message: /older/,
  });
  const unknown = compileIntentions(intentions('nobody>payments allow'), {
    ...OPTIONS,
    defaultAction: 'deny',
  });
  t.match(unknown.diagnostics[0], {
    value: '"nobody"',
    severity: 'ignored',
    message: /no Service or service account/,
  });
});

const spec = (over: object): object => ({
  destination: { name: 'a' },
  sources: [{ name: 'b', action: 'allow' }],
  ...over,
});
const sources = (...list: object[]): object => spec({ sources: list });

const permission = (http: object): object => ({ action: 'allow', http });
const permissions = (...list: object[]): object => sources({ name: 'b', permissions: list });
const AT = 'spec.sources[0].permissions[0]';

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['no destination', { sources: [{ name: 'b', action: 'allow' }] }, 'spec.destination', /is required/],
  ['no sources', spec({ sources: [] }), 'spec.sources', /is empty/],
  ['a misspelt field', spec({ source: [] }), 'spec.source', /no field of this object/],
  ['a source without a name', sources({ action: 'allow' }), 'spec.sources[0].name', /is required/],
  ['a source without an action', sources({ name: 'b' }), 'spec.sources[0].action', /is required/],
  ['an unknown action', sources({ name: 'b', action: 'ALLOW' }), 'spec.sources[0].action', /not one of/],
  [
    'a pattern for a name',
    sources({ name: 'b*', action: 'allow' }),
    'spec.sources[0].name',
    /no name of a service/,
  ],
  [
    'a source twice',
    sources({ name: 'b', action: 'allow' }, { name: 'b', action: 'deny' }),
    'spec.sources',
    /"b" twice/,
  ],
  ['no permissions', sources({ name: 'b', permissions: [] }), 'spec.sources[0].permissions', /is empty/],
  [
    'permissions beside an action',
    sources({ name: 'b', action: 'allow', permissions: [permission({ pathPrefix: '/' })] }),
    'spec.sources[0].permissions',
    /together with action/,
  ],
  [
    'permissions for every service',
    { destination: { name: '*' }, sources: [{ name: 'b', permissions: [permission({ pathPrefix: '/' })] }] },
    'spec.sources',
    /for every service/,
  ],
  [
    'too many permissions',
    sources({ name: 'b', permissions: Array.from({ length: 65 }, () => permission({ pathPrefix: '/' })) }),
    'spec.sources[0].permissions',
    /more than 64/,
  ],
  [
    'a permission without an action',
    permissions({ http: { pathPrefix: '/' } }),
    `${AT}.action`,
    /is required/,
  ],
  ['a permission that asks for nothing', permissions({ action: 'allow' }), `${AT}.http`, /asks for nothing/],
  ['a permission of an empty http', permissions(permission({})), `${AT}.http`, /asks for nothing/],
  [
    'two kinds of path',
    permissions(permission({ pathExact: '/a', pathPrefix: '/b' })),
    `${AT}.http.pathExact`,
    /another kind of path/,
  ],
  [
    'a path that is not absolute',
    permissions(permission({ pathPrefix: 'a' })),
    `${AT}.http.pathPrefix`,
    /no absolute path/,
  ],
  [
    'a pattern that is malformed',
    permissions(permission({ pathRegex: '(' })),
    `${AT}.http.pathRegex`,
    /not closed/,
  ],
  ['a method that is none', permissions(permission({ methods: ['G T'] })), `${AT}.http.methods`, /no method/],
  [
    'a header without a match',
    permissions(permission({ header: [{ name: 'a' }] })),
    `${AT}.http.header[0].exact`,
    /only one of them/,
  ],
  [
    'a header with two matches',
    permissions(permission({ header: [{ name: 'a', exact: 'b', present: true }] })),
    `${AT}.http.header[0].exact`,
    /only one of them/,
  ],
  [
    'a header that is none',
    permissions(permission({ header: [{ name: 'a b', present: true }] })),
    `${AT}.http.header[0].name`,
    /no header name/,
  ],
  [
    'a pattern without regard to case',
    permissions(permission({ header: [{ name: 'a', regex: 'b', ignoreCase: true }] })),
    `${AT}.http.header[0].ignoreCase`,
    /no meaning/,
  ],
  [
    'a group of clusters',
    sources({ name: 'b', action: 'allow', samenessGroup: 'c' }),
    'spec.sources[0].samenessGroup',
    /not supported/,
  ],
  ['tokens of nobody', spec({ jwt: { providers: [] } }), 'spec.jwt.providers', /is empty/],
  [
    'a provider without a name',
    spec({ jwt: { providers: [{}] } }),
    'spec.jwt.providers[0].name',
    /is required/,
  ],
  [
    'a claim without a path',
    spec({ jwt: { providers: [{ name: 'okta', verifyClaims: [{ value: 'a' }] }] } }),
    'spec.jwt.providers[0].verifyClaims[0].path',
    /is required/,
  ],
  [
    'a claim without a value',
    spec({ jwt: { providers: [{ name: 'okta', verifyClaims: [{ path: ['a'] }] }] } }),
    'spec.jwt.providers[0].verifyClaims[0].value',
    /is required/,
  ],
  [
    'more providers than proxies could hold',
    spec({ jwt: { providers: Array.from({ length: 129 }, (_, i) => ({ name: `p${i}` })) } }),
    'spec.jwt',
    /more than 128 ways/,
  ],
  [
    'a source of another type',
    sources({ name: 'b', action: 'allow', type: 'vm' }),
    'spec.sources[0].type',
    /not one of/,
  ],
];

test('a source in another cluster has no effect, and is no second one of its name', async t => {
  const local = { name: 'b', action: 'allow', type: 'consul', description: 'one' };
  const body = sources(local, { name: 'b', peer: 'west', action: 'deny' });
  t.match(translateServiceIntentions(kubeObject('ServiceIntentions', body)), {
    ok: true,
    value: { sources: [{ name: 'b', verdict: 'allow' }] },
    diagnostics: [{ severity: 'ignored', field: 'spec.sources[1].peer', message: /from which nobody comes/ }],
  });
  const result = translateServiceIntentions(
    kubeObject('ServiceIntentions', sources({ ...local, peer: 'west' })),
  );
  t.match(result, { ok: true, value: { sources: [] } }, 'and may be the only one');
});

const IN_VAIN: readonly [string, readonly string[], readonly string[]][] = [
  ['an allow beside no deny allows what everybody may', ['orders>payments allow'], ['spec.sources[0]']],
  ['a deny does not', ['orders>payments deny'], []],
  ['to every service as well', ['orders>* allow'], ['spec.sources[0]']],
  ['a deny of others gives it a meaning', ['orders>payments allow', '*>payments deny'], []],
  ['so does one to every service', ['orders>payments allow', '*>* deny'], []],
  ['an allow of others is meant', ['*>payments allow', 'orders>payments deny'], []],
];

test('an intention that allows what is allowed anyway is said', async t => {
  const found = (all: readonly ServiceIntentions[], options: IntentionOptions): readonly string[] =>
    compileIntentions(all, options)
      .diagnostics.filter(({ message }) => /what everybody may/.test(message))
      .map(({ field }) => field);
  for (const [name, lines, fields] of IN_VAIN) {
    t.same(found(intentions(...lines), OPTIONS), fields, name);
    t.same(
      found(intentions(...lines), { ...OPTIONS, defaultAction: 'deny' }),
      [],
      `${name}: not where the default denies`,
    );
  }
  const requests = translateServiceIntentions(
    kubeObject('ServiceIntentions', permissions(permission({ pathPrefix: '/a' }))),
  );
  if (!requests.ok) throw new Error(JSON.stringify(requests.diagnostics));
  t.same(
    found([requests.value], OPTIONS),
    [],
    'permissions have a meaning: other requests of the source are refused',
  );
});

test('wrong ServiceIntentions are rejected with the field that is wrong', async t => {
  for (const [name, body, field, message] of REJECTED) {
    const result = translateServiceIntentions(kubeObject('ServiceIntentions', body));
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { object: 'ServiceIntentions shop/it', field, message, fix: /./ }, name);
  }
});
