import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { routeRule } from '../testing/route.ts';
import type { RouteCaller, RoutedRequest } from './compiled-match.ts';
import type { RequestCondition } from './condition.ts';
import { compileRoutes } from './match.ts';
import type { PathMatch, RouteMatch, RouteRule, SourceMatch, ValueMatch } from './model.ts';
import { comparePrecedence, sortByPrecedence, type RankedMatch, type RankedRule } from './precedence.ts';

/** Few letters, so that paths meet. */
const path = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'A', ''), { maxLength: 4 })
  .map(elements => `/${elements.join('/')}`);
const pathMatch: fc.Arbitrary<PathMatch> = fc.record({
  kind: fc.constantFrom<PathMatch['kind']>('exact', 'prefix', 'string_prefix', 'regex'),
  value: path,
  ignoreCase: fc.boolean(),
});
const value: fc.Arbitrary<ValueMatch> = fc.record({
  name: fc.constantFrom('x', 'y', ':method', ':authority'),
  kind: fc.constantFrom<ValueMatch['kind']>('exact', 'exact', 'prefix', 'suffix', 'contains', 'present'),
  value: fc.constantFrom('1', '2', '12', 'GET', 'H'),
});
const parameter = value.map(of => ({ ...of, name: of.name.replace(/^:.*/, 'x') }));
const { condition } = fc.letrec<{ condition: RequestCondition }>(tie => ({
  condition: fc.oneof(
    { maxDepth: 2 },
    pathMatch.map(of => ({ kind: 'path' as const, path: of })),
    value.map(header => ({ kind: 'header' as const, header })),
    fc.record({ kind: fc.constant('query' as const), query: parameter }),
    fc.record({
      kind: fc.constantFrom('all' as const, 'any' as const),
      of: fc.array(tie('condition'), { maxLength: 2 }),
    }),
    fc.record({ kind: fc.constant('not' as const), condition: tie('condition') }),
  ),
}));
const match: fc.Arbitrary<RouteMatch> = fc.record({
  path: fc.option(pathMatch, { nil: undefined }),
  method: fc.option(fc.constantFrom('GET', 'POST'), { nil: undefined }),
  headers: fc.array(value, { maxLength: 2 }),
  withoutHeaders: fc.array(value, { maxLength: 1 }),
  query: fc.array(parameter, { maxLength: 2 }),
  source: fc.option(
    fc.record({
      namespaces: fc.constantFrom<string[]>([], ['shop'], ['bank', 'other']),
      workloads: fc.constantFrom(undefined, [], ['w1'], ['w1', 'w2']),
    }),
    { nil: undefined, freq: 2 },
  ),
  condition: fc.option(condition, { nil: undefined, freq: 2 }),
});
const rule: fc.Arbitrary<RouteRule> = fc
  .record({
    name: fc.constantFrom('r1', 'r2', 'r3'),
    ports: fc.constantFrom([], [80], [81], [80, 81]),
    consumer: fc.constantFrom(undefined, undefined, 'shop', 'bank'),
    callers: fc.constantFrom<string[]>([], [], ['shop'], ['bank']),
    hosts: fc.constantFrom<string[]>([], ['h'], ['*.h'], ['H', 'i']),
    matches: fc.array(match, { maxLength: 3 }),
  })
  .map(routeRule);
const request: fc.Arbitrary<RoutedRequest> = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  scheme: fc.constant('http'),
  authority: fc.constantFrom('h', 'H:80', 'a.h', 'i', '[::1]:80'),
  path: fc
    .tuple(path, fc.constantFrom('', '?', '?x=1', '?y=2&x=12', '?x=2&x=1', '#x'))
    .map(parts => parts.join('')),
  headers: fc.constantFrom([], ['x', '1'], ['x', '1', 'y', '12'], ['y', '2', 'y', '1']),
});

/** The same said as plainly as can be: one rule after the other, strings cut and compared. */
function reference(
  all: readonly RouteRule[],
  r: RoutedRequest,
  port: number,
  caller: RouteCaller,
): RouteRule | undefined {
  const onPort = (one: RouteRule): boolean => one.ports.length === 0 || one.ports.includes(port);
  const isFor = (one: RouteRule): boolean =>
    onPort(one) && (one.callers.length === 0 || one.callers.includes(caller.namespace ?? ''));
  const own = all.filter(one => one.consumer !== undefined && one.consumer === caller.namespace);
  const rules = own.some(isFor) ? own : all.filter(one => one.consumer === undefined);
  const host = r.authority.replace(/:\d+$/, '').toLowerCase();
  return rules.find(candidate => {
    if (!isFor(candidate)) return false;
    if (
      candidate.hosts.length > 0 &&
      !candidate.hosts.some(pattern => hostMatches(pattern.toLowerCase(), host))
    )
      return false;
    return candidate.matches.length === 0 || candidate.matches.some(one => matchMatches(one, r, caller));
  });
}

function hostMatches(pattern: string, host: string): boolean {
  return pattern.startsWith('*')
    ? host.endsWith(pattern.slice(1)) && host !== pattern.slice(1)
    : host === pattern;
}

function matchMatches(one: RouteMatch, r: RoutedRequest, caller: RouteCaller): boolean {
  const [target = '', query = ''] = (r.path.split('#')[0] ?? '').split('?');
  const parameters = new URLSearchParams(query);
  const values = (name: string): readonly string[] => {
    if (name === ':method') return [r.method];
    if (name === ':authority') return [r.authority.toLowerCase()];
    return r.headers.filter((_, i) => i % 2 === 1 && r.headers[i - 1] === name);
  };
  const has = (h: ValueMatch): boolean => values(h.name).some(one => valueMatches(h, one));
  const hasOrNothing = (h: ValueMatch): boolean =>
    has(h) || (h.kind !== 'present' && values(h.name).length === 0 && valueMatches(h, ''));
  const holds = (c: RequestCondition): boolean => {
    switch (c.kind) {
      case 'path':
        return pathMatches(c.path, target);
      case 'header':
        return has(c.header);
      case 'query':
        return valueMatches(c.query, parameters.get(c.query.name));
      case 'all':
        return c.of.every(holds);
      case 'any':
        return c.of.some(holds);
      case 'not':
        return !holds(c.condition);
    }
  };
  return (
    (one.path === undefined || pathMatches(one.path, target)) &&
    (one.method === undefined || one.method === r.method) &&
    one.headers.every(has) &&
    !one.withoutHeaders.some(hasOrNothing) &&
    one.query.every(q => valueMatches(q, parameters.get(q.name))) &&
    (one.source === undefined || sourceMatches(one.source, caller)) &&
    (one.condition === undefined || holds(one.condition))
  );
}

function sourceMatches(source: SourceMatch, caller: RouteCaller): boolean {
  const { namespaces, workloads } = source;
  return (
    (namespaces.length === 0 || namespaces.includes(caller.namespace ?? '')) &&
    (workloads === undefined || workloads.includes(caller.workload ?? ''))
  );
}

function pathMatches(m: PathMatch, target: string): boolean {
  const fold = (s: string): string => (m.ignoreCase ? s.toLowerCase() : s);
  const [wanted, got] = [fold(m.value), fold(target)];
  if (m.kind === 'string_prefix') return got.startsWith(wanted);
  if (m.kind !== 'prefix') return got === wanted;
  const elements = (s: string): string[] => s.replace(/\/+$/, '').split('/');
  return elements(wanted).every((element, i) => gotElements(got)[i] === element);
}

function gotElements(target: string): string[] {
  return target.split('/');
}

function valueMatches(m: ValueMatch, got: string | null): boolean {
  if (got === null) return false;
  const value = m.name === ':authority' ? m.value.toLowerCase() : m.value;
  switch (m.kind) {
    case 'exact':
    case 'regex':
      return got === value;
    case 'prefix':
      return got.startsWith(value);
    case 'suffix':
      return got.endsWith(value);
    case 'contains':
      return got.includes(value);
    case 'present':
      return true;
  }
}

test('the compiled matcher finds what trying one rule after the other finds', t => {
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 12 }),
      fc.array(request, { minLength: 1, maxLength: 6 }),
      fc.record({
        namespace: fc.constantFrom(undefined, 'shop', 'other'),
        workload: fc.constantFrom(undefined, 'w1', 'w2', 'w3'),
      }),
      (rules, requests, caller) => {
        const matcher = compileRoutes({ rules });
        for (const one of requests) {
          const found = matcher.find(one, 80, caller)?.rule;
          if (found !== reference(rules, one, 80, caller))
            throw new Error(`${JSON.stringify(one)} found ${JSON.stringify(found)}`);
        }
      },
    ),
    fuzzRun(3),
  );
  t.pass();
  t.end();
});

const rankedRule: fc.Arbitrary<RankedRule> = fc.record({
  rule,
  creationTimestamp: fc.constantFrom('', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
  namespace: fc.constantFrom('a', 'b'),
  name: fc.constantFrom('a', 'b'),
  ruleIndex: fc.nat(3),
  specificity: fc.constantFrom(undefined, [1], [1, 2], [2]),
});
const ranked: fc.Arbitrary<RankedMatch> = fc.record({ ranked: rankedRule, match, matchIndex: fc.nat(3) });

test('precedence is a total order', t => {
  fc.assert(
    fc.property(ranked, ranked, ranked, (a, b, c) => {
      const sign = (x: RankedMatch, y: RankedMatch): number => Math.sign(comparePrecedence(x, y));
      if (sign(a, a) !== 0) throw new Error('not reflexive');
      if (sign(a, b) + sign(b, a) !== 0) throw new Error('not antisymmetric');
      if (sign(a, b) <= 0 && sign(b, c) <= 0 && sign(a, c) > 0) throw new Error('not transitive');
    }),
    fuzzRun(3),
  );
  t.pass();
  t.end();
});

test('sorting loses no match and does not depend on the order given', t => {
  fc.assert(
    fc.property(fc.uniqueArray(rankedRule, { maxLength: 6, selector: identityOfRule }), rules => {
      const flat = (list: readonly RouteRule[]): string =>
        JSON.stringify(
          list.flatMap(one =>
            one.matches.length === 0 ? [[one.name]] : one.matches.map(m => [one.name, m]),
          ),
        );
      const sorted = sortByPrecedence(rules);
      if (flat(sorted) !== flat(sortByPrecedence(rules.toReversed())))
        throw new Error('depends on the order given');
      const count = rules.reduce((sum, { rule: one }) => sum + Math.max(1, one.matches.length), 0);
      if (sorted.reduce((sum, one) => sum + Math.max(1, one.matches.length), 0) !== count)
        throw new Error('lost a match');
    }),
    fuzzRun(3),
  );
  t.pass();
  t.end();
});

/** What makes a rule one of its kind: its object and its place there. */
function identityOfRule(one: RankedRule): string {
  return `${one.creationTimestamp} ${one.namespace}/${one.name} ${one.ruleIndex}`;
}
