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
});
