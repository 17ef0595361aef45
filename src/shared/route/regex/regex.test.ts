import { test } from 'tap';
import { compileRegex } from './regex.ts';

const MATCHES: readonly [string, string, string, boolean][] = [
  ['a literal matches itself', 'abc', 'abc', true],
  ['a match is of the whole text', 'abc', 'xabcx', false],
  ['the empty pattern matches the empty text', '', '', true],
  ['alternatives', 'cat|dog', 'dog', true],
  ['an alternative may be empty', 'a(b|)c', 'ac', true],
  ['star', '/(api|web)/.*', '/api/', true],
  ['plus wants one', 'a+', '', false],
  ['optional', 'colou?r', 'color', true],
  ['a counted repetition', 'a{2,3}', 'aaaa', false],
  ['an open count', 'a{2,}', 'aaaaa', true],
  ['an exact count', '[0-9]{3}', '123', true],
  ['a brace that is no count is a character', 'a{x}', 'a{x}', true],
  ['lazy repetition matches the same texts', 'a+?b', 'aab', true],
  ['a nested repetition', '(/[a-z]+)*', '/a/bc/d', true],
  ['a class', '[a-c-]+', 'a-c', true],
  ['a negated class', '[^/]+', 'a/b', false],
  ['a class that begins with a bracket', '[]a]+', ']a', true],
  ['a class with escapes', '[\\d\\-x]+', '1-x', true],
  ['a POSIX class', '[[:alpha:][:digit:]]+', 'a1', true],
  ['a dot does not match a newline', '.', '\n', false],
  ['with s it does', '(?s).', '\n', true],
  ['case may be ignored', '(?i)Abc[x-z]', 'aBCY', true],
  ['case may be ignored in a group', 'a(?i:b)c', 'aBc', true],
  ['…and only there', 'a(?i:b)c', 'aBC', false],
  ['a flag may be taken back', '(?i)a(?-i)b', 'AB', false],
  ['anchors at the ends change nothing', '^abc$', 'abc', true],
  ['an anchor in the middle matches nothing', 'a^b', 'ab', false],
  ['an end in the middle matches nothing', 'a$b', 'ab', false],
  ['two ends are one', 'a$$', 'a', true],
  ['anchors in alternatives', '(^a|b)(c|$)', 'a', true],
  ['a named group', '(?P<year>\\d{4})', '2026', true],
  ['a quotation', '\\Qa.b*\\E+', 'a.b*+', false],
  ['a quotation to the end', '\\Qa.b', 'a.b', true],
  ['a hexadecimal escape', '\\x41\\x{42}', 'AB', true],
  ['a Unicode class', '\\p{Lu}+', 'ÀB', true],
  ['a negated Unicode class', '\\PL', '1', true],
  ['a script', '\\p{Greek}', 'λ', true],
  ['spaces of RE2', '\\s+', ' \t', true],
  ['characters beyond Latin-1', '[а-я]+', 'привет', true],
];

test('patterns match whole texts', async t => {
  for (const [name, pattern, text, expected] of MATCHES) {
    const result = compileRegex(pattern);
    t.equal(result.ok && result.regex.matches(text), expected, name);
  }
});

const REFUSED: readonly [string, string, RegExp][] = [
  ['lookahead', 'a(?=b)', /lookahead is no part of RE2 \(at character 1/],
  ['negative lookahead', '(?!b)', /lookahead is no part of RE2/],
  ['lookbehind', '(?<=a)b', /lookbehind is no part of RE2/],
  ['a backreference', '(a)\\1', /backreferences are no part of RE2/],
  ['a named backreference', '\\k<a>', /backreferences are no part of RE2/],
  ['a word boundary', '\\bword', /word boundary.*not supported/],
  ['an open group', '(ab', /not closed \(at character 0/],
  ['a group closed twice', 'ab)', /closes no group/],
  ['an open class', 'a[bc', /class that begins here is not closed \(at character 1/],
  ['a repetition of nothing', '*a', /has nothing to repeat/],
  ['a repetition of a repetition', 'a**', /repeats a repetition/],
  ['a repetition that counts too far', 'a{1001}', /counts to 1000/],
  ['a repetition out of order', 'a{3,2}', /out of order/],
  ['a range out of order', '[z-a]', /out of order/],
  ['a pattern that is too large', '((a{100}){100}){100}', /more than 2000 steps/],
  ['a pattern that is too long', 'a'.repeat(1025), /1025 characters; at most 1024/],
  ['an unknown escape', '\\y', /no escape of RE2/],
  ['an unknown class', '[[:nope:]]', /no class of RE2/],
  ['an unknown Unicode class', '\\p{Nope}', /no Unicode class/],
  ['an unknown flag', '(?m)a', /flag "m" is not supported/],
  ['an unknown group', '(?>a)', /no such group in RE2/],
  ['a backslash at the end', 'a\\', /ends in the middle/],
  ['groups nested too deep', '('.repeat(60) + ')'.repeat(60), /nest deeper/],
];

test('what is refused, and why', async t => {
  for (const [name, pattern, reason] of REFUSED) {
    const result = compileRegex(pattern);
    t.match(result, { ok: false, reason }, name);
  }
});

test('time is linear: patterns that ruin a backtracking matcher', async t => {
  const text = `${'a'.repeat(8000)}!`;
  for (const pattern of ['(a+)+', '(a|a)*', '(a*)*b', '(.*a){20}', 'a*a*a*a*a*b', '(a|aa)+$']) {
    const result = compileRegex(pattern);
    t.equal(result.ok && result.regex.matches(text), false, pattern);
  }
});

test('a text over 8192 characters never matches', async t => {
  const result = compileRegex('a*');
  t.equal(result.ok && result.regex.matches('a'.repeat(8192)), true);
  t.equal(result.ok && result.regex.matches('a'.repeat(8193)), false);
});

test('many states cost time, not memory', async t => {
  const result = compileRegex('(.*)a(.{14})');
  if (!result.ok) throw new Error(result.reason);
  let text = '';
  let seed = 1;
  for (let i = 0; i < 5000; i++) {
    seed = (seed * 48271) % 2147483647;
    text += seed % 2 === 0 ? 'a' : 'b';
  }
  t.equal(result.regex.matches(`${text}a${'b'.repeat(14)}`), true);
  t.equal(result.regex.matches(`${text}b${'b'.repeat(14)}`), false);
});
