import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { tokenIdentity } from '#shared/authz/token-identity.ts';
import type { JsonObject } from '#shared/config/json.ts';
import type { Claims } from '#shared/jwt/token.ts';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { translateJwtProvider } from '../jwt-provider/jwt-provider.ts';
import { type CompiledIntentions, compileIntentions } from './compile-intentions.ts';
import { translateServiceIntentions } from './service-intentions.ts';

/** `jwt` of intentions: what is allowed to whom, evaluated as a waypoint does. */

function provider(name: string): readonly [string, ReturnType<typeof translateJwtProvider>] {
  const spec = { issuer: `https://${name}`, jsonWebKeySet: { remote: { uri: `https://${name}/keys` } } };
  return [name, translateJwtProvider(kubeObject('JWTProvider', spec))];
}

const PROVIDERS = new Map([provider('okta'), provider('corp')]);

function compiled(...specs: readonly object[]): CompiledIntentions {
  const all = specs.map(spec => {
    const result = translateServiceIntentions(kubeObject('ServiceIntentions', spec));
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
    return result.value;
  });
  return compileIntentions(all, {
    defaultAction: 'allow',
    accountsOf: name => [{ namespace: 'shop', serviceAccount: name }],
    withoutWaypoint: () => ['shop/payments'],
    providerOf: name => {
      const found = PROVIDERS.get(name);
      return found?.ok === true ? found.value : undefined;
    },
  });
}

function allowed(
  { policies }: CompiledIntentions,
  source: string,
  path: string,
  claims: Claims | undefined,
): boolean {
  const connection = authzConnection({
    sourceIdentity: `spiffe://td/ns/shop/sa/${source}`,
    sourceIp: '10.0.0.1',
    destinationIp: '10.0.0.2',
    destinationPort: 80,
  });
  const held = policies.filter(({ selects }) => selects !== 'others').map(({ policy }) => policy);
  const request = { method: 'GET', authority: 'payments', path, headers: [] };
  return evaluate(compile(held), connection, request, claims && tokenIdentity(claims)).allowed;
}

const OKTA: Claims = { iss: 'https://okta', sub: 'a' };
const CORP: Claims = { iss: 'https://corp', sub: 'a' };
const ADMIN: Claims = { ...OKTA, groups: ['dev', 'admin'], realm: { role: 'boss' } };

const jwt = (...providers: readonly JsonObject[]): object => ({ jwt: { providers } });
const of = (name: string, ...verifyClaims: readonly JsonObject[]): JsonObject => ({ name, verifyClaims });
const to = (sources: readonly object[], more: object = {}): object => ({
  destination: { name: 'payments' },
  sources,
  ...more,
});
const allow = (path: string, more: object = {}): object => ({
  action: 'allow',
  http: { pathPrefix: path },
  ...more,
});
const deny = (path: string, more: object = {}): object => ({ ...allow(path, more), action: 'deny' });
const others = { name: '*', action: 'deny' };
const orders = { name: 'orders', action: 'allow' };

type Row = readonly [
  sentence: string,
  specs: readonly object[],
  source: string,
  path: string,
  claims: Claims | undefined,
  allowed: boolean,
];

const WHOLE = [to([orders, others], jwt(of('okta')))];
const ANY = [to([orders, others], jwt(of('okta'), of('corp')))];
const ADMINS = [
  to(
    [orders, others],
    jwt(of('okta', { path: ['groups'], value: 'admin' }, { path: ['realm', 'role'], value: 'boss' })),
  ),
];
const BY_PATH = [
  to([{ name: 'orders', permissions: [allow('/admin', jwt(of('corp'))), allow('/pay')] }, others]),
];
const DENIES = [
  to([{ name: 'orders', permissions: [deny('/pay/b', jwt(of('okta'))), allow('/pay')] }, others]),
];
const BOTH = [
  to(
    [
      { name: 'orders', permissions: [allow('/pay', jwt(of('okta', { path: ['groups'], value: 'admin' })))] },
      others,
    ],
    jwt(of('okta')),
  ),
];
const DEFAULT = [to([{ name: 'fraud', action: 'deny' }], jwt(of('okta')))];
const ELSEWHERE = [
  to([{ name: 'fraud', action: 'deny' }], jwt(of('okta'))),
  { destination: { name: '*' }, sources: [orders, others] },
];
const UNKNOWN = [to([orders, others], jwt(of('nobody')))];
const UNKNOWN_DENY = [
  to([{ name: 'orders', permissions: [deny('/pay/b', jwt(of('nobody'))), allow('/pay')] }, others]),
];

const ROWS: readonly Row[] = [
  ['for every request: with a token', WHOLE, 'orders', '/', OKTA, true],
  ['without one', WHOLE, 'orders', '/', undefined, false],
  ['with a token of another issuer', WHOLE, 'orders', '/', CORP, false],
  ['a token does not let in who is denied', WHOLE, 'fraud', '/', OKTA, false],
  ['of any of the providers', ANY, 'orders', '/', CORP, true],
  ['with the claims that are asked for', ADMINS, 'orders', '/', ADMIN, true],
  ['without one of them', ADMINS, 'orders', '/', { ...ADMIN, groups: ['dev'] }, false],
  ['without a nested one', ADMINS, 'orders', '/', { ...ADMIN, realm: {} }, false],
  ['for a permission: with its token', BY_PATH, 'orders', '/admin', CORP, true],
  ['without it', BY_PATH, 'orders', '/admin', undefined, false],
  ['the next permission asks for none', BY_PATH, 'orders', '/pay', undefined, true],
  ['a permission that denies those with a token', DENIES, 'orders', '/pay/b', OKTA, false],
  ['and leaves those without to the next', DENIES, 'orders', '/pay/b', undefined, true],
  ['the token of all and that of a permission', BOTH, 'orders', '/pay', ADMIN, true],
  ['the token of all alone', BOTH, 'orders', '/pay', OKTA, false],
  ['sources of which nothing is said need the token as well', DEFAULT, 'orders', '/', undefined, false],
  ['and come in with it', DEFAULT, 'orders', '/', OKTA, true],
  ['whom intentions for every destination allow needs it too', ELSEWHERE, 'orders', '/', undefined, false],
  ['and comes in with it', ELSEWHERE, 'orders', '/', OKTA, true],
  ['whom they deny does not', ELSEWHERE, 'frontend', '/', OKTA, false],
  ['a provider that is not there lets in nobody', UNKNOWN, 'orders', '/', OKTA, false],
  [
    'what is denied for its tokens is denied without them',
    UNKNOWN_DENY,
    'orders',
    '/pay/b',
    undefined,
    false,
  ],
  ['and the rest holds', UNKNOWN_DENY, 'orders', '/pay/c', undefined, true],
];

test('who comes in with which token', t => {
  for (const [sentence, specs, source, path, claims, expected] of ROWS)
    t.equal(allowed(compiled(...specs), source, path, claims), expected, sentence);
  t.end();
});

test('whose tokens a service accepts: of the providers that are named for it, and are there', t => {
  const issuers = (...specs: readonly object[]): unknown =>
    compiled(...specs).policies.map(({ issuers: some }) => some.map(({ issuer }) => issuer));
  t.same(issuers(...ANY), [['https://corp', 'https://okta']]);
  t.same(issuers(...BY_PATH), [['https://corp']]);
  t.same(issuers(...UNKNOWN), [[]]);
  t.same(issuers(to([orders])), [[]]);
  t.end();
});

test('a provider that is not there is said, and a service whose requests nobody sees', t => {
  t.match(compiled(...UNKNOWN).diagnostics, [
    { field: 'spec.sources[0]', message: /uses no waypoint/ },
    { severity: 'ignored', message: /JWTProvider nobody, which is not there.* is denied/ },
  ]);
  t.match(compiled(...WHOLE).diagnostics, [{ message: /uses no waypoint/ }]);
  t.end();
});
