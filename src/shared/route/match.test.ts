import { test } from 'tap';
import { routeMatch, routeRule } from '../testing/route.ts';
import type { RoutedRequest } from './compiled-match.ts';
import { compileRoutes } from './match.ts';
import type { PathMatch, RouteMatch, RouteRule, ValueMatch } from './model.ts';

const GET: RoutedRequest = {
  method: 'GET',
  scheme: 'http',
  authority: 'shop.example.com:80',
  path: '/orders/42?debug=1&name=A%20b+c&empty=',
  headers: ['x-user', 'alice', 'x-group', 'a', 'x-group', 'b'],
};

const path = (kind: PathMatch['kind'], value: string, ignoreCase = false): Partial<RouteMatch> => ({
  path: { kind, value, ignoreCase },
});
const value = (name: string, kind: ValueMatch['kind'], text = ''): ValueMatch => ({
  name,
  kind,
  value: text,
});
const headers = (...list: ValueMatch[]): Partial<RouteMatch> => ({ headers: list });
const query = (...list: ValueMatch[]): Partial<RouteMatch> => ({ query: list });

const MATCHES: readonly [string, Partial<RouteMatch>, boolean][] = [
  ['an empty match matches every request', {}, true],
  ['an exact path matches without the query', path('exact', '/orders/42'), true],
  ['an exact path is no prefix', path('exact', '/orders'), false],
  ['an exact path is compared with regard to case', path('exact', '/ORDERS/42'), false],
  ['…or without, when asked', path('exact', '/ORDERS/42', true), true],
  ['a prefix matches whole elements', path('prefix', '/orders'), true],
  ['a prefix does not match part of an element', path('prefix', '/ord'), false],
  ['a trailing slash of a prefix means nothing', path('prefix', '/orders/'), true],
  ['a prefix matches the path itself', path('prefix', '/orders/42/'), true],
  ['the root is a prefix of everything', path('prefix', '/'), true],
  ['a prefix may ignore case', path('prefix', '/Orders', true), true],
  ['a prefix by characters matches part of an element', path('string_prefix', '/ord'), true],
  ['a prefix by characters keeps its slash', path('string_prefix', '/orders/42/'), false],
  ['a pattern matches the whole path', path('regex', '/orders/[0-9]+'), true],
  ['a pattern does not match a part', path('regex', '/orders'), false],
  ['a pattern may ignore case', path('regex', '/ORDERS/.*', true), true],
  ['a pattern that is none matches nothing', path('regex', '('), false],
  ['a method matches', { method: 'GET' }, true],
  ['another method does not', { method: 'POST' }, false],
  ['a header matches exactly', headers(value('x-user', 'exact', 'alice')), true],
  ['a header value is compared with regard to case', headers(value('x-user', 'exact', 'Alice')), false],
  ['a header matches by prefix', headers(value('x-user', 'prefix', 'al')), true],
  ['a header matches by suffix', headers(value('x-user', 'suffix', 'ice')), true],
  ['a header matches by a part', headers(value('x-user', 'contains', 'lic')), true],
  ['a header does not match by another part', headers(value('x-user', 'contains', 'cil')), false],
  ['the method may be asked for as a header', headers(value(':method', 'regex', 'GET|HEAD')), true],
  ['so may the scheme', headers(value(':scheme', 'exact', 'https')), false],
  ['the authority is compared without regard to case', headers(value(':authority', 'prefix', 'SHOP.')), true],
  ['there is no other pseudo-header', headers(value(':path', 'present')), false],
  ['a header matches by pattern', headers(value('x-user', 'regex', 'a.*e')), true],
  ['a header matches by presence', headers(value('x-user', 'present')), true],
  ['an absent header does not', headers(value('x-other', 'present')), false],
  ['of a repeated header any value may match', headers(value('x-group', 'exact', 'b')), true],
  ['its values are not joined', headers(value('x-group', 'exact', 'a,b')), false],
  ['none of them may match what must not be', { withoutHeaders: [value('x-group', 'exact', 'b')] }, false],
  ['all headers must match', headers(value('x-user', 'present'), value('x-other', 'present')), false],
  ['a header that must not be there', { withoutHeaders: [value('x-user', 'present')] }, false],
  [
    'a pattern of nothing holds of a header that is not there',
    { withoutHeaders: [value('x-other', 'regex', 'b*')] },
    false,
  ],
  ['a header that must not have a value', { withoutHeaders: [value('x-user', 'exact', 'bob')] }, true],
  ['a query parameter matches', query(value('debug', 'exact', '1')), true],
  ['a query parameter is decoded', query(value('name', 'exact', 'A b c')), true],
  ['an empty query parameter is present', query(value('empty', 'present')), true],
  ['an absent query parameter is not', query(value('orders', 'present')), false],
  ['a condition holds', { condition: { kind: 'header', header: value('x-user', 'present') } }, true],
  [
    'a condition may be negated',
    { condition: { kind: 'not', condition: { kind: 'header', header: value('x-user', 'present') } } },
    false,
  ],
  ['all of no condition holds', { condition: { kind: 'all', of: [] } }, true],
  ['any of no condition does not', { condition: { kind: 'any', of: [] } }, false],
  ['a query name is compared with regard to case', query(value('Debug', 'present')), false],
];

test('each field of a match', async t => {
  for (const [name, match, expected] of MATCHES) {
    const matcher = compileRoutes({ rules: [routeRule({ matches: [routeMatch(match)] })] });
    t.equal(matcher.find(GET, 80) !== undefined, expected, name);
  }
});

const RULES: readonly [string, Partial<RouteRule>, boolean][] = [
  ['a rule without matches matches', {}, true],
  ['a rule for this port matches', { ports: [8080, 80] }, true],
  ['a rule for another port does not', { ports: [8080] }, false],
  ['a rule for this host matches without case and port', { hosts: ['Shop.Example.com'] }, true],
  ['a rule for another host does not', { hosts: ['other'] }, false],
  ['a wildcard matches hosts below', { hosts: ['*.example.com'] }, true],
  ['a wildcard does not match the name itself', { hosts: ['*.shop.example.com'] }, false],
  ['a lone wildcard matches every host', { hosts: ['*'] }, true],
  [
    'any match of a rule is enough',
    { matches: [routeMatch({ method: 'POST' }), routeMatch({ method: 'GET' })] },
    true,
  ],
];

test('each field of a rule', async t => {
  for (const [name, rule, expected] of RULES) {
    t.equal(compileRoutes({ rules: [routeRule(rule)] }).find(GET, 80) !== undefined, expected, name);
  }
});

test('the first rule that matches is taken, however its path is found', async t => {
  const named = (name: string, match: Partial<RouteMatch>): RouteRule =>
    routeRule({ name, matches: [routeMatch(match)] });
  const rules = [
    named('exact', { ...path('exact', '/orders/42'), method: 'POST' }),
    named('pattern', path('regex', '/orders/4.')),
    named('prefix', path('prefix', '/orders')),
    named('characters', path('string_prefix', '/o')),
    named('any', {}),
  ];
  const target = (p: string, method = 'GET'): string | undefined =>
    compileRoutes({ rules }).find({ ...GET, path: p, method }, 80)?.rule.name;
  t.equal(target('/orders/42', 'POST'), 'exact');
  t.equal(target('/orders/42'), 'pattern');
  t.equal(target('/orders/5'), 'prefix');
  t.equal(target('/other'), 'characters');
  t.equal(target('/x'), 'any');
  t.equal(target('*'), 'any', 'the asterisk form');
  t.equal(target(''), 'any', 'the empty path of CONNECT');
  const reversed = compileRoutes({ rules: rules.toReversed() });
  t.equal(reversed.find(GET, 80)?.rule.name, 'any', 'order decides, not kind');
  const found = compileRoutes({ rules }).find(GET, 80);
  t.equal(found?.match, rules[1]?.matches[0], 'the match that led to the rule comes with it');
});

test('hasRulesFor tells whether anything is attached to a port', async t => {
  const matcher = compileRoutes({
    rules: [routeRule({ ports: [80], matches: [routeMatch({ method: 'POST' })] })],
  });
  t.equal(matcher.find(GET, 80), undefined);
  t.equal(matcher.hasRulesFor(80), true, 'a rule is for the port, whether it matches or not');
  t.equal(matcher.hasRulesFor(81), false, 'no rule is for another port');
  t.equal(
    compileRoutes({ rules: [routeRule({})] }).hasRulesFor(81),
    true,
    'a rule without ports is for every port',
  );
});

const from = (namespace: string | undefined, workload?: string) => ({ namespace, workload });

test('rules for callers of a namespace take the place of all others for them, on the ports they are for', async t => {
  const own = routeRule({
    name: 'own',
    consumer: 'shop',
    ports: [80],
    matches: [routeMatch({ method: 'GET' })],
  });
  const matcher = compileRoutes({ rules: [routeRule({ name: 'everyone' }), own] });
  const to = (port: number, caller?: string, method = 'GET'): string | undefined =>
    matcher.find({ ...GET, method }, port, from(caller))?.rule.name;
  t.equal(to(80, 'shop'), 'own', 'although another rule comes first');
  t.equal(to(80, 'shop', 'POST'), undefined, 'they do not mix with the rules for everyone');
  t.equal(to(81, 'shop'), 'everyone', 'on another port the others hold');
  t.equal(to(80, 'bank'), 'everyone', 'callers of other namespaces never see them');
  t.equal(to(80), 'everyone', 'a caller without an identity is of no namespace');
  const alone = compileRoutes({ rules: [own] });
  t.equal(alone.hasRulesFor(80, from('shop')), true);
  t.equal(alone.hasRulesFor(80, from('bank')), false, 'for others nothing is attached');
});

test('rules for some callers leave the others alone', async t => {
  const canary = routeRule({ name: 'canary', callers: ['shop'], matches: [routeMatch({ method: 'GET' })] });
  const matcher = compileRoutes({ rules: [canary, routeRule({ name: 'everyone', ports: [80] })] });
  const to = (namespace?: string, method = 'GET', port = 80): string | undefined =>
    matcher.find({ ...GET, method }, port, from(namespace))?.rule.name;
  t.equal(to('shop'), 'canary');
  t.equal(to('shop', 'POST'), 'everyone', 'they mix with the rules for everyone');
  t.equal(to('bank'), 'everyone');
  t.equal(to(), 'everyone', 'a caller without an identity is of no namespace');
  t.equal(matcher.hasRulesFor(81, from('shop')), true);
  t.equal(matcher.hasRulesFor(81, from('bank')), false, 'for others nothing is attached to that port');
});

test('a match may ask where a request comes from', async t => {
  const of = (source: RouteMatch['source'], namespace?: string, workload?: string): boolean => {
    const matcher = compileRoutes({ rules: [routeRule({ matches: [routeMatch({ source })] })] });
    return matcher.find(GET, 80, from(namespace, workload)) !== undefined;
  };
  const shop = { namespaces: ['shop'], workloads: undefined };
  t.equal(of(shop, 'shop'), true);
  t.equal(of(shop, 'bank'), false);
  t.equal(of(shop), false, 'a source without an identity is in no namespace');
  const one = { namespaces: [], workloads: ['w1'] };
  t.equal(of(one, 'shop', 'w1'), true);
  t.equal(of(one, 'shop', 'w2'), false);
  t.equal(of(one, 'shop'), false, 'a source that is no workload is none of them');
  t.equal(of({ namespaces: [], workloads: [] }, 'shop', 'w1'), false, 'an empty list is none');
});

test('a thousand rules that differ in a header are not tried one after the other', async t => {
  let reads = 0;
  const rules = Array.from({ length: 1000 }, (_, i) =>
    routeRule({
      name: `r${i}`,
      matches: [routeMatch({ ...path('prefix', '/'), headers: [value('x-tenant', 'exact', `t${i}`)] })],
    }),
  );
  const counted = new Proxy(['x-tenant', 't700'], {
    get: (target, key, receiver) => {
      reads++;
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
  const found = compileRoutes({ rules }).find({ ...GET, headers: counted }, 80);
  t.equal(found?.rule.name, 'r700');
  t.ok(reads < 20, `the headers were read ${reads} times`);
});
