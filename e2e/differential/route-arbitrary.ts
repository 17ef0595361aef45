import fc from 'fast-check';
import {
  ANY_REQUEST,
  PLAIN_RULE,
  type PathMatch,
  type RouteMatch,
  type RouteRule,
  type ValueMatch,
} from '#shared/route/model.ts';
import type { PathModifier, RouteFilter } from '#shared/route/route-filter.ts';

/** Routes and requests from few letters, so that they meet. */

const segment = fc.constantFrom('a', 'b', 'ab', 'A', 'a.b', 'x');
const path = fc
  .array(segment, { minLength: 1, maxLength: 3 })
  .chain(parts => fc.constantFrom(`/${parts.join('/')}`, `/${parts.join('/')}/`));
const pattern = fc.constantFrom('/a.*', '/(a|b)/.*', '/[ab]+', '.*x', '/a/b?', '/A.*', '/a(/[^/]+)*');

export const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof(
  fc.record({
    kind: fc.constantFrom<PathMatch['kind']>('exact', 'prefix', 'string_prefix'),
    value: fc.oneof(path, fc.constant('/')),
    ignoreCase: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('regex' as const), value: pattern, ignoreCase: fc.boolean() }),
);

function valueMatch(names: readonly string[]): fc.Arbitrary<ValueMatch> {
  return fc.oneof(
    fc.record({
      name: fc.constantFrom(...names),
      kind: fc.constantFrom<ValueMatch['kind']>('exact', 'prefix', 'suffix', 'contains'),
      value: fc.constantFrom('1', '2', '12', 'v'),
    }),
    fc.record({
      name: fc.constantFrom(...names),
      kind: fc.constant('present' as const),
      value: fc.constant(''),
    }),
    fc.record({
      name: fc.constantFrom(...names),
      kind: fc.constant('regex' as const),
      value: fc.constantFrom('1.*', '[12]+', '[12]*', '.*v', '1,2'),
    }),
  );
}

const match: fc.Arbitrary<RouteMatch> = fc.record({
  path: fc.option(pathMatch, { nil: undefined, freq: 4 }),
  method: fc.option(fc.constantFrom('GET', 'POST'), { nil: undefined, freq: 1 }),
  headers: fc.array(valueMatch(['x-a', 'x-b']), { maxLength: 2 }),
  withoutHeaders: fc.array(valueMatch(['x-a', 'x-c']), { maxLength: 1 }),
  query: fc.array(valueMatch(['q', 'r']), { maxLength: 1 }),
  source: fc.constant(undefined),
  condition: fc.constant(undefined),
});

export function tables(count: number, seed: number): readonly (readonly RouteRule[])[] {
  const rule = fc.array(match, { maxLength: 2 }).map(matches => ({ ...PLAIN_RULE, matches }));
  const table = fc
    .array(rule, { minLength: 1, maxLength: 8 })
    .map(rules => rules.map((one, index) => ({ ...one, name: `rule ${index}` })));
  return fc.sample(table, { numRuns: count, seed });
}

export interface GeneratedRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
}

const target = fc
  .tuple(
    fc.oneof(
      { weight: 6, arbitrary: path },
      fc.constantFrom('/', '/a/../b', '/a/./b', '/%61/b', '/a%2Fb', '/a//b', '/..'),
    ),
    fc.constantFrom('', '', '?q=1', '?r=v&q=12', '?q', '?q=2&q=1', '?qq=1'),
  )
  .map(parts => parts.join(''));
const headers = fc.constantFrom(
  [],
  ['x-a', '1'],
  ['x-a', '12', 'x-b', 'v'],
  ['x-b', '2', 'x-c', '1'],
  ['x-a', '1', 'x-a', '2'],
  ['x-a', ''],
);

export function requests(count: number, seed: number): readonly GeneratedRequest[] {
  const request = fc.record({ method: fc.constantFrom('GET', 'GET', 'POST'), target, headers });
  return fc.sample(request, { numRuns: count, seed });
}

const modifier: fc.Arbitrary<PathModifier> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('full' as const, 'prefix' as const),
    value: fc.constantFrom('/n', '/n/m', '/A'),
  }),
  fc.constantFrom<PathModifier>(
    { kind: 'regex', pattern: '^/([^/]+)(.*)$', value: '/n\\2/\\1' },
    { kind: 'regex', pattern: 'a', value: 'z' },
    { kind: 'regex', pattern: '(a|ab)(/|$)', value: '<\\0>' },
    { kind: 'regex', pattern: '/+', value: '/' },
    { kind: 'regex', pattern: 'x*$', value: '-' },
    { kind: 'regex', pattern: '/(a)?(b)?', value: '/\\2\\1' },
    { kind: 'regex', pattern: '(?i)/A', value: '/q' },
  ),
);

/** Tables of one rule that changes the path, or redirects. */
export function changingTables(count: number, seed: number): readonly RouteRule[] {
  const rewrite = modifier.map(
    (of): RouteFilter => ({ kind: 'rewrite', rewrite: { hostname: undefined, path: of } }),
  );
  const redirect = fc
    .record({
      scheme: fc.constantFrom(undefined, undefined, 'https'),
      hostname: fc.constantFrom(undefined, 'other.example.com'),
      port: fc.constantFrom(undefined, 8443),
      path: fc.constantFrom<PathModifier | undefined>(
        undefined,
        { kind: 'full', value: '/n' },
        { kind: 'prefix', value: '/n' },
      ),
      status: fc.constantFrom(301, 302, 303, 307, 308),
    })
    .map((of): RouteFilter => ({ kind: 'redirect', redirect: of }));
  const rule = fc.tuple(pathMatch, fc.oneof(rewrite, redirect)).map(
    ([of, filter]): RouteRule => ({
      ...PLAIN_RULE,
      name: 'rule 0',
      matches: [{ ...ANY_REQUEST, path: of }],
      filters: [filter],
    }),
  );
  return fc.sample(rule, { numRuns: count, seed });
}
