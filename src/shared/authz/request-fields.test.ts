import { test } from 'tap';
import { policy } from '../testing/topology.ts';
import { compile } from './compile.ts';
import { authzConnection } from './connection.ts';
import { customProviders, evaluate, matchingAudits } from './evaluate.ts';
import { ANY_HTTP_REQUEST, EMPTY_MATCH, type HttpMatch, type StringMatch } from './policy.ts';
import type { AuthzRequest } from './request.ts';
import { type TokenIdentity, tokenIdentity } from './token-identity.ts';

const exact = (value: string): StringMatch => ({ kind: 'exact', value });
const SOURCE = authzConnection({
  sourceIdentity: 'spiffe://cluster.local/ns/shop/sa/orders',
  sourceIp: '10.1.2.3',
  destinationIp: '10.1.9.9',
  destinationPort: 80,
});
const GET: AuthzRequest = { method: 'GET', authority: 'echo', path: '/a/b?c', headers: [] };
const ANNA = tokenIdentity({
  iss: 'https://issuer',
  sub: 'anna',
  groups: ['users', 'admins'],
  azp: 'app',
  level: 5,
  nested: { role: 'r' },
});
const SCOPED = tokenIdentity(
  {
    iss: 'https://issuer',
    sub: 'anna',
    scope: 'read  write',
    permission: 'x y',
    roles: 'a b',
    other: 'a b',
    provider: { login: { scope: 'mail phone', other: 'a b' } },
  },
  ['roles', 'provider.login.scope', 'nowhere.at.all'],
);

const claimIs = (claim: readonly string[], value: string) => ({
  claim,
  values: [exact(value)],
  notValues: [],
});
const template = (value: string): StringMatch => ({ kind: 'template', value });

const FIELDS: readonly (readonly [
  string,
  Partial<HttpMatch>,
  Partial<AuthzRequest>,
  TokenIdentity | undefined,
  boolean,
])[] = [
  [
    'a request principal is issuer and subject',
    { requestPrincipals: [exact('https://issuer/anna')] },
    {},
    ANNA,
    true,
  ],
  ['any request principal', { requestPrincipals: [{ kind: 'presence' }] }, {}, ANNA, true],
  ['no token is no principal', { requestPrincipals: [{ kind: 'presence' }] }, {}, undefined, false],
  [
    'principals of an issuer',
    { requestPrincipals: [{ kind: 'prefix', value: 'https://issuer/' }] },
    {},
    ANNA,
    true,
  ],
  [
    'a token without subject has no principal',
    { requestPrincipals: [{ kind: 'presence' }] },
    {},
    tokenIdentity({ iss: 'x' }),
    false,
  ],
  [
    'notRequestPrincipals holds without a token',
    { notRequestPrincipals: [{ kind: 'presence' }] },
    {},
    undefined,
    true,
  ],
  [
    'notRequestPrincipals does not hold with it',
    { notRequestPrincipals: [exact('https://issuer/anna')] },
    {},
    ANNA,
    false,
  ],
  [
    'an item of a claim that is a list',
    { claims: [{ claim: ['groups'], values: [exact('admins')], notValues: [] }] },
    {},
    ANNA,
    true,
  ],
  ['no item', { claims: [{ claim: ['groups'], values: [exact('x')], notValues: [] }] }, {}, ANNA, false],
  [
    'a claim without a token',
    { claims: [{ claim: ['groups'], values: [exact('admins')], notValues: [] }] },
    {},
    undefined,
    false,
  ],
  [
    'a nested claim',
    { claims: [{ claim: ['nested', 'role'], values: [exact('r')], notValues: [] }] },
    {},
    ANNA,
    true,
  ],
  ['a number', { claims: [{ claim: ['level'], values: [exact('5')], notValues: [] }] }, {}, ANNA, true],
  [
    'an object is no value',
    { claims: [{ claim: ['nested'], values: [{ kind: 'presence' }], notValues: [] }] },
    {},
    ANNA,
    false,
  ],
  ['a scope of several', { claims: [claimIs(['scope'], 'write')] }, {}, SCOPED, true],
  ['…is no scope of one', { claims: [claimIs(['scope'], 'read  write')] }, {}, SCOPED, false],
  ['…and no empty one', { claims: [claimIs(['scope'], '')] }, {}, SCOPED, false],
  ['a permission of several', { claims: [claimIs(['permission'], 'x')] }, {}, SCOPED, true],
  ['a claim that is told to be of several', { claims: [claimIs(['roles'], 'b')] }, {}, SCOPED, true],
  ['…a nested one', { claims: [claimIs(['provider', 'login', 'scope'], 'phone')] }, {}, SCOPED, true],
  ['…and nothing beside it', { claims: [claimIs(['provider', 'login', 'other'], 'a b')] }, {}, SCOPED, true],
  ['a claim that is not is one text', { claims: [claimIs(['other'], 'a b')] }, {}, SCOPED, true],
  [
    'notValues hold when the claim is absent',
    { claims: [{ claim: ['x'], values: [], notValues: [exact('1')] }] },
    {},
    ANNA,
    true,
  ],
  [
    'notValues of one item',
    { claims: [{ claim: ['groups'], values: [], notValues: [exact('users')] }] },
    {},
    ANNA,
    false,
  ],
  [
    'the last of X-Forwarded-For is remote',
    { remoteIps: [{ ip: '192.0.2.0', prefixLength: 24 }] },
    { headers: ['x-forwarded-for', '10.9.9.9, 192.0.2.7'] },
    undefined,
    true,
  ],
  [
    '…over several headers',
    { remoteIps: [{ ip: '192.0.2.7', prefixLength: 32 }] },
    { headers: ['x-forwarded-for', '10.9.9.9', 'x-forwarded-for', '192.0.2.7'] },
    undefined,
    true,
  ],
  [
    '…not the first',
    { remoteIps: [{ ip: '10.9.9.9', prefixLength: 32 }] },
    { headers: ['x-forwarded-for', '10.9.9.9, 192.0.2.7'] },
    undefined,
    false,
  ],
  [
    'without the header the source is',
    { remoteIps: [{ ip: '10.1.2.3', prefixLength: 32 }] },
    {},
    undefined,
    true,
  ],
  [
    'with what is no address the source is',
    { remoteIps: [{ ip: '10.1.2.3', prefixLength: 32 }] },
    { headers: ['x-forwarded-for', 'unknown'] },
    undefined,
    true,
  ],
  ['notRemoteIps', { notRemoteIps: [{ ip: '10.1.0.0', prefixLength: 16 }] }, {}, undefined, false],
  ['a pattern is of the whole value', { paths: [{ kind: 'regex', value: '/a/[a-z]' }] }, {}, undefined, true],
  ['…not of a part', { paths: [{ kind: 'regex', value: '/a' }] }, {}, undefined, false],
  ['a part', { paths: [{ kind: 'contains', value: 'a/b' }] }, {}, undefined, true],
  ['a template: one segment', { paths: [template('/{*}/b')] }, {}, undefined, true],
  ['a segment is not empty', { paths: [template('/a/{*}')] }, { path: '/a/' }, undefined, false],
  ['one segment is not two', { paths: [template('/{*}')] }, {}, undefined, false],
  ['any number of segments', { paths: [template('/a/{**}')] }, { path: '/a/b/c/d' }, undefined, true],
  ['…also none', { paths: [template('/a/{**}')] }, { path: '/a/' }, undefined, true],
  ['segments in the middle', { paths: [template('/{**}/c')] }, { path: '/a/b/c' }, undefined, true],
  [
    'what else stands in a template is taken as it stands',
    { paths: [template('/a.b+{*}')] },
    { path: '/axb+c' },
    undefined,
    false,
  ],
  [
    'a template is compared with the normal form',
    { paths: [template('/x/{*}')] },
    { path: '/x/./y?q' },
    undefined,
    true,
  ],
];

test('each field of a request that a policy may ask about', t => {
  for (const [sentence, http, request, token, matches] of FIELDS) {
    const set = compile([policy('p', 'allow', [{ http: { ...ANY_HTTP_REQUEST, ...http } }])]);
    t.equal(evaluate(set, SOURCE, { ...GET, ...request }, token).allowed, matches, sentence);
  }
  t.end();
});

/** What a policy of each action makes of paths in view of a CONNECT, which has none. */
const WITHOUT_PATH: readonly (readonly [
  sentence: string,
  http: Partial<HttpMatch>,
  allows: boolean,
  denies: boolean,
])[] = [
  ['one that asks for no path', { methods: [exact('CONNECT')] }, true, true],
  ['any path', { paths: [{ kind: 'presence' }] }, false, true],
  ['every path by its beginning', { paths: [{ kind: 'prefix', value: '/' }] }, false, true],
  ['some paths', { paths: [{ kind: 'prefix', value: '/admin' }] }, false, false],
  ['all but some paths', { notPaths: [{ kind: 'prefix', value: '/admin' }] }, true, true],
  ['all but any path', { notPaths: [{ kind: 'presence' }] }, true, true],
  ['some paths but some of them', { paths: [exact('/a')], notPaths: [exact('/a/b')] }, false, false],
];

test('a CONNECT has no path: an ALLOW for paths is not for it, a DENY of all paths is', t => {
  const connect: AuthzRequest = { method: 'CONNECT', authority: 'a:443', path: '', headers: [] };
  for (const [sentence, http, allows, denies] of WITHOUT_PATH) {
    const of = (action: 'allow' | 'deny' | 'custom') =>
      compile([policy('p', action, [{ http: { ...ANY_HTTP_REQUEST, ...http } }], { provider: 'one' })]);
    t.equal(evaluate(of('allow'), SOURCE, connect).allowed, allows, `ALLOW: ${sentence}`);
    t.equal(evaluate(of('deny'), SOURCE, connect).allowed, !denies, `DENY: ${sentence}`);
    const asked = customProviders(of('custom'), SOURCE, connect, undefined).length === 1;
    t.equal(asked, denies, `CUSTOM, as DENY: ${sentence}`);
  }
  t.end();
});

/** A path that servers read in two ways, and what a policy of each action makes of it. */
const TWO_READINGS: readonly (readonly [
  sentence: string,
  path: string,
  http: Partial<HttpMatch>,
  allows: boolean,
  denies: boolean,
])[] = [
  ['doubled slashes', '//admin', { paths: [exact('/admin')] }, false, true],
  ['as it stands', '//admin', { paths: [exact('//admin')] }, true, true],
  ['an encoded slash', '/admin%2fusers', { paths: [template('/admin/{*}')] }, false, true],
  ['parameters', '/admin;x/users', { paths: [{ kind: 'prefix', value: '/admin/' }] }, false, true],
  ['none of both', '//ok;x', { paths: [exact('/admin')] }, false, false],
  ['all but it', '//admin', { notPaths: [exact('/admin')] }, false, true],
  ['all but as it stands', '/ok%2fa', { notPaths: [exact('/ok%2fa')] }, false, true],
  ['all but both', '//ok', { notPaths: [{ kind: 'suffix', value: '/ok' }] }, false, false],
  ['all but others', '//ok', { notPaths: [exact('/admin')] }, true, true],
];

test('of a path that servers read in two ways both count, on the strict side', t => {
  for (const [sentence, path, http, allows, denies] of TWO_READINGS) {
    const request = { ...GET, path };
    const of = (action: 'allow' | 'deny' | 'custom') =>
      compile([policy('p', action, [{ http: { ...ANY_HTTP_REQUEST, ...http } }], { provider: 'one' })]);
    t.equal(evaluate(of('allow'), SOURCE, request).allowed, allows, `ALLOW: ${sentence}`);
    t.equal(evaluate(of('deny'), SOURCE, request).allowed, !denies, `DENY: ${sentence}`);
    const asked = customProviders(of('custom'), SOURCE, request, undefined).length === 1;
    t.equal(asked, denies, `CUSTOM, as DENY: ${sentence}`);
  }
  t.end();
});

const parameter = (values: readonly StringMatch[], notValues: readonly StringMatch[] = []) => ({
  queryParams: [{ name: 'a', values, notValues }],
});

/** A query, and what a policy of each action makes of it. */
const QUERIES: readonly (readonly [
  sentence: string,
  query: string,
  http: Partial<HttpMatch>,
  allows: boolean,
  denies: boolean,
])[] = [
  ['its value', '?a=1', parameter([exact('1')]), true, true],
  ['another one', '?a=2', parameter([exact('1')]), false, false],
  ['decoded', '?%61=%31', parameter([exact('1')]), true, true],
  ['of another name', '?A=1&aa=1', parameter([exact('1')]), false, false],
  ['none', '', parameter([exact('1')]), false, false],
  ['any', '?a', parameter([{ kind: 'any' }]), true, true],
  ['a pattern is for the whole value', '?a=11', parameter([{ kind: 'regex', value: '1' }]), false, false],
  ['one of two', '?a=1&a=2', parameter([exact('1')]), false, true],
  ['one of two, the other way round', '?a=2&a=1', parameter([exact('1')]), false, true],
  ['all of two', '?a=1&a=1', parameter([exact('1')]), true, true],
  ['all but a value', '?a=2', parameter([], [exact('1')]), true, true],
  ['all but its value', '?a=1', parameter([], [exact('1')]), false, false],
  ['all but a value, where there is none', '', parameter([], [exact('1')]), true, true],
  ['all but one of two', '?a=1&a=2', parameter([], [exact('1')]), false, true],
];

test('of a parameter that comes several times every value counts, on the strict side', t => {
  for (const [sentence, query, http, allows, denies] of QUERIES) {
    const request = { ...GET, path: `/${query}` };
    const of = (action: 'allow' | 'deny') =>
      compile([policy('p', action, [{ http: { ...ANY_HTTP_REQUEST, ...http } }])]);
    t.equal(evaluate(of('allow'), SOURCE, request).allowed, allows, `ALLOW: ${sentence}`);
    t.equal(evaluate(of('deny'), SOURCE, request).allowed, !denies, `DENY: ${sentence}`);
  }
  t.end();
});

test('a value of a parameter that is too long for a pattern is refused', t => {
  const denied = compile([
    policy('p', 'deny', [{ http: { ...ANY_HTTP_REQUEST, ...parameter([{ kind: 'regex', value: '.*b' }]) } }]),
  ]);
  const long = 'x'.repeat(8_193);
  t.match(evaluate(denied, SOURCE, { ...GET, path: `/?a=1&a=${long}b` }), { allowed: false });
  t.match(evaluate(denied, SOURCE, { ...GET, path: `/?b=${long}b` }), { allowed: true });
  t.end();
});

test('CUSTOM: who is asked, each once, and nobody about a request that does not match', t => {
  const set = compile([
    policy('a', 'custom', [{}], { provider: 'one' }),
    policy('b', 'custom', [{ http: { ...ANY_HTTP_REQUEST, methods: [exact('POST')] } }], { provider: 'two' }),
    policy('c', 'custom', [{ namespaces: [exact('shop')] }], { provider: 'three' }),
    policy('d', 'custom', [{}], { provider: 'one' }),
    policy('e', 'custom', [{}], { provider: 'dry', dryRun: true }),
  ]);
  t.same(customProviders(set, SOURCE, GET, undefined), ['one', 'three']);
  t.same(customProviders(set, SOURCE, { ...GET, method: 'POST' }, undefined), ['one', 'two', 'three']);
  t.equal(evaluate(set, SOURCE, GET).allowed, true, 'the others decide');
  t.match(
    evaluate(set, SOURCE),
    { allowed: false, reason: /default\/a/ },
    'nobody can be asked about a connection',
  );
  t.end();
});

test('AUDIT: told of, and nothing else', t => {
  const set = compile([
    policy('a', 'audit', [{ http: { ...ANY_HTTP_REQUEST, requestPrincipals: [{ kind: 'presence' }] } }]),
    policy('b', 'audit', [EMPTY_MATCH]),
  ]);
  t.same(matchingAudits(set, SOURCE, GET, ANNA), ['default/a', 'default/b']);
  t.same(matchingAudits(set, SOURCE, GET, undefined), ['default/b']);
  t.match(evaluate(set, SOURCE, GET), { allowed: true, reason: 'no policy applies' });
  t.end();
});
