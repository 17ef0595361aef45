import { test } from 'tap';
import type { StringMatch } from '#shared/authz/policy.ts';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { translateAuthorizationPolicy } from './authorization-policy.ts';
import { exemptWaypoint } from './exempt-waypoint.ts';
import { isOfLastHop } from './last-hop.ts';

const OPTIONS = { rootNamespace: 'istio-system', trustDomain: 'cluster.local' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateAuthorizationPolicy(object, OPTIONS)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const rule = (fields: object): object => ({ rules: [fields] });
const source = (fields: object): object => rule({ from: [{ source: fields }] });
const operation = (fields: object): object => rule({ to: [{ operation: fields }] });
const when = (fields: object): object => rule({ when: [fields] });
const SOURCE = 'spec.rules[0].from[0].source';
const OPERATION = 'spec.rules[0].to[0].operation';

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', { action: 'DENY', rule: [] }, 'spec.rule', /no field of this object/],
  [
    'a misspelt field of a source',
    source({ principal: ['a'] }),
    `${SOURCE}.principal`,
    /no field of this object/,
  ],
  ['an unknown action', { action: 'BLOCK' }, 'spec.action', /not one of/],
  ['CUSTOM without a provider', { action: 'CUSTOM' }, 'spec.provider', /is required with CUSTOM/],
  ['a provider without a name', { action: 'CUSTOM', provider: {} }, 'spec.provider.name', /is required/],
  ['a provider without CUSTOM', { provider: { name: 'a' } }, 'spec.provider', /with CUSTOM only/],
  [
    'a selector with targetRefs',
    { selector: {}, targetRefs: [{ kind: 'Service', group: '', name: 'a' }] },
    'spec.selector',
    /cannot be together/,
  ],
  [
    'a target of an unknown kind',
    { targetRefs: [{ kind: 'Pod', name: 'a' }] },
    'spec.targetRefs[0].kind',
    /not one of/,
  ],
  [
    'a target of the wrong group',
    { targetRefs: [{ kind: 'Gateway', name: 'a' }] },
    'spec.targetRefs[0].group',
    /not the group of kind Gateway/,
  ],
  [
    'a target in another namespace',
    { targetRefs: [{ kind: 'Service', name: 'a', namespace: 'b' }] },
    'spec.targetRefs[0].namespace',
    /own namespace/,
  ],
  ['a from without a source', rule({ from: [{}] }), 'spec.rules[0].from[0].source', /is required/],
  ['a star in the middle', source({ principals: ['a*b'] }), `${SOURCE}.principals`, /"a\*b" has a "\*"/],
  ['an empty value', source({ namespaces: [''] }), `${SOURCE}.namespaces`, /empty value/],
  [
    'a range that is none',
    source({ ipBlocks: ['10.0.0.0/33'] }),
    `${SOURCE}.ipBlocks`,
    /"10.0.0.0\/33" is no IP address/,
  ],
  [
    'a service account that is none',
    source({ serviceAccounts: ['a/b/c'] }),
    `${SOURCE}.serviceAccounts`,
    /no service account/,
  ],
  ['a port that is none', operation({ ports: ['http'] }), `${OPERATION}.ports`, /"http" is no port/],
  ['a port as a number', operation({ ports: [80] }), `${OPERATION}.ports`, /list of strings/],
  ['a template that is no path', operation({ paths: ['a/{*}'] }), `${OPERATION}.paths`, /no absolute path/],
  ['a template with a star', operation({ paths: ['/a*/{*}'] }), `${OPERATION}.paths`, /holds "\*" or braces/],
  ['a template within a segment', operation({ paths: ['/a{*}'] }), `${OPERATION}.paths`, /mixes an operator/],
  [
    'a template with an operator behind {**}',
    operation({ paths: ['/{**}/a/{*}'] }),
    `${OPERATION}.paths`,
    /operator behind/,
  ],
  ['a condition without values', when({ key: 'source.ip' }), 'spec.rules[0].when[0].values', /is required/],
  [
    'a condition on nothing known',
    when({ key: 'source.color', values: ['red'] }),
    'spec.rules[0].when[0].key',
    /no attribute/,
  ],
  [
    'a condition on a pseudo-header',
    when({ key: 'request.headers[:path]', values: ['/'] }),
    'spec.rules[0].when[0].key',
    /pseudo-header/,
  ],
];

test('a wrong AuthorizationPolicy is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', spec), OPTIONS);
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { object: 'AuthorizationPolicy shop/it', field, message, fix: /./ }, name);
  }
});

test('what cannot be checked makes a policy stricter, and is said', async t => {
  const filter = {
    from: [{ source: { namespaces: ['shop'] } }],
    when: [{ key: 'experimental.envoy.filters', values: ['a'] }],
  };
  const allow = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', { rules: [filter] }), OPTIONS);
  t.match(allow, { ok: true, value: { full: { rules: [] } } }, 'an ALLOW rule allows nothing');
  t.match(allow.diagnostics[0], { severity: 'ignored', message: /the rule allows nothing/ });
  const deny = translateAuthorizationPolicy(
    kubeObject('AuthorizationPolicy', { action: 'DENY', rules: [filter] }),
    OPTIONS,
  );
  const rules = [{ clauses: [{ matches: [{ namespaces: [{ value: 'shop' }] }] }] }];
  t.match(deny, { ok: true, value: { full: { rules } } }, 'a DENY rule denies without that part');
  t.match(deny.diagnostics[0], { severity: 'ignored', message: /holds without regard to it/ });
});

test('connection.sni is held by the waypoint; a ztunnel, which reads nothing, holds the rule as it does HTTP rules', async t => {
  const sni = {
    from: [{ source: { namespaces: ['shop'] } }],
    when: [{ key: 'connection.sni', values: ['a.example', '*.b.example'], notValues: ['x.b.example'] }],
  };
  const allow = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', { rules: [sni] }), OPTIONS);
  const names = {
    serverNames: [
      { kind: 'exact', value: 'a.example' },
      { kind: 'suffix', value: '.b.example' },
    ],
    notServerNames: [{ kind: 'exact', value: 'x.b.example' }],
  };
  const rules = [{ clauses: [{}, { matches: [names] }] }];
  t.match(
    allow,
    { ok: true, value: { full: { rules }, l4: { rules: [] } } },
    'ALLOW: nothing at the ztunnel',
  );
  t.same(allow.diagnostics, [], 'which is said where no waypoint holds it: not of the object alone');
  const denying = { action: 'DENY', rules: [sni] };
  const deny = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', denying), OPTIONS);
  const source = { matches: [{ namespaces: [{ value: 'shop' }], serverNames: [], notServerNames: [] }] };
  t.match(deny, { value: { l4: { rules: [{ clauses: [source] }] } } }, 'DENY: the rest of the rule');
  const only = { action: 'DENY', rules: [{ when: sni.when }] };
  const nothing = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', only), OPTIONS);
  t.match(nothing, { value: { l4: undefined } }, 'of which nothing is left');
});

const AT_ZTUNNEL: readonly [string, object, object | undefined][] = [
  ['exact', { trustDomains: ['td'] }, { principals: [{ kind: 'prefix', value: 'td/' }] }],
  ['by its beginning', { trustDomains: ['td*'] }, { principals: [{ kind: 'prefix', value: 'td' }] }],
  ['any', { trustDomains: ['*'] }, { principals: [{ kind: 'presence' }] }],
  [
    'none of these, and none of these principals',
    { notTrustDomains: ['td'], notPrincipals: ['x/ns/a/sa/b'] },
    { notPrincipals: [{ value: 'x/ns/a/sa/b' }, { kind: 'prefix', value: 'td/' }] },
  ],
  ['by its end: not to be said by principals', { trustDomains: ['*.example'] }, undefined],
  ['beside principals: nor that', { trustDomains: ['td'], principals: ['*/sa/a'] }, undefined],
];

test('trust domains: a ztunnel is told by principals, where they can say it', async t => {
  for (const [name, fields, expected] of AT_ZTUNNEL) {
    const object = kubeObject('AuthorizationPolicy', source(fields));
    const result = translateAuthorizationPolicy(object, OPTIONS);
    if (!result.ok || result.value.l4 === undefined) throw new Error(name);
    const { full, l4 } = result.value;
    t.match(full.rules[0]?.clauses[0]?.matches[0], { serverNames: [] }, name);
    t.same(full.rules.length, 1, name);
    const none = { trustDomains: [], notTrustDomains: [] };
    if (expected === undefined) t.same(l4.rules, [], `${name}: allows nothing there`);
    else t.match(l4.rules, [{ clauses: [{ matches: [{ ...expected, ...none }] }] }], name);
  }
  const condition = when({ key: 'source.trustDomain', values: ['td'], notValues: ['x'] });
  const result = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', condition), OPTIONS);
  const match = { trustDomains: [{ value: 'td' }], notTrustDomains: [{ value: 'x' }] };
  t.match(result, { value: { full: { rules: [{ clauses: [{ matches: [match] }] }] } } }, 'as a condition');
});

const LOCAL_PRINCIPALS: readonly [string, string, StringMatch][] = [
  ['an identity', 'cluster.local/ns/a/sa/b', { kind: 'exact', value: 'corp.test/ns/a/sa/b' }],
  [
    'with its scheme',
    'spiffe://cluster.local/ns/a/sa/b',
    { kind: 'exact', value: 'spiffe://corp.test/ns/a/sa/b' },
  ],
  ['a namespace', 'cluster.local/ns/a/*', { kind: 'prefix', value: 'corp.test/ns/a/' }],
  ['everybody of it', 'cluster.local/*', { kind: 'prefix', value: 'corp.test/' }],
  [
    'another trust domain is another',
    'cluster.localhost/ns/a/sa/b',
    { kind: 'exact', value: 'cluster.localhost/ns/a/sa/b' },
  ],
  ['whatever the trust domain is', '*/ns/a/sa/b', { kind: 'suffix', value: '/ns/a/sa/b' }],
];

test('cluster.local in principals is the trust domain of the mesh', async t => {
  const options = { ...OPTIONS, trustDomain: 'corp.test' };
  for (const [name, principal, expected] of LOCAL_PRINCIPALS) {
    const [yes, no] = [{ principals: [expected] }, { notPrincipals: [expected] }];
    for (const [spec, match] of [
      [source({ principals: [principal] }), yes],
      [source({ notPrincipals: [principal] }), no],
      [when({ key: 'source.principal', values: [principal] }), yes],
      [when({ key: 'source.principal', notValues: [principal] }), no],
    ] as const) {
      const result = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', spec), options);
      t.match(result, { ok: true, value: { full: { rules: [{ clauses: [{ matches: [match] }] }] } } }, name);
    }
  }
});

test('AUDIT and CUSTOM are for waypoints alone', async t => {
  for (const [action, spec] of [
    ['audit', { action: 'AUDIT', rules: [{}] }],
    ['custom', { action: 'CUSTOM', provider: { name: 'opa' }, rules: [{}] }],
  ] as const) {
    const result = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', spec), OPTIONS);
    t.match(result, { ok: true, value: { full: { action }, l4: undefined }, diagnostics: [] }, action);
  }
});

const USER = {
  principal: 'https://issuer/alice',
  claims: { aud: ['shop', 'bank'], azp: 'app', groups: ['admin', 'ops'], realm: { role: 'boss' } },
};
const REQUEST = {
  method: 'GET',
  authority: 'shop',
  path: '/items/7/parts/a/b?x',
  headers: ['x-forwarded-for', '9.9.9.9, 1.2.3.4'],
};

const REQUEST_ATTRIBUTES: readonly [string, object, boolean][] = [
  ['a request principal', source({ requestPrincipals: ['https://issuer/alice'] }), true],
  ['a request principal by its issuer', source({ requestPrincipals: ['https://issuer/*'] }), true],
  ['another does not match', source({ requestPrincipals: ['https://issuer/bob'] }), false],
  ['nor one that must not be', source({ notRequestPrincipals: ['*'] }), false],
  ['the client as the nearest proxy reports it', source({ remoteIpBlocks: ['1.2.3.0/24'] }), true],
  ['no client further away', source({ remoteIpBlocks: ['9.9.9.9'] }), false],
  ['a client that must not be', source({ notRemoteIpBlocks: ['1.2.3.4'] }), false],
  ['the same as a condition', when({ key: 'remote.ip', values: ['1.2.3.4'] }), true],
  ['{*} is one segment', operation({ paths: ['/items/{*}/parts/{*}/b'] }), true],
  ['{*} is not two', operation({ paths: ['/items/{*}/b'] }), false],
  ['{**} is any number of segments', operation({ paths: ['/items/{**}'] }), true],
  ['{**} may be followed by text', operation({ paths: ['/items/{**}/b'] }), true],
  ['a template that must not match', operation({ notPaths: ['/items/{**}'] }), false],
  ['templates and other paths', operation({ paths: ['/no', '/items/{**}'] }), true],
  ['request.auth.principal', when({ key: 'request.auth.principal', values: ['*/alice'] }), true],
  ['request.auth.audiences', when({ key: 'request.auth.audiences', values: ['bank'] }), true],
  ['request.auth.presenter', when({ key: 'request.auth.presenter', values: ['app'] }), true],
  ['a claim that is a list', when({ key: 'request.auth.claims[groups]', values: ['admin'] }), true],
  ['a claim within another', when({ key: 'request.auth.claims[realm][role]', values: ['boss'] }), true],
  ['a claim that must not be', when({ key: 'request.auth.claims[groups]', notValues: ['ops'] }), false],
  ['a claim that is not there', when({ key: 'request.auth.claims[other]', values: ['*'] }), false],
];

test('what is asked of a request and its token', async t => {
  for (const [name, spec, expected] of REQUEST_ATTRIBUTES) {
    const result = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', spec), OPTIONS);
    if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.diagnostics)}`);
    const connection = authzConnection({
      sourceIdentity: 'spiffe://cluster.local/ns/shop/sa/orders',
      sourceIp: '10.0.0.1',
      destinationIp: '10.0.0.2',
      destinationPort: 80,
    });
    const decision = evaluate(compile([result.value.full]), connection, REQUEST, USER);
    t.equal(decision.allowed, expected, name);
  }
});

/** What a condition is the same as, with its values and with those it must not have. */
const CONDITIONS: readonly (readonly [
  key: string,
  of: (values: object) => object,
  field: string,
  values: string[],
])[] = [
  ['source.ip', source, 'ipBlocks', ['10.0.0.0/8']],
  ['remote.ip', source, 'remoteIpBlocks', ['10.0.0.0/8']],
  ['source.namespace', source, 'namespaces', ['shop', 'a*']],
  ['source.principal', source, 'principals', ['td/ns/shop/sa/a']],
  ['source.serviceAccount', source, 'serviceAccounts', ['shop/a']],
  ['source.trustDomain', source, 'trustDomains', ['td']],
  ['request.auth.principal', source, 'requestPrincipals', ['https://a/b']],
  ['destination.port', operation, 'ports', ['80', '443']],
];

test('a condition says what the field of its name says', async t => {
  const translated = (spec: object): unknown => {
    const result = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', spec), OPTIONS);
    return result.ok ? result.value.full.rules[0]?.clauses[0]?.matches : result.diagnostics;
  };
  for (const [key, of, field, values] of CONDITIONS) {
    const not = `not${field.charAt(0).toUpperCase()}${field.slice(1)}`;
    t.same(translated(when({ key, values })), translated(of({ [field]: values })), key);
    t.same(translated(when({ key, notValues: values })), translated(of({ [not]: values })), `not ${key}`);
  }
  t.match(
    translated(when({ key: 'destination.ip', values: ['10.0.0.1'], notValues: ['10.0.0.2'] })),
    [{ destinationIps: [{ ip: '10.0.0.1' }], notDestinationIps: [{ ip: '10.0.0.2' }] }],
    'which there is no field for',
  );
});

test('scopes', async t => {
  const scope = (spec: object, namespace: string): object | false => {
    const result = translateAuthorizationPolicy(
      kubeObject('AuthorizationPolicy', spec, { namespace }),
      OPTIONS,
    );
    if (!result.ok) return false;
    const { full, selectsEveryNamespace, selects } = result.value;
    return {
      scope: full.scope,
      selectsEveryNamespace,
      selects: selects === undefined ? undefined : [...selects],
    };
  };
  const none = { selectsEveryNamespace: false, selects: undefined };
  const selector = { selector: { matchLabels: { app: 'a' } } };
  t.same(scope({}, 'shop'), { scope: 'namespace', ...none }, 'without a selector: its namespace');
  t.same(scope({}, 'istio-system'), { scope: 'global', ...none }, 'in the root namespace: the mesh');
  t.same(scope({ selector: {} }, 'shop'), { scope: 'namespace', ...none }, 'an empty selector is none');
  t.same(
    scope(selector, 'shop'),
    { scope: 'workload_selector', selectsEveryNamespace: false, selects: [['app', 'a']] },
    'with a selector: the workloads of its namespace',
  );
  t.same(
    scope(selector, 'istio-system'),
    { scope: 'workload_selector', selectsEveryNamespace: true, selects: [['app', 'a']] },
    'in the root namespace: those of every namespace',
  );
});

test('exemptWaypoint', async t => {
  const waypoint = 'cluster.local/ns/shop/sa/waypoint';
  const decide = (spec: object, source: string, exempt: readonly string[]): boolean | undefined => {
    const result = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', spec), OPTIONS);
    if (!result.ok || result.value.l4 === undefined) return undefined;
    const connection = authzConnection({
      sourceIdentity: `spiffe://${source}`,
      sourceIp: '10.0.0.1',
      destinationIp: '10.0.0.2',
      destinationPort: 80,
    });
    return evaluate(compile([exemptWaypoint(result.value.l4, exempt)]), connection).allowed;
  };
  const other = 'cluster.local/ns/shop/sa/other';
  const allowOrders = source({ principals: ['*/sa/orders'] });
  t.equal(decide(allowOrders, waypoint, []), false, 'without it an ALLOW refuses the waypoint');
  t.equal(decide(allowOrders, waypoint, [waypoint]), true, 'with it the waypoint passes');
  t.equal(decide(allowOrders, other, [waypoint]), false, 'and nobody else');
  t.equal(decide({}, waypoint, [waypoint]), true, 'a default deny lets the waypoint pass too');
  const denyOthers = { action: 'DENY', ...source({ notPrincipals: ['*/sa/orders'] }) };
  t.equal(decide(denyOthers, waypoint, []), false, 'without it a DENY refuses the waypoint');
  t.equal(decide(denyOthers, waypoint, [waypoint]), true, 'with it the waypoint passes');
  t.equal(decide(denyOthers, other, [waypoint]), false, 'and nobody else');
});

const W = 'cluster.local/ns/shop/sa/waypoint';
const LAST_HOP: readonly [string, object, boolean][] = [
  ['nobody but the waypoint is allowed', source({ principals: [W] }), true],
  ['all but the waypoint are denied', { action: 'DENY', ...source({ notPrincipals: [W] }) }, true],
  ['clients beside the waypoint are named', source({ principals: ['cluster.local/ns/a/sa/b', W] }), true],
  [
    'the waypoint is named in a trust domain of any name',
    source({ principals: ['*/ns/shop/sa/waypoint'] }),
    true,
  ],
  ['the waypoint is named by its service account', source({ serviceAccounts: ['shop/waypoint'] }), true],
  ['the waypoint is named in a condition', when({ key: 'source.principal', notValues: [W] }), true],
  ['another account is named', source({ principals: ['cluster.local/ns/shop/sa/waypoint-2'] }), false],
  ['a namespace the waypoint is in', source({ namespaces: ['shop'] }), false],
  [
    'a pattern that the waypoint happens to match',
    source({ principals: ['cluster.local/ns/shop/*', '*'] }),
    false,
  ],
  [
    'HTTP is asked for as well',
    rule({ from: [{ source: { principals: [W] } }], to: [{ operation: { methods: ['GET'] } }] }),
    false,
  ],
  [
    'an authorizer is asked',
    { action: 'CUSTOM', provider: { name: 'a' }, ...source({ principals: [W] }) },
    false,
  ],
];

test('a policy is of the last hop, and held by ztunnels alone, where it names the waypoint', async t => {
  for (const [name, spec, expected] of LAST_HOP) {
    const result = translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', spec), OPTIONS);
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
    t.equal(isOfLastHop(result.value.full, W), expected, name);
  }
});
