import fc from 'fast-check';
import { test } from 'tap';
import type { RequestHead } from '#shared/http/exchange.ts';
import type { ExternalAuthorizer } from '#shared/route/external-authorizer.ts';
import { externalAuthorizer } from '#shared/testing/external-authorizer.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { bytesOf, readProto } from '../callout/proto-reader.ts';
import { ProtoWriter } from '../callout/proto-writer.ts';
import { verdictRefusal } from './authorizer-verdict.ts';
import { decodeCheck, encodeCheck } from './check-message.ts';
import { checkHead, readCheckResponse } from './http-check.ts';
import { decodeRateLimit } from './rate-limit-message.ts';

const AUTHORIZER = externalAuthorizer('default/asked', {
  protocol: 'http',
  timeoutMs: 100,
  statusOnError: 503,
  pathPrefix: '/check',
});

function option(name: string, value: string, append?: boolean): (message: ProtoWriter) => void {
  return message => {
    message.message(1, header => header.text(1, name).text(2, value));
    if (append !== undefined) message.message(2, flag => flag.int(1, append ? 1 : 0));
  };
}

test('CheckResponse: what is not an allowing or refusing answer is an error', t => {
  const rows: readonly (readonly [string, ProtoWriter, object])[] = [
    [
      'nothing at all allows',
      new ProtoWriter(),
      { kind: 'allow', request: { set: [], add: [], remove: [] } },
    ],
    [
      'a status other than OK refuses, with 403 where nothing else is said',
      new ProtoWriter().message(1, status => status.int(1, 16)),
      { kind: 'deny', status: 403, headers: [], body: Buffer.alloc(0) },
    ],
    [
      'ok_response of a refusing status is not looked at',
      new ProtoWriter()
        .message(1, status => status.int(1, 7))
        .message(3, ok => ok.message(2, option('x-a', '1'))),
      { kind: 'deny', status: 403 },
    ],
    [
      'headers set, added and removed',
      new ProtoWriter().message(3, ok => {
        ok.message(2, option('X-A', '1'))
          .message(2, option('x-b', '2', true))
          .message(2, option('x-c', '3', false));
        ok.text(5, 'Authorization').text(5, ':path').text(5, 'Host');
      }),
      {
        kind: 'allow',
        request: {
          set: [
            { name: 'x-a', value: '1' },
            { name: 'x-c', value: '3' },
          ],
          add: [{ name: 'x-b', value: '2' }],
          remove: ['authorization'],
        },
      },
    ],
    [
      'a header that would frame another message',
      new ProtoWriter().message(3, ok => ok.message(2, option('content-length', '0'))),
      { kind: 'error', reason: /cannot be set/ },
    ],
    [
      'a header that ends a line',
      new ProtoWriter().message(3, ok => ok.message(2, option('x-a', 'b\r\nc: d'))),
      { kind: 'error', reason: /cannot be set/ },
    ],
    [
      'a refusing status that is none',
      new ProtoWriter()
        .message(1, status => status.int(1, 7))
        .message(2, denied => denied.message(1, status => status.int(1, 99))),
      { kind: 'error', reason: /HTTP status 99/ },
    ],
    ['a number where a message is due', new ProtoWriter().int(3, 5), { kind: 'error', reason: /wire type/ }],
  ];
  for (const [sentence, message, verdict] of rows) t.match(decodeCheck(message.finish()), verdict, sentence);
  t.end();
});

test('RateLimitResponse', t => {
  const header = (name: string) => (message: ProtoWriter) => void message.text(1, name).text(2, 'v');
  const rows: readonly (readonly [string, ProtoWriter, object])[] = [
    ['nothing at all is an error', new ProtoWriter(), { kind: 'error', reason: /UNKNOWN/ }],
    ['OK', new ProtoWriter().int(1, 1), { kind: 'ok' }],
    [
      'over the limit',
      new ProtoWriter().int(1, 2).text(5, 'b'),
      { kind: 'over_limit', body: Buffer.from('b') },
    ],
    [
      'headers',
      new ProtoWriter().int(1, 1).message(3, header('X-Down')).message(4, header('x-up')),
      { responseHeaders: [{ name: 'x-down', value: 'v' }], requestHeaders: [{ name: 'x-up', value: 'v' }] },
    ],
    [
      'a header that cannot be set',
      new ProtoWriter().int(1, 1).message(4, header('host')),
      { kind: 'error' },
    ],
  ];
  for (const [sentence, message, verdict] of rows)
    t.match(decodeRateLimit(message.finish()), verdict, sentence);
  t.end();
});

test('any bytes are an answer or an error', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
      decodeCheck(Buffer.from(bytes));
      decodeRateLimit(Buffer.from(bytes));
    }),
  );
  t.end();
});

test('what an authorizer of protocol http gets to see', t => {
  const request = {
    method: 'POST',
    scheme: '',
    authority: 'shop',
    path: '/a?b',
    headers: ['authorization', 'x', 'cookie', 'c', 'x-a', '1', 'x-added', 'forged'],
    protocol: 'HTTP/1.1',
    upgrade: undefined,
    contentLength: 5,
    expectContinue: true,
  } as const;
  const asking: ExternalAuthorizer = {
    ...AUTHORIZER,
    requestHeaders: [{ kind: 'prefix', value: 'x-a' }],
    addedHeaders: [{ name: 'x-added', value: 'ours' }],
  };
  t.match(checkHead({ ...request, headers: [...request.headers] }, asking, 3), {
    method: 'POST',
    authority: 'shop',
    path: '/check/a?b',
    headers: ['authorization', 'x', 'x-a', '1', 'x-added', 'ours'],
    contentLength: 3,
    expectContinue: false,
  });
  const tunnel = { ...request, headers: [], method: 'CONNECT', upgrade: 'websocket' };
  t.match(checkHead(tunnel, asking, 0), { method: 'GET', upgrade: undefined });
  t.end();
});

test('what its answer means', t => {
  const answer = (status: number, headers: string[] = []) => ({
    ok: true as const,
    status,
    headers,
    body: Buffer.from('b'),
    trailers: [],
  });
  t.match(readCheckResponse({ ok: false, reason: 'gone' }, AUTHORIZER), { kind: 'error', reason: 'gone' });
  t.match(readCheckResponse(answer(500), AUTHORIZER), { kind: 'error' });
  t.match(readCheckResponse(answer(204), AUTHORIZER), { kind: 'deny', status: 204 });
  t.match(readCheckResponse(answer(403, ['x-a', '1', 'content-length', '1']), AUTHORIZER), {
    kind: 'deny',
    headers: [{ name: 'x-a', value: '1' }],
  });
  t.match(
    readCheckResponse(answer(200, ['x-envoy-auth-headers-to-remove', 'Cookie, host,, x-b']), AUTHORIZER),
    {
      kind: 'allow',
      request: { set: [], remove: ['cookie', 'x-b'] },
    },
  );
  const failed = { kind: 'error', reason: 'gone' } as const;
  t.match(verdictRefusal(failed, AUTHORIZER), { status: 503, flag: 'UAEX', detail: /asked failed: gone/ });
  t.equal(verdictRefusal(failed, { ...AUTHORIZER, failOpen: true }), undefined);
  t.end();
});

const NOBODY = { ip: '10.0.0.1', port: 1, principal: '' };

/** The number of the field that a message holds, by the way of fields to it. */
function within(message: Buffer, [number, ...rest]: readonly number[]): Buffer | undefined {
  let found: Buffer | undefined;
  readProto(message, field => {
    if (field.number === number) found = bytesOf(field);
  });
  return rest.length === 0 || found === undefined ? found : within(found, rest);
}

test('a body is text or bytes, as it is or as it was asked for', t => {
  const http = [1, 4, 2];
  for (const [sentence, body, bodyAsBytes, text, bytes] of [
    ['text', Buffer.from('a=1'), false, 'a=1', undefined],
    ['bytes that are no text', Buffer.from([0xff]), false, undefined, Buffer.from([0xff])],
    [
      'text that is asked for as bytes (packAsBytes)',
      Buffer.from('a=1'),
      true,
      undefined,
      Buffer.from('a=1'),
    ],
  ] as const) {
    const message = encodeCheck({
      request: requestHead(),
      body,
      bodyAsBytes,
      source: NOBODY,
      destination: NOBODY,
      nowMs: 0,
      requestHeaders: [],
    });
    t.equal(within(message, [...http, 11])?.toString(), text, sentence);
    t.same(within(message, [...http, 12]), bytes, sentence);
  }
  t.end();
});

test('an authorizer is asked about a tunnel as policies are', t => {
  const method = [1, 4, 2, 2];
  const authority = [1, 4, 2, 5];
  const ask = (request: Partial<RequestHead>): Buffer =>
    encodeCheck({
      request: requestHead({ method: 'CONNECT', contentLength: undefined, ...request }),
      body: Buffer.alloc(0),
      bodyAsBytes: false,
      source: NOBODY,
      destination: NOBODY,
      nowMs: 0,
      requestHeaders: [],
    });
  const connect = ask({ path: '', scheme: '', authority: 'target.example.:443' });
  t.equal(within(connect, method)?.toString(), 'CONNECT');
  t.equal(within(connect, authority)?.toString(), 'target.example:443');
  t.equal(within(ask({ upgrade: 'websocket' }), method)?.toString(), 'GET');
  t.end();
});
