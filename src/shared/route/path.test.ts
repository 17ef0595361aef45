import { test } from 'tap';
import { lenientPath, normalizePath, normalizeTarget } from './path.ts';

const ROWS: readonly [string, string, string | undefined][] = [
  ['a normal path stays', '/a/b', '/a/b'],
  ['the query is cut off', '/a?b=/../c', '/a'],
  ['the fragment is cut off', '/a#b?c', '/a'],
  ['unreserved characters are decoded', '/%61%2D%5f%7E', '/a-_~'],
  ['reserved characters stay encoded', '/a%2Fb%3F%20', '/a%2Fb%3F%20'],
  ['decoding happens once', '/%2561', '/%2561'],
  ['a broken escape stays', '/%zz%6', '/%zz%6'],
  ['a backslash is a slash', '\\a\\b', '\\a\\b'.replaceAll('\\', '/')],
  ['a single dot goes', '/a/./b', '/a/b'],
  ['a double dot takes its parent', '/a/b/../c', '/a/c'],
  ['a double dot at the root stays there', '/../../a', '/a'],
  ['a dot at the end leaves the slash', '/a/.', '/a/'],
  ['a double dot at the end leaves the slash', '/a/b/..', '/a/'],
  ['names that begin with a dot are names', '/.well-known/..a', '/.well-known/..a'],
  ['repeated slashes stay', '//a//b', '//a//b'],
  ['an encoded NUL has no normal form', '/a%00', undefined],
  ['a parent behind an encoded slash is none that could be compared', '/a%2f..', undefined],
  ['…before one', '/a/..%2Fb', undefined],
  ['…between encoded backslashes', '/a%5c%2e%2E%5Cb', undefined],
  ['…with parameters', '/a/..;/b', undefined],
  ['names that begin with two dots are names there too', '/a%2f..b/..c;d', '/a%2f..b/..c;d'],
  ['the asterisk form stays', '*', '*'],
  ['the empty path of CONNECT stays', '', ''],
];

test('normalizePath', async t => {
  for (const [name, target, expected] of ROWS) t.equal(normalizePath(target), expected, name);
});

/** A path, with slashes merged, and decoded and merged. */
const MERGED: readonly [
  sentence: string,
  path: string,
  merged: string | undefined,
  decoded: string | undefined,
][] = [
  ['a normal path stays', '/a/b', '/a/b', '/a/b'],
  ['slashes are merged', '//a///b', '/a/b', '/a/b'],
  ['at the end as well', '/a//', '/a/', '/a/'],
  ['encoded slashes stay, or are decoded', '/a/%2f', '/a/%2f', '/a/'],
  ['and backslashes', '/%2Fa%5cb%5Cc', '/%2Fa%5cb%5Cc', '/a/b/c'],
  ['backslashes are slashes', '/a/\\/\\/\\b', '/a/b', '/a/b'],
  ['all else is as without', '/xyz%30..//abc', '/xyz0../abc', '/xyz0../abc'],
  ['a parent of an empty segment takes that', '/a//../b', '/a/b', '/a/b'],
  ['and the next one takes more', '/a//../../b', '/b', '/b'],
  ['a parent behind an encoded slash is refused, or resolved', '/a/..%2fb', undefined, '/b'],
  ['…between encoded backslashes', '/a%5c%2e%2E%5Cb', undefined, '/b'],
  ['a parent with parameters is refused', '/a/..;/b', undefined, undefined],
  ['behind an encoded slash too', '/a%2f..;/b', undefined, undefined],
  ['decoding happens once', '/a%252fb%255cc', '/a%252fb%255cc', '/a%252fb%255cc'],
  ['bytes that are no text stay', '/%c0%2e%c0%2fb', '/%c0.%c0%2fb', '/%c0.%c0/b'],
  ['an encoded NUL has no normal form', '//a%00', undefined, undefined],
  ['the asterisk form stays', '*', '*', '*'],
  ['the empty path of CONNECT stays', '', '', ''],
];

test('normalizePath with slashes merged, and decoded before', async t => {
  for (const [sentence, path, merged, decoded] of MERGED) {
    t.equal(normalizePath(path, 'merge_slashes'), merged, sentence);
    t.equal(normalizePath(path, 'decode_and_merge_slashes'), decoded, `${sentence}: decoded`);
  }
});

test('what is normal in a stricter way is in every other', async t => {
  for (const [sentence, path, ...normal] of MERGED)
    for (const one of normal) if (one !== undefined) t.equal(normalizePath(one), one, `${sentence}: ${path}`);
});

const LENIENT: readonly [string, string, string | undefined][] = [
  ['nothing to read in another way', '/a/b', undefined],
  ['slashes are merged', '//a///b', '/a/b'],
  ['slashes are decoded', '/a%2Fb%5cc', '/a/b/c'],
  ['an encoded slash at the beginning', '/%2fa', '/a'],
  ['parameters are left out', '/a;x=1/b;y', '/a/b'],
  ['a dot segment comes out', '/a%2f.%2fb/.;x/c', '/a/b/c'],
  ['the asterisk form stays', '*', undefined],
];

test('lenientPath', async t => {
  for (const [name, path, expected] of LENIENT) t.equal(lenientPath(path), expected, name);
});

test('normalizeTarget keeps the query as it was', async t => {
  t.equal(normalizeTarget('/a/../b?x=%61/..'), '/b?x=%61/..');
  t.equal(normalizeTarget('/b'), '/b');
  t.equal(normalizeTarget('/%00?x'), undefined);
  t.equal(normalizeTarget('//a?x=//b%2f', 'decode_and_merge_slashes'), '/a?x=//b%2f');
  t.equal(normalizeTarget('/a?x=//b', 'merge_slashes'), '/a?x=//b');
});
