import { test } from 'tap';
import { routeMatch, routeRule } from '../testing/route.ts';
import type { RoutedRequest } from './compiled-match.ts';
import type { RequestCondition } from './condition.ts';
import { holdsWithoutPath, isRoot } from './connect-match.ts';
import { compileRoutes } from './match.ts';
import type { PathMatch, RouteMatch } from './model.ts';

const CONNECT: RoutedRequest = {
  method: 'CONNECT',
  scheme: '',
  authority: 'target.example:443',
  path: '',
  headers: ['proxy-authorization', 'x'],
};

const path = (kind: PathMatch['kind'], value: string): PathMatch => ({ kind, value, ignoreCase: false });
const method = { name: ':method', kind: 'exact', value: 'CONNECT' } as const;
const named: RequestCondition = { kind: 'header', header: method };
const anyPath: RequestCondition = { kind: 'path', path: path('regex', '.*') };

const MATCHES: readonly (readonly [sentence: string, match: Partial<RouteMatch>, takes: boolean])[] = [
  ['a match of every request does not', {}, false],
  ['nor does one of every path', { path: path('prefix', '/') }, false],
  ['nor one of a pattern that holds of no path', { path: path('regex', '.*') }, false],
  ['nor one of a pattern of methods', { headers: [{ ...method, kind: 'regex', value: '.*' }] }, false],
  ['nor one of the presence of a method', { headers: [{ ...method, kind: 'present', value: '' }] }, false],
  ['nor one that another method must not be', { withoutHeaders: [{ ...method, value: 'GET' }] }, false],
  ['a match of its method does', { method: 'CONNECT' }, true],
  ['by a header', { headers: [method] }, true],
  ['by a condition', { condition: named }, true],
  ['by one of several conditions', { condition: { kind: 'any', of: [anyPath, named] } }, true],
  ['not by what must not be', { condition: { kind: 'not', condition: named } }, false],
  ['in lower case it is another method', { method: 'connect' }, false],
  ['the root is no path to ask for', { method: 'CONNECT', path: path('prefix', '/') }, true],
  ['nor is it by characters', { method: 'CONNECT', path: path('string_prefix', '/') }, true],
  ['another path is', { method: 'CONNECT', path: path('prefix', '/a') }, false],
  ['the root alone is', { method: 'CONNECT', path: path('exact', '/') }, false],
  ['a pattern may hold of no path', { method: 'CONNECT', path: path('regex', '(/.*)?') }, true],
  ['or not', { method: 'CONNECT', path: path('regex', '/.*') }, false],
  ['a query it never has', { method: 'CONNECT', query: [{ ...method, name: 'a', kind: 'present' }] }, false],
  [
    'its authority is one as of any request',
    { method: 'CONNECT', headers: [{ name: ':authority', kind: 'suffix', value: '.example:443' }] },
    true,
  ],
  [
    'so are its headers',
    { method: 'CONNECT', headers: [{ name: 'proxy-authorization', kind: 'present', value: '' }] },
    true,
  ],
];

for (const [sentence, match, takes] of MATCHES) {
  test(`what takes a CONNECT: ${sentence}`, t => {
    const matcher = compileRoutes({ rules: [routeRule({ matches: [routeMatch(match)] })] });
    t.equal(matcher.find(CONNECT, 80) !== undefined, takes);
    t.end();
  });
}

test('a rule before it that matches every request is passed over', t => {
  const rules = [
    routeRule({ name: 'all' }),
    routeRule({ name: 'tunnels', matches: [routeMatch({ method: 'CONNECT' })] }),
  ];
  const matcher = compileRoutes({ rules });
  t.equal(matcher.find(CONNECT, 80)?.rule.name, 'tunnels');
  t.equal(matcher.find({ ...CONNECT, method: 'GET', path: '/' }, 80)?.rule.name, 'all');
  t.end();
});

test('whether CONNECT is served at all: by port, by caller, by whose rules they are', t => {
  const matches = [routeMatch({ method: 'CONNECT', path: path('prefix', '/') })];
  const from = (namespace: string) => ({ namespace, workload: undefined });
  const served = compileRoutes({ rules: [routeRule({ matches, ports: [80], callers: ['shop'] })] });
  t.equal(served.servesConnect(80, from('shop')), true);
  t.equal(served.servesConnect(81, from('shop')), false);
  t.equal(served.servesConnect(80, from('bank')), false);
  t.equal(served.servesConnect(80), false);
  const consumer = compileRoutes({ rules: [routeRule({ matches, consumer: 'shop' }), routeRule({})] });
  t.equal(consumer.servesConnect(80, from('shop')), true);
  t.equal(consumer.servesConnect(80, from('bank')), false);
  t.equal(compileRoutes({ rules: [routeRule({})] }).servesConnect(80), false);
  t.end();
});

test('paths that ask for nothing', t => {
  const rows: readonly (readonly [PathMatch, root: boolean, without: boolean])[] = [
    [path('prefix', '/'), true, true],
    [path('string_prefix', '/'), true, true],
    [path('exact', '/'), false, false],
    [path('prefix', '/a'), false, false],
    [path('regex', '.*'), false, true],
    [path('regex', '/.*'), false, false],
    [path('regex', '('), false, false],
  ];
  for (const [match, root, without] of rows)
    t.same([isRoot(match), holdsWithoutPath(match)], [root, without], JSON.stringify(match));
  t.end();
});
