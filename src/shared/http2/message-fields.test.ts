import { test } from 'tap';
import { checkRequest, checkResponse, checkTrailers } from './message-fields.ts';

const TARGET = [':method', 'GET', ':scheme', 'https', ':authority', 'a.example', ':path', '/'];
const without = (name: string): string[] => TARGET.filter((_, i) => TARGET[i - (i % 2)] !== name);
const withValue = (name: string, value: string): string[] =>
  TARGET.map((text, i) => (i % 2 === 1 && TARGET[i - 1] === name ? value : text));

const GOOD: readonly (readonly [name: string, fields: readonly string[]])[] = [
  ['a plain request', TARGET],
  ['te: trailers', [...TARGET, 'te', 'trailers']],
  ['host equal to :authority, whatever its case', [...TARGET, 'host', 'A.example']],
  ['no :authority but host', [...without(':authority'), 'host', 'a.example']],
  ['OPTIONS *', withValue(':path', '*').map(f => (f === 'GET' ? 'OPTIONS' : f))],
  ['CONNECT to an IPv6 address', [':method', 'CONNECT', ':authority', '[::1]:80']],
  ['an obsolete octet in a value', [...TARGET, 'x', 'caf\u00e9\ttab']],
  ['an empty value', [...TARGET, 'x', '']],
];

for (const [name, fields] of GOOD) {
  test(`accepted: ${name}`, t => {
    t.match(checkRequest(fields, false), { method: String, contentLength: -1 });
    t.end();
  });
}

const BAD: readonly (readonly [name: string, fields: readonly string[], reason: string])[] = [
  ['no :method', without(':method'), ':method is missing or not a token'],
  ['a method with a space', withValue(':method', 'GET /'), ':method is missing or not a token'],
  ['no :scheme', without(':scheme'), ':scheme is missing or not a scheme'],
  ['no :path', without(':path'), ':path is missing or not a path'],
  ['an empty :path', withValue(':path', ''), ':path is missing or not a path'],
  ['a relative :path', withValue(':path', 'x'), ':path is missing or not a path'],
  ['a space in :path', withValue(':path', '/ HTTP/1.1'), ':path is missing or not a path'],
  ['a fragment in :path', withValue(':path', '/#a'), ':path is missing or not a path'],
  [':path * with GET', withValue(':path', '*'), ':path * without OPTIONS'],
  ['a line break in :path', withValue(':path', '/\r\nx: y'), ':path holds a forbidden character'],
  ['user information in :authority', withValue(':authority', 'u@a'), ':authority is not a host'],
  ['a path in :authority', withValue(':authority', 'a/b'), ':authority is not a host'],
  ['a pseudo-header field twice', [...TARGET, ':path', '/'], ':path comes twice'],
  ['one of a response', [...TARGET, ':status', '200'], 'unknown pseudo-header field ":status"'],
  ['an unknown one', [...TARGET, ':x', ''], 'unknown pseudo-header field ":x"'],
  ['one behind a regular field', ['a', 'b', ...TARGET], '":method" behind a regular field'],
  [
    ':protocol when it was not offered',
    [...TARGET, ':protocol', 'websocket'],
    'unknown pseudo-header field ":protocol"',
  ],
  [
    'CONNECT with :path',
    [':method', 'CONNECT', ':authority', 'a:1', ':path', '/'],
    'CONNECT with :scheme or :path',
  ],
  ['CONNECT without :authority', [':method', 'CONNECT'], 'CONNECT without :authority'],
  [
    'CONNECT with content-length',
    [':method', 'CONNECT', ':authority', 'a:1', 'content-length', '0'],
    'CONNECT with content-length',
  ],
  ['an upper-case name', [...TARGET, 'X-a', ''], 'field name "X-a" is not a lower-case token'],
  ['an empty name', [...TARGET, '', 'x'], 'field name "" is not a lower-case token'],
  ['a space in a name', [...TARGET, 'a b', ''], 'field name "a b" is not a lower-case token'],
  ['a line feed in a value', [...TARGET, 'a', 'b\nc'], 'the value of a holds a forbidden character'],
  ['NUL in a value', [...TARGET, 'a', 'b\0'], 'the value of a holds a forbidden character'],
  ['a value that begins with a space', [...TARGET, 'a', ' b'], 'the value of a holds a forbidden character'],
  ['a value that ends with a tab', [...TARGET, 'a', 'b\t'], 'the value of a holds a forbidden character'],
  ['connection', [...TARGET, 'connection', 'close'], 'connection-specific field connection'],
  [
    'transfer-encoding',
    [...TARGET, 'transfer-encoding', 'chunked'],
    'connection-specific field transfer-encoding',
  ],
  ['upgrade', [...TARGET, 'upgrade', 'h2c'], 'connection-specific field upgrade'],
  ['te other than trailers', [...TARGET, 'te', 'gzip'], 'connection-specific field te'],
  [
    'content-length twice',
    [...TARGET, 'content-length', '1', 'content-length', '1'],
    'content-length is not one whole number',
  ],
  [
    'content-length with a sign',
    [...TARGET, 'content-length', '+1'],
    'content-length is not one whole number',
  ],
  [
    'content-length as a list',
    [...TARGET, 'content-length', '1,1'],
    'content-length is not one whole number',
  ],
  ['host other than :authority', [...TARGET, 'host', 'b.example'], 'host differs from :authority'],
  ['host twice', [...TARGET, 'host', 'a.example', 'host', 'a.example'], 'host comes twice'],
];

for (const [name, fields, reason] of BAD) {
  test(`malformed: ${name}`, t => {
    t.equal(checkRequest(fields, false), reason);
    t.end();
  });
}

test('extended CONNECT has all parts of a target', t => {
  const fields = [':protocol', 'websocket', ...withValue(':method', 'CONNECT')];
  t.match(checkRequest(fields, true), { method: 'CONNECT' });
  t.equal(checkRequest([':protocol', 'x', ...TARGET], true), ':protocol without CONNECT');
  t.end();
});

test('responses', t => {
  t.same(checkResponse([':status', '200', 'content-length', '7']), { status: 200, contentLength: 7 });
  t.same(
    checkResponse([':status', '204']),
    { status: 204, contentLength: -1 },
    'and nothing of the one before',
  );
  for (const status of ['', '20', '2000', '099', '2x0', '+20']) {
    t.equal(checkResponse([':status', status]), ':status is not three digits');
  }
  t.equal(checkResponse([]), ':status is not three digits');
  t.equal(checkResponse([':status', '200', ':path', '/']), 'unknown pseudo-header field ":path"');
  t.equal(checkResponse([':status', '101']), '101 has no meaning in HTTP/2');
  t.end();
});

test('trailers', t => {
  t.equal(checkTrailers(['grpc-status', '0']), undefined);
  t.equal(checkTrailers([':status', '200']), 'a pseudo-header field stands among the trailers');
  t.equal(checkTrailers(['connection', 'x']), 'connection-specific field connection');
  t.end();
});
