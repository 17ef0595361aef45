import { test } from 'tap';
import type { CorsPolicy, OriginMatch, RateLimitEntry } from '#shared/route/route-filter.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { readCookie, withoutCookie } from '#shared/http/cookie.ts';
import { applyCors, compileCors } from './cors.ts';
import { abortRefusal, drawFault, strikes } from './fault.ts';
import type { FilterContext, FilterStep } from './filter-step.ts';
import { FilterRun } from './filter-step.ts';
import { grpcStatusOf, httpStatusOf } from './grpc-status.ts';
import { isSettable, matchesName } from './header-names.ts';
import { LocalRateLimiter, rateLimitRefusal } from './local-rate-limit.ts';
import { describe } from './rate-limit-descriptor.ts';
import { type Refusal, refusalResponse } from './refusal.ts';
import { TokenBucket } from './token-bucket.ts';

const CORS: CorsPolicy = {
  allowOrigins: [{ kind: 'exact', value: 'https://a.example' }],
  allowMethods: ['GET', 'POST'],
  allowHeaders: ['x-a', 'x-b'],
  exposeHeaders: [],
  maxAgeMs: undefined,
  allowCredentials: false,
  unmatchedPreflights: 'forward',
};

test('CORS: which origins are allowed', t => {
  const rows: readonly (readonly [OriginMatch, string, boolean])[] = [
    [{ kind: 'exact', value: 'https://a.example' }, 'https://a.example', true],
    [{ kind: 'exact', value: 'https://a.example' }, 'https://a.example:444', false],
    [{ kind: 'exact', value: 'https://a.example' }, 'https://A.example', false],
    [{ kind: 'prefix', value: 'https://a.' }, 'https://a.b', true],
    [{ kind: 'prefix', value: 'https://a.' }, 'http://a.b', false],
    [{ kind: 'regex', value: 'https://[a-z]+\\.example' }, 'https://abc.example', true],
    [{ kind: 'regex', value: 'https://[a-z]+\\.example' }, 'https://abc.example.evil', false],
    [{ kind: 'regex', value: '(' }, '(', false],
    [{ kind: 'wildcard', value: '*' }, 'null', true],
    [{ kind: 'wildcard', value: 'https://*.example' }, 'https://a.b.example', true],
    [{ kind: 'wildcard', value: 'https://*.example' }, 'https://.example', false],
    [{ kind: 'wildcard', value: 'https://*.example' }, 'https://example', false],
    [{ kind: 'wildcard', value: 'https://*.example' }, 'https://evil/.example', false],
    [{ kind: 'wildcard', value: 'https://*.example' }, 'https://evil:1.example', false],
    [{ kind: 'wildcard', value: 'https://*.example:8443' }, 'https://a.example:8443', true],
  ];
  for (const [match, origin, allowed] of rows)
    t.equal(
      compileCors({ ...CORS, allowOrigins: [match] }).allows(origin),
      allowed,
      `${match.value} ${origin}`,
    );
  t.end();
});

test('CORS: what is done with a request', t => {
  const origin = ['origin', 'https://a.example'];
  const asks = [...origin, 'access-control-request-method', 'PUT', 'access-control-request-headers', 'x-z'];
  const answerOf = (policy: Partial<CorsPolicy>, method: string, headers: string[]) =>
    applyCors(compileCors({ ...CORS, ...policy }), { method, headers });
  t.same(answerOf({}, 'GET', []), { kind: 'pass' }, 'no origin: no browser');
  t.same(answerOf({}, 'GET', ['origin', '']), { kind: 'pass' });
  t.same(answerOf({}, 'GET', ['origin', 'https://b']), { kind: 'pass' }, 'another origin');
  t.match(answerOf({}, 'OPTIONS', origin), { kind: 'change_response' }, 'OPTIONS that is no preflight');
  t.match(answerOf({}, 'GET', asks), { kind: 'change_response' }, 'a preflight is an OPTIONS');
  t.same(answerOf({}, 'OPTIONS', asks), {
    kind: 'answer',
    response: {
      head: {
        status: 200,
        contentLength: 0,
        headers: [
          'access-control-allow-origin',
          'https://a.example',
          'access-control-allow-methods',
          'GET, POST',
          'access-control-allow-headers',
          'x-a, x-b',
        ],
      },
      body: '',
    },
  });
  const any = { allowMethods: ['*'], allowHeaders: ['*'], maxAgeMs: 5_999 };
  t.match(answerOf(any, 'OPTIONS', asks), {
    response: {
      head: {
        headers: [
          'access-control-allow-origin',
          'https://a.example',
          'access-control-allow-methods',
          '*',
          'access-control-allow-headers',
          '*',
          'access-control-max-age',
          '5',
        ],
      },
    },
  });
  t.match(
    answerOf({ ...any, allowCredentials: true }, 'OPTIONS', asks),
    {
      response: {
        head: {
          headers: [
            'access-control-allow-origin',
            'https://a.example',
            'access-control-allow-credentials',
            'true',
            'access-control-allow-methods',
            'PUT',
            'access-control-allow-headers',
            'x-z',
          ],
        },
      },
    },
    'with credentials an asterisk is no wildcard',
  );
  const other = ['origin', 'https://b', 'access-control-request-method', 'PUT'];
  t.same(answerOf({}, 'OPTIONS', other), { kind: 'pass' }, 'forwarded');
  t.match(answerOf({ unmatchedPreflights: 'answer' }, 'OPTIONS', other), {
    kind: 'answer',
    response: { head: { status: 200, headers: [] } },
  });
  t.match(
    answerOf({ allowOrigins: [{ kind: 'wildcard', value: '*' }], exposeHeaders: ['x', 'y'] }, 'GET', origin),
    {
      change: {
        set: [
          { name: 'access-control-allow-origin' },
          { name: 'access-control-expose-headers', value: 'x, y' },
        ],
        add: [{ name: 'vary', value: 'Origin' }],
      },
    },
  );
  t.end();
});

test('faults: each is drawn by itself; 100 percent always, 0 never, a part of a percent sometimes', t => {
  t.equal(
    strikes(100, () => 0.999_999_9),
    true,
  );
  t.equal(
    strikes(0, () => 0),
    false,
  );
  t.equal(
    strikes(0.0001, () => 0.000_000_9),
    true,
  );
  t.equal(
    strikes(0.0001, () => 0.000_001_1),
    false,
  );
  const fault = {
    delay: { percent: 50, fixedMs: 7 },
    abort: { percent: 50, with: { kind: 'http_status', status: 500 } },
  } as const;
  const drawn = (...numbers: number[]) => drawFault(fault, () => numbers.shift() ?? 1);
  t.same(drawn(0.6, 0.6), { delayMs: 0, abort: undefined });
  t.same(drawn(0.4, 0.6), { delayMs: 7, abort: undefined });
  t.same(drawn(0.6, 0.4), { delayMs: 0, abort: fault.abort.with });
  t.same(drawn(0.4, 0.4), { delayMs: 7, abort: fault.abort.with });
  t.match(abortRefusal({ kind: 'grpc_status', status: 5 }), { status: 404, grpcStatus: 5, flag: 'FI' });
  t.match(abortRefusal({ kind: 'http_status', status: 555 }), { status: 555, grpcStatus: undefined });
  t.end();
});

test('a token bucket: full at first, filled at its intervals, never over its size', t => {
  const bucket = new TokenBucket({ maxTokens: 3, tokensPerFill: 2, fillIntervalMs: 100 }, 1, 0);
  const take = (nowMs: number): boolean => {
    const has = bucket.has(nowMs);
    if (has) bucket.take();
    return has;
  };
  t.same([take(0), take(0), take(0), take(0), take(99)], [true, true, true, false, false]);
  t.equal(bucket.waitMs(99), 1);
  t.same([take(100), take(100), take(100)], [true, true, false]);
  t.equal(bucket.waitMs(150), 50, 'the interval goes on from the last fill');
  t.ok(take(1_000_000));
  t.equal(bucket.remaining, 2, 'no more than it holds');
  const never = new TokenBucket({ maxTokens: 0, tokensPerFill: 0, fillIntervalMs: 100 }, 1, 0);
  t.equal(never.has(1e9), false);
  t.equal(never.waitMs(1e9), Number.POSITIVE_INFINITY);
  t.end();
});

test('threads share a bucket; a small one is late, never shut', t => {
  const share = (): TokenBucket =>
    new TokenBucket({ maxTokens: 8, tokensPerFill: 8, fillIntervalMs: 100 }, 4, 0);
  t.equal(share().capacity, 2);
  const small = new TokenBucket({ maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 100 }, 4, 0);
  t.ok(small.has(0));
  small.take();
  t.equal(small.has(399), false);
  t.equal(small.waitMs(399), 1);
  t.equal(small.has(400), true);
  t.end();
});

test('local limit: a source above its own limit takes nothing from the others', t => {
  const bucket = (maxTokens: number) => ({ maxTokens, tokensPerFill: maxTokens, fillIntervalMs: 1_000 });
  const limiter = new LocalRateLimiter(
    {
      total: bucket(5),
      identity: bucket(2),
      overrides: [
        { identities: ['vip'], bucket: bucket(4) },
        { identities: ['vip'], bucket: bucket(1) },
      ],
      sharedAs: undefined,
      status: 429,
    },
    1,
    0,
  );
  const passes = (identity: string | undefined): boolean => limiter.take(identity, 0) === undefined;
  t.same([passes('a'), passes('a'), passes('a'), passes('a')], [true, true, false, false]);
  t.same([passes('vip'), passes('vip'), passes('vip')], [true, true, true], 'the first override counts');
  t.equal(passes('vip'), false, 'the total is used up');
  t.equal(passes(undefined), false);
  t.equal(limiter.take('vip', 1_000), undefined);
  t.end();
});

test('local limit: sources that are forgotten start anew, and memory is bounded', t => {
  const one = { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 1e9 };
  const limiter = new LocalRateLimiter(
    { total: undefined, identity: one, overrides: [], status: 429, sharedAs: undefined },
    1,
    0,
  );
  for (let i = 0; i < 1_001; i++) t.equal(limiter.take(`id-${i}`, 0) === undefined, true);
  t.not(limiter.take('id-1000', 0), undefined, 'known still');
  t.equal(limiter.take('id-0', 0), undefined, 'forgotten');
  t.end();
});

test('what a client is told of a limit', t => {
  const bucket = new TokenBucket({ maxTokens: 5, tokensPerFill: 5, fillIntervalMs: 1_500 }, 1, 0);
  for (let i = 0; i < 5; i++) bucket.take();
  t.same(rateLimitRefusal(503, bucket, 100).headers, [
    'x-ratelimit-limit',
    '5',
    'x-ratelimit-remaining',
    '0',
    'x-ratelimit-reset',
    '2',
    'retry-after',
    '2',
  ]);
  t.equal(rateLimitRefusal(503, bucket, 100).status, 503);
  t.end();
});

test('descriptors: one with an entry without a value is left out', t => {
  const request = {
    method: 'GET',
    path: '/a?b',
    headers: ['x-user', 'anna', 'x-user', 'bert'],
    sourceIp: '10.0.0.1',
    sourceIdentity: undefined,
    service: 'default/echo',
  };
  const of = (...entries: RateLimitEntry[]) => describe([entries], request)[0];
  t.same(of({ kind: 'header', key: 'u', header: 'x-user' }), [{ key: 'u', value: 'anna, bert' }]);
  t.same(of({ kind: 'path' }, { kind: 'method' }), [
    { key: 'path', value: '/a' },
    { key: 'method', value: 'GET' },
  ]);
  t.equal(of({ kind: 'source_identity' }, { kind: 'method' }), undefined);
  t.equal(of({ kind: 'header', key: 'u', header: 'x-none' }), undefined);
  t.end();
});

test('a refusal in the words of HTTP and of gRPC', t => {
  const refusal: Refusal = {
    status: 429,
    headers: ['x-a', '1', 'content-type', 'text/html'],
    body: 'zu schnell: 100 %\n',
    flag: 'RL',
    grpcStatus: undefined,
    detail: '',
  };
  t.same(refusalResponse(refusal, false), {
    head: { status: 429, headers: refusal.headers, contentLength: 18 },
    body: refusal.body,
  });
  t.same(refusalResponse(refusal, true).head, {
    status: 200,
    contentLength: undefined,
    headers: [
      'content-type',
      'application/grpc',
      'grpc-status',
      '14',
      'grpc-message',
      'zu schnell: 100 %25%0A',
      'x-a',
      '1',
    ],
  });
  t.same(refusalResponse({ ...refusal, headers: [], body: 'x' }, false).head.headers, [
    'content-type',
    'text/plain',
  ]);
  t.same(refusalResponse({ ...refusal, headers: [], body: '' }, false).head.headers, []);
  t.match(refusalResponse({ ...refusal, headers: [], body: 'ü', grpcStatus: 3 }, true).head.headers, [
    'content-type',
    'application/grpc',
    'grpc-status',
    '3',
    'grpc-message',
    '%C3%BC',
  ]);
  t.same([400, 401, 403, 404, 429, 502, 503, 504, 418].map(grpcStatusOf), [13, 16, 7, 12, 14, 14, 14, 14, 2]);
  t.same([0, 4, 5, 7, 8, 14, 16, 99].map(httpStatusOf), [200, 504, 404, 403, 429, 503, 401, 500]);
  t.end();
});

test('which headers a service that was asked may set', t => {
  for (const name of [
    'host',
    'content-length',
    'transfer-encoding',
    'connection',
    ':path',
    'X-Upper',
    'a b',
    '',
  ])
    t.equal(isSettable(name, 'v'), false, name);
  t.equal(isSettable('x-a', 'v\r\nx: y'), false);
  t.equal(isSettable('x-a', '漢'), false);
  t.equal(isSettable('x-a', ''), true);
  const matches = [
    { kind: 'exact', value: 'x-a' },
    { kind: 'prefix', value: 'x-p-' },
    { kind: 'suffix', value: '-id' },
  ] as const;
  t.same(
    ['x-a', 'x-ab', 'x-p-1', 'my-id', 'id'].map(name => matchesName(matches, name)),
    [true, false, true, true, false],
  );
  t.end();
});

test('cookies are read and taken away one by one', t => {
  const headers = ['a', 'b', 'cookie', 'x=1; jwt=t=2 ; y; z=3'];
  t.equal(readCookie(headers, 'jwt'), 't=2');
  t.equal(readCookie(headers, 'y'), undefined);
  t.equal(readCookie(headers, 'X'), undefined);
  withoutCookie(headers, 'jwt');
  t.same(headers, ['a', 'b', 'cookie', 'x=1; y; z=3']);
  const alone = ['cookie', 'jwt=1', 'a', 'b'];
  withoutCookie(alone, 'jwt');
  t.same(alone, ['a', 'b']);
  t.end();
});

test('steps run one after the other; a refusal ends them, a cancelled one is heard no more', t => {
  const context: Pick<FilterContext, 'grpc'> = { grpc: false };
  const refusal: Refusal = {
    status: 403,
    headers: [],
    body: '',
    flag: 'UAEX',
    grpcStatus: undefined,
    detail: '',
  };
  const seen: string[] = [];
  const waiting: ((refusal?: Refusal) => void)[] = [];
  const now =
    (name: string, answer?: Refusal): FilterStep =>
    (_, done) => {
      seen.push(name);
      done(answer);
      return undefined;
    };
  const later =
    (name: string): FilterStep =>
    (_, done) => {
      seen.push(name);
      waiting.push(done);
      return () => seen.push(`cancel ${name}`);
    };
  const run = (steps: FilterStep[]): FilterRun => {
    const made = new FilterRun(steps, testContext(context), end =>
      seen.push(end === undefined ? 'passed' : 'refused'),
    );
    made.start();
    return made;
  };
  run([now('a'), now('b')]);
  t.same(seen.splice(0), ['a', 'b', 'passed']);
  run([now('a', refusal), now('b')]);
  t.same(seen.splice(0), ['a', 'refused']);
  run([later('a'), now('b'), later('c')]);
  t.same(seen.splice(0), ['a']);
  waiting.shift()?.();
  t.same(seen.splice(0), ['b', 'c']);
  waiting.shift()?.(refusal);
  t.same(seen.splice(0), ['refused']);
  const given = run([later('a')]);
  given.cancel();
  given.cancel();
  waiting.shift()?.();
  t.same(seen.splice(0), ['a', 'cancel a']);
  run([]);
  t.same(seen.splice(0), ['passed']);
  run(Array.from({ length: 20_000 }, () => now('x')));
  t.equal(seen.splice(0).length, 20_001, 'no stack is used up');
  t.end();
});

/** A context of steps that look at nothing. */
function testContext({ grpc }: Pick<FilterContext, 'grpc'>): FilterContext {
  const request = requestHead();
  return {
    get downstream(): never {
      throw new Error('not looked at');
    },
    request,
    grpc,
    body: { hold: () => {} },
    responseChanges: [],
    token: undefined,
    delayed: false,
  };
}
