import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../../testing/fuzz-run.ts';
import { compileReplacement } from './replace.ts';

function replace(pattern: string, substitution: string, text: string): string {
  const result = compileReplacement(pattern, substitution);
  return result.ok ? result.replacement.replaceAll(text) : result.reason;
}

const CASES: readonly [string, string, string, string, string][] = [
  ['a match is replaced', '/v1', '/v2', '/v1/a', '/v2/a'],
  ['every match is', 'a', 'b', '/a/a', '/b/b'],
  ['what does not match stays', 'x', 'y', '/a', '/a'],
  [
    'groups are put in',
    '^/service/([^/]+)(/.*)$',
    '\\2/instance/\\1',
    '/service/foo/v1/api',
    '/v1/api/instance/foo',
  ],
  ['all that matched is group 0', 'one', '<\\0>', '/xxx/one/yyy/one', '/xxx/<one>/yyy/<one>'],
  ['case may be ignored', '(?i)/xxx/', '/yyy/', '/aaa/XxX/bbb', '/aaa/yyy/bbb'],
  ['repetitions take as much as they can', 'a.*b', 'x', '/a-b-b', '/x'],
  ['…or as little, when lazy', 'a.*?b', 'x', '/a-b-b', '/x-b'],
  ['…or when the flag turns it round', '(?U)a.*b', 'x', '/a-b-b', '/x-b'],
  ['the first alternative is preferred', '(a|ab)', '<\\1>', '/ab', '/<a>b'],
  ['the leftmost match goes before a longer one', 'b|abc', 'x', '/abcb', '/xx'],
  ['a group that took no part is nothing', '(a)|(b)', '[\\1\\2]', '/ab', '/[a][b]'],
  ['of a repeated group the last counts', '(?:/([a-z]))+', '/\\1', '/a/b/c', '/c'],
  ['nothing is matched between characters', 'x*', '-', 'abc', '-a-b-c-'],
  ['…but not right behind a match', 'a*', '-', 'baac', '-b-c-'],
  ['the start is matched once', '^/', '//', '/a/b', '//a/b'],
  ['a backslash is written twice', 'a', '\\\\', '/a', '/\\'],
];

test('replacing', async t => {
  for (const [name, pattern, substitution, text, expected] of CASES)
    t.equal(replace(pattern, substitution, text), expected, name);
});

test('a wrong substitution or pattern is refused', async t => {
  t.match(replace('(a)', '\\2', ''), /names group 2 of 1/);
  t.match(replace('a', '\\x', ''), /holds "\\x"/);
  t.match(replace('a', '\\', ''), /holds "\\"/);
  t.match(replace('(?=a)', '', ''), /lookahead/);
});

test('a text that is too long, or takes too long, stays as it is', async t => {
  const long = 'a'.repeat(8193);
  t.ok(replace('a', 'b', long) === long);
  const hostile = 'a'.repeat(8000);
  t.ok(replace('(?:a?){600}b', 'x', hostile) === hostile);
});

const atom = fc.constantFrom('a', 'b', '[ab]', '.', '(a)', '(?:ab)', '(a|bc)', '(?:b|ba)');
const pattern = fc
  .array(fc.tuple(atom, fc.constantFrom('', '', '?', '*', '+', '*?', '+?', '{2}', '{1,2}')), {
    minLength: 1,
    maxLength: 4,
  })
  .map(pieces => pieces.map(piece => piece.join('')).join(''));

test('what is replaced is what the runtime’s own engine replaces', t => {
  fc.assert(
    fc.property(
      fc.array(pattern, { minLength: 1, maxLength: 2 }).map(options => options.join('|')),
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 10 }),
      (source, text) => {
        // Both prefer alike; RE2 alone does not match nothing right behind a match.
        const theirs = text.replace(new RegExp(source, 'g'), (match: string, ...rest: unknown[]) => {
          const at = rest.find(item => typeof item === 'number') ?? 0;
          return match === '' && at > 0 && endsMatch(source, text, at) ? '' : `<${match}>`;
        });
        const ours = replace(source, '<\\0>', text);
        if (ours !== theirs) throw new Error(`${source} on ${text}: ${ours}, not ${theirs}`);
      },
    ),
    fuzzRun(2),
  );
  t.pass();
  t.end();
});

/** Whether a match that is not empty ends at `at`. */
function endsMatch(source: string, text: string, at: number): boolean {
  for (const match of text.matchAll(new RegExp(source, 'g')))
    if (match[0] !== '' && match.index + match[0].length === at) return true;
  return false;
}
