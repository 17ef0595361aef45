import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import type { AuthzRequest } from '#shared/authz/request.ts';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { compileIntentions, type IntentionOptions } from './compile-intentions.ts';
import { translateServiceIntentions } from './service-intentions.ts';

const OPTIONS: IntentionOptions = {
  defaultAction: 'allow',
  accountsOf: name => [{ namespace: 'shop', serviceAccount: name }],
  withoutWaypoint: () => [],
  providerOf: () => undefined,
};

const GET: AuthzRequest = { method: 'GET', authority: 'payments', path: '/', headers: [] };

/** What becomes of a request of `source`; without one, of a connection nobody looks into. */
function allowed(
  sources: readonly object[],
  source: string,
  request: Partial<AuthzRequest> | undefined,
  options = OPTIONS,
): boolean {
  const object = kubeObject('ServiceIntentions', { destination: { name: 'payments' }, sources });
  const translated = translateServiceIntentions(object);
  if (!translated.ok) throw new Error(JSON.stringify(translated.diagnostics));
  const { policies } = compileIntentions([translated.value], options);
  const connection = authzConnection({
    sourceIdentity: source === '' ? undefined : `spiffe://td/ns/shop/sa/${source}`,
    sourceIp: '10.0.0.1',
    destinationIp: '10.0.0.2',
    destinationPort: 80,
  });
  const asked = request && { ...GET, ...request };
  return evaluate(compile(policies.map(({ policy }) => policy)), connection, asked).allowed;
}

const one = (http: object): readonly object[] => [
  { name: 'orders', permissions: [{ action: 'allow', http }] },
];
const header = (fields: object): object => ({ header: [{ name: 'X-User', ...fields }] });
const user = (value: string): Partial<AuthzRequest> => ({ headers: ['x-user', value] });

const MATCHES: readonly [string, object, Partial<AuthzRequest>, boolean][] = [
  ['an exact path', { pathExact: '/pay' }, { path: '/pay?a=b' }, true],
  ['an exact path is no other', { pathExact: '/pay' }, { path: '/pay/' }, false],
  ['a path is compared in its normal form', { pathExact: '/pay' }, { path: '/x/../%70ay' }, true],
  ['a prefix is one of characters', { pathPrefix: '/pay' }, { path: '/payments' }, true],
  ['a prefix of another path', { pathPrefix: '/pay' }, { path: '/' }, false],
  ['a pattern takes the whole path', { pathRegex: '/pay/[0-9]+' }, { path: '/pay/42' }, true],
  ['a pattern takes no part of one', { pathRegex: '/pay/[0-9]+' }, { path: '/pay/42/x' }, false],
  ['any of the methods', { methods: ['POST', 'get'] }, {}, true],
  ['none of the methods', { methods: ['POST'] }, {}, false],
  ['path and method both', { pathPrefix: '/', methods: ['POST'] }, {}, false],
  ['a header that is there', header({ present: true }), user('a'), true],
  ['a header that is there and empty', header({ present: true }), user(''), true],
  ['a header that is not there', header({ present: true }), {}, false],
  ['a header that is not to be there', header({ present: true, invert: true }), {}, true],
  ['a header that is not to be there and is', header({ present: true, invert: true }), user(''), false],
  ['a header by its value', header({ exact: 'anna' }), user('anna'), true],
  ['a header by its value in other letters', header({ exact: 'anna' }), user('Anna'), false],
  ['a header without regard to case', header({ exact: 'anna', ignoreCase: true }), user('ANNA'), true],
  ['a header by prefix', header({ prefix: 'an' }), user('anna'), true],
  ['a header by suffix', header({ suffix: 'na' }), user('anna'), true],
  ['a header by a part', header({ contains: 'nn' }), user('anna'), true],
  ['a part without regard to case', header({ contains: 'NN', ignoreCase: true }), user('anna'), true],
  ['a header by pattern', header({ regex: 'a.*' }), user('anna'), true],
  ['a header that is to be another', header({ exact: 'anna', invert: true }), user('bert'), true],
  ['a header that is to be another and is not', header({ exact: 'anna', invert: true }), user('anna'), false],
  ['a header that is not there is no other one', header({ exact: 'anna', invert: true }), {}, false],
  [
    'every header counts',
    {
      header: [
        { name: 'x-user', exact: 'anna' },
        { name: 'x-role', present: true },
      ],
    },
    user('anna'),
    false,
  ],
];

test('what a permission asks for', async t => {
  for (const [name, http, request, expected] of MATCHES)
    t.equal(allowed(one(http), 'orders', request), expected, name);
});

const allow = (http: object): object => ({ action: 'allow', http });
const deny = (http: object): object => ({ action: 'deny', http });
const ORDERED = [
  allow({ pathExact: '/admin/health' }),
  deny({ pathPrefix: '/admin' }),
  allow({ pathPrefix: '/', methods: ['GET'] }),
];
const orders = { name: 'orders', permissions: ORDERED };
const admin = { path: '/admin' };
const health = { path: '/admin/health' };

const ORDER: readonly [string, readonly object[], string, Partial<AuthzRequest> | undefined, boolean][] = [
  ['the first that matches decides: an allow above a deny', [orders], 'orders', health, true],
  ['the first that matches decides: a deny above an allow', [orders], 'orders', admin, false],
  ['what those above leave', [orders], 'orders', { path: '/charge' }, true],
  ['what no permission matches is denied', [orders], 'orders', { method: 'POST' }, false],
  [
    'a list of denials allows nothing',
    [{ name: 'orders', permissions: [deny({ pathPrefix: '/' })] }],
    'orders',
    {},
    false,
  ],
  ['permissions are for their source alone', [orders], 'frontend', admin, true],
  ['another source is denied', [orders, { name: '*', action: 'deny' }], 'frontend', health, false],
  ['beside a denial of all', [orders, { name: '*', action: 'deny' }], 'orders', health, true],
  ['a connection nobody looks into is refused', [orders], 'orders', undefined, false],
  ['beside a denial of all too', [orders, { name: '*', action: 'deny' }], 'orders', undefined, false],
  ['permissions of every other source', [{ ...orders, name: '*' }], 'frontend', health, true],
  ['they hold for plaintext too', [{ ...orders, name: '*' }], '', admin, false],
  [
    'a source that is named is no other',
    [
      { ...orders, name: '*' },
      { name: 'frontend', action: 'deny' },
    ],
    'frontend',
    health,
    false,
  ],
  [
    'a source that is allowed is so whatever it asks for',
    [
      { ...orders, name: '*' },
      { name: 'frontend', action: 'allow' },
    ],
    'frontend',
    admin,
    true,
  ],
];

test('permissions are tried in their order, each source by its own', async t => {
  for (const [name, sources, source, request, expected] of ORDER)
    t.equal(allowed(sources, source, request), expected, name);
});

test('permissions where requests pass no waypoint are refused, and said so', async t => {
  const object = kubeObject('ServiceIntentions', {
    destination: { name: 'payments' },
    sources: [orders, { name: 'frontend', action: 'allow' }],
  });
  const translated = translateServiceIntentions(object);
  const options = { ...OPTIONS, withoutWaypoint: () => ['shop/payments'] };
  const { diagnostics } = compileIntentions(translated.ok ? [translated.value] : [], options);
  t.match(diagnostics, [
    {
      object: 'ServiceIntentions shop/it',
      field: 'spec.sources[0].permissions',
      message: /shop\/payments uses no waypoint.*connections of orders are refused/,
      fix: /use-waypoint/,
      severity: 'ignored',
    },
  ]);
});
