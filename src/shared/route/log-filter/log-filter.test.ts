import { test } from 'tap';
import { requestHead } from '../../testing/request-head.ts';
import { MAX_FILTER_CHARS, parseLogFilter } from './log-filter.ts';
import type { LogSubject } from './term.ts';

const REQUEST: LogSubject = {
  peers: { sourceIdentity: 'spiffe://cluster.local/ns/shop/sa/orders' },
  sourceAddress: '10.0.0.1:40000',
  endpointAddress: '10.0.0.2:8080',
  request: requestHead({
    authority: 'payments',
    path: '/pay?id=7',
    headers: ['x-user', 'anna', 'user-agent', 'curl/8', 'x-request-id', 'r1'],
  }),
  status: 503,
  grpcStatus: '14',
  flags: 'UF,URX',
  requestBytes: 10,
  responseBytes: 20,
  durationMs: 1_500,
};
const GONE: LogSubject = { ...REQUEST, status: 0, grpcStatus: '', flags: 'DC', endpointAddress: '' };
const CONNECTION: LogSubject = {
  ...GONE,
  request: undefined,
  flags: '-',
  peers: { sourceIdentity: undefined },
};

const LOGGED: readonly (readonly [string, string, LogSubject, boolean])[] = [
  ['a status that is high enough', 'response.code >= 400', REQUEST, true],
  ['a status that is not', 'response.code == 200', REQUEST, false],
  ['one of two', 'response.code == 404 || response.code > 500', REQUEST, true],
  ['both of two', "response.code >= 500 && request.method != 'POST'", REQUEST, true],
  ['and goes before or', 'true || false && false', REQUEST, true],
  ['parentheses go before both', '(true || false) && false', REQUEST, false],
  ['not', '!(response.code >= 400)', REQUEST, false],
  ['not of not', '!!connection.mtls', REQUEST, true],
  ['a path with its query', 'request.path == "/pay?id=7"', REQUEST, true],
  ['a path without it', "request.url_path == '/pay'", REQUEST, true],
  ['a text test', "request.url_path.startsWith('/p') && request.host.endsWith('s')", REQUEST, true],
  ['a text test of a header', "request.headers['User-Agent'].contains('curl')", REQUEST, true],
  ['a header', "request.headers['x-user'] == 'anna'", REQUEST, true],
  ['the header of the authority', "request.headers['host'] == 'payments'", REQUEST, true],
  ['a header that is not there is no value', "request.headers['x-none'] != 'anna'", REQUEST, false],
  [
    'whether a header is there',
    "'x-user' in request.headers && !('x-none' in request.headers)",
    REQUEST,
    true,
  ],
  ['one of a list', 'response.code in [401, 403, 503]', REQUEST, true],
  ['none of a list', "!(request.method in ['POST', 'PUT'])", REQUEST, true],
  ['a duration', "request.duration > duration('1s') && request.duration < duration('1.6s')", REQUEST, true],
  ['the flags as bits', 'response.flags == 32800', REQUEST, true],
  ['no flags', 'response.flags != 0', CONNECTION, false],
  ['a status of gRPC', 'response.grpc_status == 14', REQUEST, true],
  ['a status of gRPC that is no number', 'has(response.grpc_status)', { ...REQUEST, grpcStatus: 'x' }, false],
  ['sizes', 'request.size == 10 && response.size == 20', REQUEST, true],
  ['an identity', "connection.uri_san_peer_certificate.endsWith('/sa/orders')", REQUEST, true],
  ['whether there was an answer', 'has(response.code)', GONE, false],
  ['that there was none', '!has(response.code)', GONE, true],
  ['without an answer there is no status to compare', 'response.code < 200', GONE, false],
  ['not of what cannot be told cannot be told', '!(response.code < 200)', GONE, false],
  ['or holds by the other part', 'response.code < 200 || request.method == "GET"', GONE, true],
  ['whichever comes first', 'request.method == "GET" || response.code < 200', GONE, true],
  ['not of an and that is false by its other part', '!(response.code < 200 && false)', GONE, true],
  ['a connection has no request', 'request.method != "GET"', CONNECTION, false],
  ['a connection without a certificate', '!connection.mtls', CONNECTION, true],
  ['escapes in a text', String.raw`"a\"b" == 'a"b'`, REQUEST, true],
  ['spaces and lines', '\n response.code\n  >= -1 ', REQUEST, true],
];

test('what is logged', t => {
  for (const [name, text, subject, expected] of LOGGED) {
    const parsed = parseLogFilter(text);
    t.equal(parsed.ok ? parsed.filter(subject) : parsed.problem, expected, name);
  }
  t.end();
});

const REFUSED: readonly (readonly [string, string, string])[] = [
  [
    'an unknown attribute',
    'xds.cluster_name == "a"',
    '"xds.cluster_name" is no attribute that the log knows (at character 0',
  ],
  ['two types', "response.code == '200'", '== compares int with string (at character 14'],
  ['an order of truths', 'true < false', '< does not compare bool (at character 5'],
  ['no truth', 'response.code', 'what begins here is int and must be bool (at character 0'],
  [
    'no truth on one side',
    'true && request.method',
    'what begins here is string and must be bool (at character 8',
  ],
  ['not of a number', '!response.code == 200', 'what begins here is int and must be bool (at character 1'],
  ['a missing parenthesis', '(true', 'it ends where ")" should be (at character 5'],
  ['one too many', 'true)', '")" stands where an operator should be (at character 4'],
  ['nothing', ' ', 'it ends where an attribute, a value or "(" should be'],
  ['an assignment', 'response.code = 200', '"= 200" is not understood (at character 14'],
  [
    'a text that is not closed',
    "request.method == 'GET",
    'the text that begins here is not closed (at character 18',
  ],
  ['a fraction', 'response.code > 1.5', '"1.5" begins with no whole number (at character 16'],
  ['a number that is too large', 'response.code > 99999999999999999999', 'is too large (at character 16'],
  [
    'a function',
    'size(request.method) > 1',
    'size() is not supported; there are has, duration (at character 0',
  ],
  [
    'a pattern',
    "request.path.matches('a')",
    'matches() is not supported; there are contains, endsWith, startsWith',
  ],
  [
    'a text test of a number',
    "response.code.contains('4')",
    'what begins here is int and must be string (at character 0',
  ],
  [
    'a duration that is none',
    "request.duration > duration('soon')",
    'duration() takes a text such as "1.5s"',
  ],
  ['a choice', 'true ? true : false', 'the operator ? is not supported (at character 5'],
  ['arithmetic', 'response.code / 100 == 5', 'the operator / is not supported (at character 14'],
  ['a header without its name', 'request.headers == "a"', '"==" stands where "[" should be'],
  [
    'a list of two types',
    "response.code in [200, 'a']",
    'what begins here is string and must be int (at character 23',
  ],
  ['an empty list', 'response.code in []', '"]" stands where an attribute'],
  ['another escape', String.raw`request.path == "\x41"`, String.raw`\x in a text is not supported`],
  ['an abyss', `${'('.repeat(40)}true${')'.repeat(40)}`, 'is nested more than 32 deep (at character 32'],
  ['a chain of nots', `${'!'.repeat(40)}true`, 'is nested more than 32 deep'],
  ['too long', 'true || '.repeat(MAX_FILTER_CHARS / 8 + 1), 'is longer than 2048 characters'],
];

test('what is beyond it is refused, with where it is', t => {
  for (const [name, text, expected] of REFUSED) {
    const parsed = parseLogFilter(text);
    t.match(parsed.ok ? 'taken' : parsed.problem, expected, name);
  }
  t.end();
});
