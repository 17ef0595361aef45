import { test } from 'tap';
import { applyHeaderChange, modifyPath, redirectLocation } from './filters.ts';
import type { PathMatch } from './model.ts';
import type { PathModifier, Redirect } from './route-filter.ts';

const elements = (value: string): PathMatch => ({ kind: 'prefix', value, ignoreCase: false });
const characters = (value: string): PathMatch => ({ kind: 'string_prefix', value, ignoreCase: false });
const replacePrefix = (value: string): PathModifier => ({ kind: 'prefix', value });
const full = (value: string): PathModifier => ({ kind: 'full', value });

const REWRITES: readonly [string, string, PathModifier, PathMatch | undefined, string][] = [
  ['a prefix is replaced', '/foo/bar', replacePrefix('/xyz'), elements('/foo'), '/xyz/bar'],
  [
    'a slash at the end of the new prefix is not doubled',
    '/foo/bar',
    replacePrefix('/xyz/'),
    elements('/foo'),
    '/xyz/bar',
  ],
  [
    'a slash at the end of the old prefix means nothing',
    '/foo/bar',
    replacePrefix('/xyz'),
    elements('/foo/'),
    '/xyz/bar',
  ],
  ['…nor at both', '/foo/bar', replacePrefix('/xyz/'), elements('/foo/'), '/xyz/bar'],
  ['the prefix alone becomes the new one', '/foo', replacePrefix('/xyz'), elements('/foo'), '/xyz'],
  ['a slash after the prefix stays', '/foo/', replacePrefix('/xyz'), elements('/foo'), '/xyz/'],
  ['an empty new prefix takes the old one away', '/foo/bar', replacePrefix(''), elements('/foo'), '/bar'],
  ['…and leaves the slash', '/foo/', replacePrefix(''), elements('/foo'), '/'],
  ['…or makes one', '/foo', replacePrefix(''), elements('/foo'), '/'],
  ['a slash as new prefix is the root', '/foo/', replacePrefix('/'), elements('/foo'), '/'],
  ['…for the prefix alone too', '/foo', replacePrefix('/'), elements('/foo'), '/'],
  ['the root is a prefix as well', '/bar', replacePrefix('/xyz'), elements('/'), '/xyz/bar'],
  ['the query stays', '/foo/bar?a=/foo', replacePrefix('/xyz'), elements('/foo'), '/xyz/bar?a=/foo'],
  [
    'a prefix by characters is cut in the middle of an element',
    '/foobar',
    replacePrefix('/x'),
    characters('/foo'),
    '/xbar',
  ],
  ['…without doubling a slash', '/foo/bar', replacePrefix('/'), characters('/foo'), '/bar'],
  ['the full path is replaced', '/foo/bar?q', full('/one'), elements('/foo'), '/one?q'],
  ['a full path gets its slash', '/foo', full('one'), undefined, '/one'],
  [
    'a pattern is replaced wherever it matches',
    '/a/x/b/x?x',
    { kind: 'regex', pattern: 'x', value: 'y' },
    undefined,
    '/a/y/b/y?x',
  ],
  [
    'with what its groups matched',
    '/service/foo/v1',
    { kind: 'regex', pattern: '^/service/([^/]+)(/.*)$', value: '\\2/\\1' },
    elements('/service'),
    '/v1/foo',
  ],
  [
    'a prefix change on an exact match replaces the whole path',
    '/foo',
    replacePrefix('/bar'),
    { kind: 'exact', value: '/foo', ignoreCase: false },
    '/bar',
  ],
];

test('modifyPath', async t => {
  for (const [name, target, modifier, match, expected] of REWRITES) {
    t.equal(modifyPath(target, modifier, match), expected, name);
  }
});

const PLAIN: Redirect = {
  scheme: undefined,
  hostname: undefined,
  port: undefined,
  path: undefined,
  status: 302,
};

const REDIRECTS: readonly [string, Partial<Redirect>, number, string][] = [
  [
    'a host name alone keeps scheme, port, path and query',
    { hostname: 'example.org' },
    8080,
    'http://example.org:8080/a/b?q=1',
  ],
  ['the well-known port is left out', { hostname: 'example.org' }, 80, 'http://example.org/a/b?q=1'],
  ['a scheme means its well-known port', { scheme: 'https' }, 8080, 'https://shop/a/b?q=1'],
  ['a port is written', { port: 8083 }, 80, 'http://shop:8083/a/b?q=1'],
  ['a port that is the scheme’s is left out', { scheme: 'https', port: 443 }, 80, 'https://shop/a/b?q=1'],
  ['https on port 80 is written', { scheme: 'https', port: 80 }, 80, 'https://shop:80/a/b?q=1'],
  ['a path replaces the path', { path: full('/x') }, 80, 'http://shop/x?q=1'],
  ['a prefix replaces the prefix', { path: replacePrefix('/x') }, 80, 'http://shop/x/b?q=1'],
];

test('redirectLocation', async t => {
  const request = { scheme: 'http', authority: 'shop:80', path: '/a/b?q=1' };
  for (const [name, redirect, port, expected] of REDIRECTS) {
    t.equal(redirectLocation({ ...PLAIN, ...redirect }, request, port, elements('/a')), expected, name);
  }
});

test('applyHeaderChange removes, sets and adds', async t => {
  const headers = ['a', '1', 'b', '2', 'a', '3', 'c', '4'];
  applyHeaderChange(
    {
      remove: ['c'],
      set: [
        { name: 'a', value: 'x' },
        { name: 'new', value: 'n' },
      ],
      add: [{ name: 'b', value: 'y' }],
    },
    headers,
  );
  t.same(headers, ['a', 'x', 'b', '2', 'new', 'n', 'b', 'y']);
});
