import { test } from 'tap';
import type { HashSource } from '#shared/route/traffic-policy.ts';
import { NO_HASH } from './choice.ts';
import { readCookie } from '#shared/http/cookie.ts';
import { formatNewCookie, hashRequest } from './request-hash.ts';

const header = (name: string, terminal = false): HashSource => ({ kind: 'header', name, terminal });
const cookie = (ttlMs: number | undefined, path?: string): HashSource => ({
  kind: 'cookie',
  terminal: false,
  cookie: { name: 'sid', path, ttlMs, attributes: [] },
});

function hash(
  sources: readonly HashSource[],
  headers: string[] = [],
  path = '/',
  source = '10.0.0.1:4000',
  random = 0.5,
) {
  return hashRequest(sources, { headers, path, authority: 'echo', method: 'GET' }, source, random);
}

test('equal requests have equal hashes, others hardly ever', t => {
  const rows: readonly (readonly [
    string,
    readonly HashSource[],
    readonly [string[], string, string],
    readonly [string[], string, string],
  ])[] = [
    [
      'a header',
      [header('x-user')],
      [['x-user', 'a'], '/1', '1.1.1.1:1'],
      [['x-user', 'b'], '/1', '1.1.1.1:1'],
    ],
    [
      'a cookie',
      [cookie(undefined)],
      [['cookie', 'x=1; sid=a'], '/1', '1.1.1.1:1'],
      [['cookie', 'x=1; sid=b'], '/1', '1.1.1.1:1'],
    ],
    [
      'a query parameter',
      [{ kind: 'query', name: 'u', terminal: false }],
      [[], '/p?u=a%20b', '1.1.1.1:1'],
      [[], '/p?u=c', '1.1.1.1:1'],
    ],
    [
      'the address, not the port',
      [{ kind: 'source_ip', terminal: false }],
      [[], '/', '1.1.1.1:1'],
      [[], '/', '1.1.1.2:1'],
    ],
  ];
  for (const [sentence, sources, [aHeaders, aPath, aSource], [bHeaders, bPath, bSource]] of rows) {
    const a = hash(sources, aHeaders, aPath, aSource).hash;
    t.equal(
      a,
      hash(sources, [...aHeaders, 'x-other', 'z'], aPath, aSource.replace(':1', ':2')).hash,
      `${sentence}: equal`,
    );
    t.not(a, hash(sources, bHeaders, bPath, bSource).hash, `${sentence}: another`);
    t.ok(a >= 0 && a < 2 ** 32 && Number.isInteger(a), '32 bits');
  }
  t.end();
});

test('several sources are combined; after a terminal one that is there the rest is not looked at', t => {
  const both = [header('a'), header('b')];
  t.not(hash(both, ['a', '1', 'b', '2']).hash, hash(both, ['a', '1', 'b', '3']).hash);
  t.not(hash(both, ['a', '1', 'b', '2']).hash, hash(both, ['a', '2', 'b', '1']).hash, 'in their order');
  const terminal = [header('a', true), header('b')];
  t.equal(hash(terminal, ['a', '1', 'b', '2']).hash, hash(terminal, ['a', '1', 'b', '3']).hash);
  t.equal(hash(terminal, ['b', '2']).hash, hash([header('b')], ['b', '2']).hash);
  t.equal(hash(both).hash, NO_HASH, 'none of them is there');
  t.end();
});

test('a client without the cookie gets one that leads where this request goes', t => {
  const made = hash([cookie(60_000, '/shop')]);
  t.match(made.newCookie?.value, /^[0-9a-f]{16}$/);
  const text = made.newCookie === undefined ? '' : formatNewCookie(made.newCookie);
  t.match(text, /^sid="[0-9a-f]{16}"; Max-Age=60; Path=\/shop; HttpOnly$/);
  const again = hash([cookie(60_000)], ['cookie', `sid=${made.newCookie?.value}`]);
  t.equal(again.hash, made.hash);
  t.equal(again.newCookie, undefined);
  t.equal(hash([cookie(undefined)]).newCookie, undefined, 'none where the policy gives no time');
  const session = hash([cookie(0)]).newCookie;
  t.notMatch(
    session === undefined ? 'Max-Age' : formatNewCookie(session),
    /Max-Age/,
    'time 0: for the browser session',
  );
  t.not(
    hash([cookie(0)], [], '/', '10.0.0.1:1', 0.1).newCookie?.value,
    hash([cookie(0)], [], '/', '10.0.0.1:1', 0.2).newCookie?.value,
  );
  t.end();
});

test('attributes of a cookie are kept as they are written', t => {
  const attributes = [
    { name: 'SameSite', value: 'Strict' },
    { name: 'Secure', value: '' },
    { name: 'httponly', value: '' },
  ];
  t.equal(
    formatNewCookie({ cookie: { name: 's', path: undefined, ttlMs: 1, attributes }, value: 'v' }),
    's="v"; Max-Age=1; SameSite=Strict; Secure; httponly',
  );
  t.end();
});

test('the first cookie of a name, wherever HTTP/2 has put it', t => {
  t.equal(readCookie(['cookie', 'a=1; b="two"; c='], 'b'), 'two');
  t.equal(readCookie(['cookie', 'a=1', 'cookie', 'b=2'], 'b'), '2');
  t.equal(readCookie(['cookie', 'ab=1;  b = 2 '], 'b'), '2');
  t.equal(readCookie(['cookie', 'c='], 'c'), '');
  t.equal(readCookie(['cookie', 'b; =; ;;'], 'b'), undefined);
  t.equal(readCookie(['x-cookie', 'b=1'], 'b'), undefined);
  t.end();
});
