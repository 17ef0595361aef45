import { test } from 'tap';
import { routeMatch, routeRule } from '../testing/route.ts';
import type { PathMatch, RouteMatch } from './model.ts';
import { sortByPrecedence, type RankedRule } from './precedence.ts';

const path = (kind: PathMatch['kind'], value: string): Partial<RouteMatch> => ({
  path: { kind, value, ignoreCase: false },
});
const header = { name: 'h', kind: 'present', value: '' } as const;

function ranked(name: string, match: Partial<RouteMatch>, over: Partial<RankedRule> = {}): RankedRule {
  return {
    rule: routeRule({ name, matches: [routeMatch(match)] }),
    creationTimestamp: '2026-01-01T00:00:00Z',
    namespace: 'shop',
    name: 'route',
    ruleIndex: 0,
    specificity: undefined,
    ...over,
  };
}

const ROOT = path('prefix', '/');

/** Each row: the one that goes first, the one that goes after it. */
const ORDER: readonly [string, RankedRule, RankedRule][] = [
  [
    'an exact path goes before a longer prefix',
    ranked('a', path('exact', '/a')),
    ranked('b', path('prefix', '/a/b/c')),
  ],
  ['a longer prefix goes first', ranked('a', path('prefix', '/abc')), ranked('b', path('prefix', '/a'))],
  [
    'a trailing slash makes a prefix no longer',
    ranked('a', { ...path('prefix', '/a'), method: 'GET' }),
    ranked('b', path('prefix', '/a/')),
  ],
  ['a path goes before a method', ranked('a', path('prefix', '/a')), ranked('b', { ...ROOT, method: 'GET' })],
  [
    'a method goes before headers',
    ranked('a', { ...ROOT, method: 'GET' }),
    ranked('b', { ...ROOT, headers: [header, header] }),
  ],
  [
    'more headers go first',
    ranked('a', { ...ROOT, headers: [header, header] }),
    ranked('b', { ...ROOT, headers: [header] }),
  ],
  [
    'a header goes before query parameters',
    ranked('a', { ...ROOT, headers: [header] }),
    ranked('b', { ...ROOT, query: [header, header] }),
  ],
  ['more query parameters go first', ranked('a', { ...ROOT, query: [header] }), ranked('b', ROOT)],
  [
    'the oldest route goes first',
    ranked('a', ROOT),
    ranked('b', ROOT, { creationTimestamp: '2026-01-02T00:00:00Z' }),
  ],
  ['then the first by namespace', ranked('a', ROOT, { namespace: 'aa', name: 'z' }), ranked('b', ROOT)],
  ['then the first by name', ranked('a', ROOT, { name: 'a' }), ranked('b', ROOT, { name: 'b' })],
  ['then the first in its route', ranked('a', ROOT), ranked('b', ROOT, { ruleIndex: 1 })],
];

test('precedence as Gateway API defines it', async t => {
  for (const [name, first, second] of ORDER) {
    const names = (list: RankedRule[]): string[] => sortByPrecedence(list).map(rule => rule.name);
    t.same(names([first, second]), ['a', 'b'], name);
    t.same(names([second, first]), ['a', 'b'], `${name} (given the other way round)`);
  }
});

test('a rule whose matches rank apart comes out in parts', async t => {
  const both = ranked('both', {});
  const rule = { ...both.rule, matches: [routeMatch(path('prefix', '/')), routeMatch(path('exact', '/a'))] };
  const middle = ranked('middle', path('prefix', '/a'));
  const sorted = sortByPrecedence([{ ...both, rule }, middle]);
  t.same(
    sorted.map(part => [part.name, part.matches.map(match => match.path?.value)]),
    [
      ['both', ['/a']],
      ['middle', ['/a']],
      ['both', ['/']],
    ],
  );
  t.equal(sortByPrecedence([{ ...both, rule }]).length, 1, 'parts side by side are one rule');
  t.same(
    sortByPrecedence([{ ...both, rule: routeRule({}) }])[0]?.matches,
    [],
    'a rule without matches stays so',
  );
});
