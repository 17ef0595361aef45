import { deepEqual } from 'node:assert/strict';
import { createServer, type IncomingMessage, METHODS, type ServerResponse } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import * as fc from 'fast-check';
import { test } from 'tap';
import { type RecordedRequest, type Recording, recordServer } from '../testing/http1-recorder.ts';
import { MALFORMED_REQUESTS } from '../testing/malformed-requests.ts';
import { SMUGGLING_REQUESTS, UNAMBIGUOUS_REQUESTS } from '../testing/smuggling-requests.ts';
import { isForbiddenInTrailers } from './field-names.ts';

/*
 * Fragmentation: whatever the bytes, the result does not depend on the pieces they come in.
 *
 * Differential: whatever we accept, Node's own strict parser accepts with the same meaning (method, target, fields, body,
 * trailers), so that nothing passes here that is another request behind us. The other way round there are deliberate
 * differences; we refuse where Node accepts:
 *   - a missing, empty, repeated or malformed Host, and a Host that is not the host of an absolute target
 *   - repeated equal Content-Lengths, leading zeros and more than 15 digits in one
 *   - a Transfer-Encoding that is not exactly `chunked` (Node takes `gzip, chunked`), or one in HTTP/1.0
 *   - non-ASCII octets and `#` in the target, blanks after the version, more than one empty line before a request
 *   - malformed Connection, and one that names Host, Content-Length or Transfer-Encoding
 *   - blanks and escapes in chunk extensions, chunk sizes of more than 12 digits
 *   - CONNECT with a body
 * We accept methods Node does not know (any token): the comparison ends at one. We accept a tab behind `chunked` (it is
 * whitespace, RFC 9110 §5.6.3), which Node refuses: such bytes are not compared.
 */
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 0);
const LIMIT =
  SECONDS > 0 ? { interruptAfterTimeLimit: (SECONDS * 1000) / 2, numRuns: 1e9 } : { numRuns: 150 };

const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS');
const target = fc.constantFrom(
  '/',
  '/a?b=c',
  '*',
  'http://h/x',
  'http://h',
  '/%00',
  '/"<>|',
  '//x',
  '/a\\b',
  'h',
  '/\xe4',
  '/#',
);
const version = fc.constantFrom(
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'http/1.1',
  'HTTP/1.1 ',
);
const eol = fc.constantFrom(...Array<string>(30).fill('\r\n'), '\n', '\r', '\r\r\n', '\r\n ', '');
const name = fc.constantFrom(
  'Content-Length',
  'Transfer-Encoding',
  'Host',
  'Connection',
  'X',
  'x-y',
  'Te',
  'Cookie',
  'Expect',
  'Trailer',
  'Set-Cookie',
  'Keep-Alive',
  ' X',
  'X ',
  'X\x00',
  'X(',
);
const value = fc.oneof(
  fc.constantFrom(
    'h',
    'chunked',
    'Chunked',
    'gzip',
    'chunked, chunked',
    'close',
    'keep-alive',
    'close, x',
    '0',
    '1',
    '5',
    '05',
    '5, 5',
    '+5',
    '-1',
    '',
    '100-continue',
    'a b',
    '\x0bchunked',
    '\xe4',
  ),
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)), maxLength: 6 }),
);
const field = fc
  .tuple(name, fc.constantFrom(': ', ':', ':\t ', ' : '), value, eol)
  .map(parts => parts.join(''));
const chunk = fc
  .tuple(
    fc.constantFrom(
      '5',
      '05',
      '0',
      '1',
      'A',
      'a',
      '5;x',
      '5;x=y',
      '5;x="y z"',
      '5 ',
      '0x5',
      '-5',
      '5;',
      '100000000000000005',
    ),
    eol,
    fc.constantFrom('hello', 'h', '0123456789', ''),
    eol,
  )
  .map(parts => parts.join(''));
const body = fc.oneof(
  fc.constantFrom(
    '',
    'hello',
    'h',
    '0\r\n\r\n',
    '5\r\nhello\r\n0\r\n\r\n',
    '1;a=b\r\nx\r\n0\r\nt: 1\r\n\r\n',
    '0\r\nContent-Length: 1\r\nx: 2\r\n\r\n',
  ),
  fc.array(chunk, { maxLength: 3 }).map(chunks => chunks.join('')),
);
const request = fc
  .tuple(
    method,
    target,
    version,
    eol,
    fc.constantFrom('Host: h\r\n', 'Host: h\r\n', 'Host: h\r\n', ''),
    fc.array(field, { maxLength: 3 }),
    eol,
    body,
  )
  .map(([m, t, v, e, host, fields, end, b]) => `${m} ${t} ${v}${e}${host}${fields.join('')}${end}${b}`);
const wellFormed = fc
  .tuple(
    method,
    fc.constantFrom('/', '/a?b', 'http://h/x'),
    fc.constantFrom('X: y\r\n', 'Cookie: a\r\nCookie: b\r\n', 'A:\tb \r\n', ''),
    fc.constantFrom(
      '',
      'Content-Length: 5\r\n\r\nhello',
      'Transfer-Encoding: chunked\r\n\r\n5;x="y"\r\nhello\r\n00\r\nT: 1\r\n\r\n',
    ),
  )
  .map(([m, t, fields, b]) => `${m} ${t} HTTP/1.1\r\nHost: h\r\n${fields}${b === '' ? '\r\n' : b}`);
const CORPUS = [...MALFORMED_REQUESTS, ...SMUGGLING_REQUESTS, ...UNAMBIGUOUS_REQUESTS];
/** An octet of a known request replaced, added or taken away: what is refused as it stands may be accepted so. */
const mutated = fc
  .tuple(
    fc.constantFrom(...CORPUS.map(([, bytes]) => bytes.slice(0, 2_000))),
    fc.nat(),
    fc.oneof(fc.constantFrom(0x09, 0x0a, 0x0b, 0x0d, 0x20, 0x2c, 0x3a), fc.integer({ min: 0, max: 255 })),
    fc.constantFrom('replace', 'add', 'take'),
  )
  .map(([bytes, at, octet, how]) => {
    const where = at % (bytes.length + 1);
    const middle = how === 'take' ? '' : String.fromCharCode(octet);
    return bytes.slice(0, where) + middle + bytes.slice(how === 'add' ? where : where + 1);
  });
const stream = fc.oneof(
  fc
    .array(
      fc.oneof(
        { weight: 2, arbitrary: wellFormed },
        { weight: 2, arbitrary: request },
        { weight: 1, arbitrary: mutated },
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map(parts => parts.join('')),
  fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)),
    maxLength: 200,
  }),
);

test('the result is the same in any fragmentation', t => {
  fc.assert(
    fc.property(
      // A line without its end may be refused at once or held until it ends: so every line ends.
      stream.map(bytes => `${bytes}\r\n\n`),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
      (bytes, sizes) => {
        const whole = recordServer(bytes);
        let i = 0;
        const pieces = recordServer(bytes, { fragment: () => sizes[i++ % sizes.length] ?? 1 });
        deepEqual(outcome(pieces), outcome(whole));
      },
    ),
    LIMIT,
  );
  t.pass('no counterexample');
  t.end();
});

/**
 * Of a body that is broken off, how much had been handed on depends on the pieces; and which of two faults of one line is
 * named depends on which was seen first.
 */
function outcome({ requests, refused, output, closed }: Recording) {
  const complete = requests.map(r => (r.ended === 'end' ? r : { ...r, body: '' }));
  return {
    requests: complete,
    refused: refused.length,
    answers: output.split('HTTP/1.1 200').length,
    closed,
  };
}

test('what we accept, Node accepts with the same meaning', async t => {
  const server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: false,
    joinDuplicateHeaders: false,
  });
  await fc.assert(
    fc.asyncProperty(stream, async bytes => {
      if (/^CONNECT|upgrade|^transfer-encoding:[^\r\n]*\t *\t*\r\n/im.test(bytes)) return;
      const ours = recordServer(bytes).requests.filter(r => r.ended === 'end');
      if (ours.length === 0) return;
      const theirs = await parseWithNode(server, bytes);
      for (const [i, request_] of ours.entries()) {
        if (!METHODS.includes(request_.method)) return;
        deepEqual(theirs[i], comparable(request_));
      }
    }),
    LIMIT,
  );
  t.pass('no counterexample');
});

interface Comparable {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}

function comparable({ method: m, path, headers, body: b, trailers }: RecordedRequest): Comparable {
  return { method: m, path, headers: endToEnd(headers), body: b, trailers: endToEnd(trailers) };
}

/** Fields of the connection are ours to drop, in a head as in trailers; what Connection names depends on its spelling. */
function endToEnd(list: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const key = (list[i] ?? '').toLowerCase();
    if (!DROPPED.has(key)) out.push(key, list[i + 1] ?? '');
  }
  return out;
}

function allowedTrailers(list: readonly string[]): string[] {
  return list.filter((_, i) => !isForbiddenInTrailers((list[i - (i % 2)] ?? '').toLowerCase()));
}

const DROPPED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'te',
  'expect',
  'x',
]);

async function parseWithNode(server: ReturnType<typeof createServer>, bytes: string): Promise<Comparable[]> {
  const seen: Comparable[] = [];
  const [client, remote] = duplexPair();
  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    const chunks: Buffer[] = [];
    req.on('data', (part: Buffer) => chunks.push(part));
    req.on('end', () => {
      seen.push({
        method: req.method ?? '',
        path: normalPath(req.method ?? '', req.url ?? ''),
        headers: endToEnd(req.rawHeaders),
        body: Buffer.concat(chunks).toString('latin1'),
        trailers: endToEnd(allowedTrailers(req.rawTrailers)),
      });
      res.end('ok');
    });
  };
  server.on('request', onRequest);
  server.on('clientError', onClientError);
  try {
    server.emit('connection', remote);
    await new Promise<void>(resolve => {
      client.on('close', () => resolve());
      client.on('end', () => client.destroy());
      remote.on('close', () => client.destroy());
      client.resume();
      client.end(Buffer.from(bytes, 'latin1'));
    });
  } finally {
    server.off('request', onRequest);
    server.off('clientError', onClientError);
    remote.destroy();
  }
  return seen;
}

/** Requests before the error are still being handed over when it is reported. */
function onClientError(_error: Error, socket: Duplex): void {
  setImmediate(() => setImmediate(() => socket.destroy()));
}

function normalPath(m: string, url: string): string {
  const absolute = /^https?:\/\/[^/?]*/i.exec(url);
  if (absolute === null) return url;
  const rest = url.slice(absolute[0].length);
  if (rest === '' && m === 'OPTIONS') return '*';
  return rest.startsWith('/') ? rest : `/${rest}`;
}
