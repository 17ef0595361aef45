import { test } from 'tap';
import { compile } from './compile.ts';
import { authzConnection, type AuthzConnectionInput, withServerName } from './connection.ts';
import { evaluate, evaluateDryRun } from './evaluate.ts';
import { ANY_HTTP_REQUEST, EMPTY_MATCH } from './policy.ts';
import type { AuthorizationPolicy, HttpMatch, Match, StringMatch } from './policy.ts';
import type { AuthzRequest } from './request.ts';

const exact = (value: string) => ({ kind: 'exact', value }) as const;
const prefix = (value: string) => ({ kind: 'prefix', value }) as const;
const suffix = (value: string) => ({ kind: 'suffix', value }) as const;
const presence: StringMatch = { kind: 'presence' };

const ORDERS: AuthzConnectionInput = {
  sourceIdentity: 'spiffe://cluster.local/ns/shop/sa/orders',
  sourceIp: '10.1.2.3',
  destinationIp: '10.1.9.9',
  destinationPort: 8080,
};
const PLAINTEXT: AuthzConnectionInput = { ...ORDERS, sourceIdentity: undefined };
const V6: AuthzConnectionInput = { ...ORDERS, sourceIp: 'fd00::12', destinationIp: 'fd00:9::1' };

function policy(matches: readonly Match[], over: Partial<AuthorizationPolicy> = {}): AuthorizationPolicy {
  return {
    name: 'p',
    namespace: 'payments',
    scope: 'namespace',
    action: 'allow',
    rules: [{ clauses: [{ matches }] }],
    dryRun: false,
    provider: undefined,
    ...over,
  };
}

const match = (over: Partial<Match>): Match => ({ ...EMPTY_MATCH, ...over });

function matches(m: Match, input: AuthzConnectionInput, request?: AuthzRequest): boolean {
  return evaluate(compile([policy([m])]), authzConnection(input), request).allowed;
}

const range = (ip: string, prefixLength: number) => ({ ip, prefixLength });

const FIELDS: readonly [string, Partial<Match>, AuthzConnectionInput, boolean][] = [
  ['an empty match matches a connection with identity', {}, ORDERS, true],
  ['an empty match matches plaintext', {}, PLAINTEXT, true],
  [
    'a principal is compared without its scheme',
    { principals: [exact('cluster.local/ns/shop/sa/orders')] },
    ORDERS,
    true,
  ],
  [
    'a principal written with its scheme means the same',
    { principals: [exact('spiffe://cluster.local/ns/shop/sa/orders')] },
    ORDERS,
    true,
  ],
  [
    'another principal does not match',
    { principals: [exact('cluster.local/ns/shop/sa/order')] },
    ORDERS,
    false,
  ],
  ['a principal may match by prefix', { principals: [prefix('cluster.local/ns/shop/')] }, ORDERS, true],
  ['a principal may match by suffix', { principals: [suffix('/sa/orders')] }, ORDERS, true],
  ['a principal may match by presence', { principals: [presence] }, ORDERS, true],
  ['plaintext has no principal', { principals: [presence] }, PLAINTEXT, false],
  ['not_principals presence matches plaintext only', { notPrincipals: [presence] }, PLAINTEXT, true],
  ['not_principals presence excludes an identity', { notPrincipals: [presence] }, ORDERS, false],
  ['any value of a field is enough', { principals: [exact('a'), suffix('orders')] }, ORDERS, true],
  [
    'one value of a not-field is enough to exclude',
    { notPrincipals: [exact('a'), suffix('orders')] },
    ORDERS,
    false,
  ],
  ['the trust domain is the identity’s', { trustDomains: [exact('cluster.local')] }, ORDERS, true],
  ['a trust domain is compared whole', { trustDomains: [exact('cluster.loca')] }, ORDERS, false],
  ['a trust domain may match by prefix', { trustDomains: [prefix('cluster.')] }, ORDERS, true],
  ['a trust domain may match by suffix', { trustDomains: [suffix('.local')] }, ORDERS, true],
  ['…not by what follows it', { trustDomains: [suffix('orders')] }, ORDERS, false],
  [
    'a trust domain and a principal must both hold',
    { trustDomains: [exact('cluster.local')], principals: [exact('other/ns/shop/sa/orders')] },
    ORDERS,
    false,
  ],
  ['plaintext has no trust domain', { trustDomains: [presence] }, PLAINTEXT, false],
  ['not_trust_domains excludes', { notTrustDomains: [exact('cluster.local')] }, ORDERS, false],
  ['not_trust_domains lets plaintext pass', { notTrustDomains: [presence] }, PLAINTEXT, true],
  ['the namespace is the identity’s', { namespaces: [exact('shop')] }, ORDERS, true],
  ['a namespace may match by prefix', { namespaces: [prefix('sh')] }, ORDERS, true],
  ['plaintext has no namespace', { namespaces: [exact('shop')] }, PLAINTEXT, false],
  ['not_namespaces excludes', { notNamespaces: [exact('shop')] }, ORDERS, false],
  ['not_namespaces lets plaintext pass', { notNamespaces: [exact('shop')] }, PLAINTEXT, true],
  [
    'an identity of another form has no namespace',
    { namespaces: [presence] },
    { ...ORDERS, sourceIdentity: 'spiffe://td/vm/1' },
    false,
  ],
  [
    'a longer identity has no namespace',
    { namespaces: [presence] },
    { ...ORDERS, sourceIdentity: 'spiffe://td/ns/a/sa/b/c' },
    false,
  ],
  [
    'a service account is matched with its namespace',
    { serviceAccounts: [{ namespace: 'shop', serviceAccount: 'orders' }] },
    ORDERS,
    true,
  ],
  [
    'a service account of the same name elsewhere does not match',
    { serviceAccounts: [{ namespace: 'other', serviceAccount: 'orders' }] },
    ORDERS,
    false,
  ],
  [
    'a service account without namespace is of the policy’s own',
    { serviceAccounts: [{ namespace: '', serviceAccount: 'orders' }] },
    { ...ORDERS, sourceIdentity: 'spiffe://cluster.local/ns/payments/sa/orders' },
    true,
  ],
  [
    'not_service_accounts excludes',
    { notServiceAccounts: [{ namespace: 'shop', serviceAccount: 'orders' }] },
    ORDERS,
    false,
  ],
  ['a source range holds the address', { sourceIps: [range('10.1.0.0', 16)] }, ORDERS, true],
  ['a source range does not hold another', { sourceIps: [range('10.2.0.0', 16)] }, ORDERS, false],
  ['a range need not end at a byte', { sourceIps: [range('10.1.2.0', 30)] }, ORDERS, true],
  ['a single address is a range', { sourceIps: [range('10.1.2.3', 32)] }, ORDERS, true],
  ['not_source_ips excludes', { notSourceIps: [range('10.1.2.3', 32)] }, ORDERS, false],
  ['an IPv6 range holds the address', { sourceIps: [range('fd00::', 120)] }, V6, true],
  ['an IPv4 range holds no IPv6 address', { sourceIps: [range('0.0.0.0', 0)] }, V6, false],
  [
    'an IPv4-mapped source is the IPv4 address',
    { sourceIps: [range('10.1.0.0', 16)] },
    { ...ORDERS, sourceIp: '::ffff:10.1.2.3' },
    true,
  ],
  [
    'a source that is no address matches no range',
    { sourceIps: [range('0.0.0.0', 0)] },
    { ...ORDERS, sourceIp: '' },
    false,
  ],
  ['a range that does not parse matches nothing', { sourceIps: [range('nonsense', 8)] }, ORDERS, false],
  ['a destination range holds the address', { destinationIps: [range('10.1.9.0', 24)] }, ORDERS, true],
  ['a destination IPv6 range holds the address', { destinationIps: [range('fd00:9::', 32)] }, V6, true],
  ['not_destination_ips excludes', { notDestinationIps: [range('10.1.9.9', 32)] }, ORDERS, false],
  ['a destination port matches', { destinationPorts: [80, 8080] }, ORDERS, true],
  ['another destination port does not', { destinationPorts: [80] }, ORDERS, false],
  ['not_destination_ports excludes', { notDestinationPorts: [8080] }, ORDERS, false],
  ['all set fields must match', { principals: [presence], destinationPorts: [80] }, ORDERS, false],
];

test('each L4 field matches as the wire protocol says', async t => {
  for (const [name, fields, input, expected] of FIELDS)
    t.equal(matches(match(fields), input), expected, name);
});

const GET: AuthzRequest = {
  method: 'GET',
  authority: 'Shop.example.com:8080',
  path: '/orders/42?debug=/admin',
  headers: ['x-user', 'alice', 'x-group', 'a', 'x-group', 'b', 'x-empty', ''],
};

const header = (name: string, values: StringMatch[], notValues: StringMatch[] = []) => ({
  headers: [{ name, values, notValues }],
});

const HTTP: readonly [string, Partial<HttpMatch>, Partial<AuthzRequest>, boolean][] = [
  ['a host is compared without regard to case', { hosts: [exact('SHOP.example.COM')] }, {}, true],
  ['a host that names the port matches it', { hosts: [exact('shop.example.com:8080')] }, {}, true],
  ['a host that names another port does not match', { hosts: [exact('shop.example.com:80')] }, {}, false],
  [
    'the dot of the root is no part of a host',
    { hosts: [exact('shop.example.com')] },
    { authority: 'shop.example.com.' },
    true,
  ],
  [
    '…nor where a port is named',
    { hosts: [exact('shop.example.com:80')] },
    { authority: 'shop.example.com.:80' },
    true,
  ],
  ['a host may match by suffix', { hosts: [suffix('.example.com')] }, {}, true],
  ['a host prefix that ends in a colon asks for a port', { hosts: [prefix('shop.example.com:')] }, {}, true],
  [
    '…and does not match without one',
    { hosts: [prefix('shop.example.com:')] },
    { authority: 'shop.example.com' },
    false,
  ],
  ['an IPv6 host keeps its colons', { hosts: [exact('[fd00::1]')] }, { authority: '[fd00::1]' }, true],
  [
    'an IPv6 host is compared without its port',
    { hosts: [exact('[fd00::1]')] },
    { authority: '[fd00::1]:80' },
    true,
  ],
  ['notHosts excludes on every port', { notHosts: [exact('shop.example.com')] }, {}, false],
  ['a method matches', { methods: [exact('GET')] }, {}, true],
  ['a method is compared with regard to case', { methods: [exact('get')] }, {}, false],
  ['notMethods excludes', { notMethods: [exact('GET')] }, {}, false],
  ['a path matches without the query', { paths: [exact('/orders/42')] }, {}, true],
  ['the query is no part of the path', { paths: [suffix('/admin')] }, {}, false],
  ['a path may match by prefix', { paths: [prefix('/orders/')] }, {}, true],
  ['a path may match by suffix', { paths: [suffix('/42')] }, {}, true],
  ['a path may match by presence', { paths: [presence] }, {}, true],
  ['notPaths excludes', { notPaths: [prefix('/orders')] }, {}, false],
  ['an encoded letter is the letter', { paths: [exact('/admin')] }, { path: '/%61dmin' }, true],
  ['dot segments are resolved first', { paths: [exact('/admin')] }, { path: '/public/../admin' }, true],
  [
    'encoded dot segments are resolved too',
    { paths: [exact('/admin')] },
    { path: '/public/%2e%2E/admin' },
    true,
  ],
  ['a backslash is a slash', { paths: [exact('/a/admin')] }, { path: '/a\\admin' }, true],
  ['an encoded slash stays', { paths: [exact('/a/b')] }, { path: '/a%2Fb' }, false],
  ['decoding happens once', { paths: [exact('/admin')] }, { path: '/%2561dmin' }, false],
  ['a header matches', header('x-user', [exact('alice')]), {}, true],
  ['a header name is compared without regard to case', header('X-User', [exact('alice')]), {}, true],
  ['a repeated header is compared joined by a comma', header('x-group', [exact('a,b')]), {}, true],
  ['and each value by itself: a second one hides nothing', header('x-group', [exact('b')]), {}, true],
  ['notValues excludes any value of a repeated header', header('x-group', [], [exact('a')]), {}, false],
  ['a header may match by presence', header('x-user', [presence]), {}, true],
  ['an absent header matches nothing', header('x-other', [presence]), {}, false],
  ['an empty header is not present', header('x-empty', [presence]), {}, false],
  ['notValues excludes', header('x-user', [], [prefix('al')]), {}, false],
  ['notValues lets an absent header pass', header('x-other', [], [exact('a')]), {}, true],
  ['any value is an empty one too', header('x-empty', [{ kind: 'any' }]), {}, true],
  ['any value is no absent one', header('x-other', [{ kind: 'any' }]), {}, false],
  ['a value without regard to case', header('x-user', [{ ...exact('ALICE'), ignoreCase: true }]), {}, true],
  ['a prefix without regard to case', header('x-user', [{ ...prefix('AL'), ignoreCase: true }]), {}, true],
  ['a suffix without regard to case', header('x-user', [{ ...suffix('Ice'), ignoreCase: true }]), {}, true],
  [
    'a part without regard to case',
    header('x-user', [{ kind: 'contains', value: 'LIC', ignoreCase: true }]),
    {},
    true,
  ],
  ['with regard to case it is another', header('x-user', [exact('ALICE')]), {}, false],
];

const SERVER_NAMES: readonly [string, Partial<Match>, string | undefined, allow: boolean, deny: boolean][] = [
  ['the name that is asked for', { serverNames: [exact('a.example')] }, 'a.example', true, true],
  ['whatever the case', { serverNames: [exact('A.example')] }, 'a.Example', true, true],
  ['a dot at the end makes no other name', { serverNames: [exact('a.example')] }, 'a.example.', true, true],
  ['another name does not match', { serverNames: [exact('a.example')] }, 'b.example', false, false],
  ['all names of a domain', { serverNames: [suffix('.example')] }, 'a.example', true, true],
  ['any name', { serverNames: [presence] }, 'a.example', true, true],
  ['no TLS is no name', { serverNames: [presence] }, '', false, false],
  ['a name that must not be', { notServerNames: [exact('a.example')] }, 'a.example', false, false],
  ['another name than that', { notServerNames: [exact('a.example')] }, 'b.example', true, true],
  ['no name is another one', { notServerNames: [exact('a.example')] }, '', true, true],
  ['what is not known allows nothing', { serverNames: [presence] }, undefined, false, true],
  ['nor by what it must not be', { notServerNames: [exact('a.example')] }, undefined, false, true],
  [
    'and is denied where the rest of the rule matches only',
    { serverNames: [presence], destinationPorts: [1] },
    undefined,
    false,
    false,
  ],
];

test('connection.sni: where it is not known, ALLOW does not match and DENY does', async t => {
  for (const [name, fields, serverName, allow, deny] of SERVER_NAMES) {
    const decide = (action: AuthorizationPolicy['action']) =>
      evaluate(
        compile([policy([match(fields)], { action })]),
        withServerName(authzConnection(ORDERS), serverName),
      );
    t.equal(decide('allow').allowed, allow, `${name}: ALLOW`);
    t.equal(decide('deny').allowed, !deny, `${name}: DENY`);
    t.equal(decide('custom').allowed, !deny, `${name}: CUSTOM, of which nobody can be asked`);
  }
  const named = match({ serverNames: [presence] });
  t.equal(matches(named, ORDERS, GET), false, 'a request that is read has no TLS of its own');
  t.equal(
    compile([policy([named], { dryRun: true })]).asksServerName,
    true,
    'a dry run wants to know it too',
  );
  t.equal(compile([policy([match({})])]).asksServerName, false, 'else nobody does');
});

test('each L7 field matches as Istio compares it', async t => {
  for (const [name, http, request, expected] of HTTP) {
    const m = match({ http: { ...ANY_HTTP_REQUEST, ...http } });
    t.equal(matches(m, ORDERS, { ...GET, ...request }), expected, name);
  }
  const bad = evaluate(compile([policy([EMPTY_MATCH])]), authzConnection(ORDERS), { ...GET, path: '/a%00b' });
  t.equal(bad.allowed, false, 'a path with NUL is denied whatever the policies say');
});

test('what is too long for a pattern is denied: a pattern never matches it, and a DENY would be got past', async t => {
  const long = 'a'.repeat(9_000);
  const byPath = policy(
    [match({ http: { ...ANY_HTTP_REQUEST, paths: [{ kind: 'template', value: '/admin/{**}' }] } })],
    {
      action: 'deny',
    },
  );
  const byHeader = policy(
    [match({ http: { ...ANY_HTTP_REQUEST, ...header('x-user', [{ kind: 'regex', value: 'a.*' }]) } })],
    {
      action: 'deny',
    },
  );
  const decide = (of: AuthorizationPolicy, over: Partial<AuthzRequest>) =>
    evaluate(compile([of]), authzConnection(ORDERS), { ...GET, ...over });
  t.match(decide(byPath, { path: `/admin/${long}` }), { allowed: false, reason: /longer than the 8192/ });
  t.equal(
    decide(byPath, { headers: ['x-user', long] }).allowed,
    true,
    'what no pattern is about may be long',
  );
  t.equal(decide(byPath, { path: `/?${long}` }).allowed, true, 'the query is no part of the path');
  t.match(decide(byHeader, { headers: ['x-user', long] }), {
    allowed: false,
    reason: /longer than the 8192/,
  });
  const asked = compile([{ ...byPath, action: 'custom', provider: 'p' }]);
  t.equal(
    evaluate(asked, authzConnection(ORDERS), { ...GET, path: `/admin/${long}` }).allowed,
    false,
    'and a CUSTOM policy would not be asked',
  );
});

const deny = (m: Partial<Match>, name = 'deny-p'): AuthorizationPolicy =>
  policy([match(m)], { name, action: 'deny' });
const allow = (m: Partial<Match>, name = 'allow-p'): AuthorizationPolicy => policy([match(m)], { name });
const FROM_SHOP = { namespaces: [exact('shop')] };
const FROM_OTHER = { namespaces: [exact('other')] };
const WITH_HTTP = { http: { ...ANY_HTTP_REQUEST, methods: [exact('GET')] } };

const ORDER: readonly [string, readonly AuthorizationPolicy[], boolean, string][] = [
  ['with no policy everything is allowed', [], true, 'no policy applies'],
  ['a DENY that matches denies', [deny(FROM_SHOP)], false, 'denied by payments/deny-p rule 0'],
  ['a DENY wins over an ALLOW', [allow({}), deny(FROM_SHOP)], false, 'denied by payments/deny-p rule 0'],
  [
    'a DENY that does not match leaves it open',
    [deny(FROM_OTHER)],
    true,
    'no DENY policy matched and no ALLOW policy applies',
  ],
  ['an ALLOW that matches allows', [allow(FROM_SHOP)], true, 'allowed by payments/allow-p rule 0'],
  [
    'an ALLOW that does not match refuses, and says what to do',
    [allow(FROM_OTHER, 'orders-only')],
    false,
    'no ALLOW policy of payments/orders-only matched: source spiffe://cluster.local/ns/shop/sa/orders; add the principal to a rule',
  ],
  [
    'one ALLOW of several is enough',
    [allow(FROM_OTHER, 'a'), allow(FROM_SHOP, 'b')],
    true,
    'allowed by payments/b rule 0',
  ],
  [
    'an ALLOW with no rule matches nothing: default deny',
    [policy([], { name: 'default-deny', rules: [] })],
    false,
    'no ALLOW policy of payments/default-deny matched: source spiffe://cluster.local/ns/shop/sa/orders; add the principal to a rule',
  ],
  [
    'a DENY with no rule matches nothing',
    [policy([], { action: 'deny', rules: [] })],
    true,
    'no DENY policy matched and no ALLOW policy applies',
  ],
  [
    'a rule with no clause matches everything',
    [policy([], { rules: [{ clauses: [] }] })],
    true,
    'allowed by payments/p rule 0',
  ],
  [
    'the rule that matched is named',
    [policy([], { rules: [{ clauses: [{ matches: [match(FROM_OTHER)] }] }, { clauses: [] }] })],
    true,
    'allowed by payments/p rule 1',
  ],
  [
    'every clause of a rule must match',
    [
      policy([], {
        action: 'deny',
        rules: [{ clauses: [{ matches: [EMPTY_MATCH] }, { matches: [match(FROM_OTHER)] }] }],
      }),
    ],
    true,
    'no DENY policy matched and no ALLOW policy applies',
  ],
  [
    'one match of a clause is enough',
    [policy([match(FROM_OTHER), match(FROM_SHOP)])],
    true,
    'allowed by payments/p rule 0',
  ],
  [
    'an ALLOW with HTTP fields does not match a connection',
    [allow(WITH_HTTP)],
    false,
    'no ALLOW policy of payments/allow-p matched: source spiffe://cluster.local/ns/shop/sa/orders; add the principal to a rule',
  ],
  [
    'a DENY with HTTP fields is compared without them',
    [deny({ ...FROM_SHOP, ...WITH_HTTP })],
    false,
    'denied by payments/deny-p rule 0',
  ],
];

test('DENY, then ALLOW, with a reason an operator can act on', async t => {
  for (const [name, policies, allowed, reason] of ORDER) {
    const decision = evaluate(compile(policies), authzConnection(ORDERS));
    t.equal(decision.allowed, allowed, name);
    t.equal(decision.reason, reason, name);
  }
});

test('reasons for plaintext and for many policies', async t => {
  const many = ['a', 'b', 'c', 'd', 'e'].map(name => allow(FROM_OTHER, name));
  t.equal(
    evaluate(compile(many), authzConnection(PLAINTEXT)).reason,
    'no ALLOW policy of payments/a, payments/b, payments/c and 2 more matched: source 10.1.2.3 without identity ' +
      '(plaintext); bring it into the mesh or add its address to a rule',
  );
  const strict = deny({ notPrincipals: [presence] }, 'istio_converted_static_strict');
  t.match(evaluate(compile([strict]), authzConnection(PLAINTEXT)), {
    allowed: false,
    policy: 'payments/istio_converted_static_strict',
    rule: 0,
    reason: /mutual TLS is required/,
  });
});

test('a dry-run policy is evaluated and never enforced', async t => {
  const trial: AuthorizationPolicy = { ...deny(FROM_SHOP), dryRun: true };
  const set = compile([trial]);
  t.equal(evaluate(set, authzConnection(ORDERS)).allowed, true, 'the decision ignores it');
  t.match(
    evaluateDryRun(set, authzConnection(ORDERS)),
    { allowed: false, policy: 'payments/deny-p' },
    'the dry run says what enforcing it would do',
  );
  t.equal(
    evaluateDryRun(compile([deny(FROM_SHOP)]), authzConnection(ORDERS)),
    undefined,
    'none without dry-run policies',
  );
  const trialAllow = compile([allow(FROM_SHOP, 'old'), { ...allow(FROM_OTHER, 'new'), dryRun: true }]);
  t.match(
    evaluateDryRun(trialAllow, authzConnection(ORDERS)),
    { allowed: true },
    'enforced policies count in the dry run',
  );
});
