import {
  credentials,
  Client as GrpcClient,
  Server as GrpcServer,
  ServerCredentials,
  type ServiceError,
} from '@grpc/grpc-js';
import { generateKeyPairSync, sign } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createTcpServer, type Socket } from 'node:net';
import protobuf from 'protobufjs';
import { test } from 'tap';
import { ANY_HTTP_REQUEST } from '#shared/authz/policy.ts';
import type { ExternalAuthorizer } from '#shared/route/external-authorizer.ts';
import { externalAuthorizer } from '#shared/testing/external-authorizer.ts';
import type { RouteFilter, TokenBucket } from '#shared/route/route-filter.ts';
import type { TokenIssuer } from '#shared/route/token-issuer.ts';
import { routeMatch, routeRule } from '#shared/testing/route.ts';
import { policy, workload } from '#shared/testing/topology.ts';
import { addBeside, ask, backend, deploy, deployBeside } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

interface Test {
  teardown(end: () => unknown): void;
}

async function lab(t: Test, random?: () => number): Promise<WaypointLab> {
  // Whatever the machine is busy with, a client that is slow to speak is no server-first one.
  const made = await WaypointLab.create({ detectionTimeoutMs: 5_000 }, random);
  t.teardown(() => made.close());
  made.apply({ workloads: [workload('client', { addresses: [made.ip(2)], serviceAccount: 'client' })] });
  return made;
}

/** What an application has seen of each request, as JSON in its answer. */
interface Seen {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function echo(req: IncomingMessage, res: { end(text: string): void }): void {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () =>
    res.end(JSON.stringify({ path: req.url, headers: req.headers, body: Buffer.concat(chunks).toString() })),
  );
}

function seen(body: string): Seen {
  const parsed: unknown = JSON.parse(body);
  if (!isSeen(parsed)) throw new Error(`not what the application answers: ${body}`);
  return parsed;
}

function isSeen(value: unknown): value is Seen {
  return (
    typeof value === 'object' && value !== null && 'path' in value && 'headers' in value && 'body' in value
  );
}

function filtered(...filters: RouteFilter[]) {
  return (of: Parameters<typeof backend>[0]) => ({
    rules: [routeRule({ filters, backends: [backend(of)] })],
  });
}

const BUCKET: TokenBucket = { maxTokens: 2, tokensPerFill: 2, fillIntervalMs: 3_600_000 };

test('fault injection: a share is delayed, a share aborted, gRPC in its own words', async t => {
  let drawn = 0;
  const mesh = await lab(t, () => drawn);
  const { port } = await deploy(mesh, [echo], of => ({
    rules: [
      routeRule({
        matches: [routeMatch({ path: { kind: 'exact', value: '/slow', ignoreCase: false } })],
        filters: [{ kind: 'fault', fault: { delay: { percent: 50, fixedMs: 40 }, abort: undefined } }],
        backends: [backend(of)],
      }),
      routeRule({
        filters: [
          {
            kind: 'fault',
            fault: { delay: undefined, abort: { percent: 50, with: { kind: 'http_status', status: 418 } } },
          },
        ],
        backends: [backend(of)],
      }),
    ],
  }));
  t.match(await ask(port, { path: '/' }), { status: 418, body: 'fault filter abort' });
  const before = performance.now();
  t.equal((await ask(port, { path: '/slow', body: 'kept meanwhile' })).status, 200);
  t.ok(performance.now() - before >= 39, 'never earlier');
  drawn = 0.5;
  t.equal((await ask(port)).status, 200, 'the other half');
  const lines = await mesh.access(3);
  t.match(lines[0], /response_flags="FI".*error="fault injection/);
  t.match(lines[1], 'response_flags="DI"');
  t.match(lines[2], 'response_flags="-"');
});

test('a fault of a gRPC status', async t => {
  const mesh = await lab(t);
  const abort = { percent: 100, with: { kind: 'grpc_status', status: 8 } } as const;
  const { port } = await deploy(
    mesh,
    [createHttp2Server()],
    filtered({ kind: 'fault', fault: { delay: undefined, abort } }),
    'grpc',
  );
  t.match(await grpcCall(port), { code: 8, text: 'fault filter abort' });
  t.equal((await ask(port)).status, 429, 'in the words of HTTP for others');
});

test('CORS: preflights are answered here, other responses get the headers, also those of refusals', async t => {
  const mesh = await lab(t);
  const cors: RouteFilter = {
    kind: 'cors',
    cors: {
      allowOrigins: [{ kind: 'wildcard', value: 'https://*.example.com' }],
      allowMethods: ['GET', 'PUT'],
      allowHeaders: ['x-a'],
      exposeHeaders: ['x-b'],
      maxAgeMs: 600_000,
      allowCredentials: true,
      unmatchedPreflights: 'forward',
    },
  };
  const deny = policy('no-delete', 'deny', [
    { http: { ...ANY_HTTP_REQUEST, methods: [{ kind: 'exact', value: 'DELETE' }] } },
  ]);
  const { port } = await deploy(mesh, [echo], of => ({
    ...filtered(cors)(of),
    authorizationPolicies: [deny],
    tokenIssuers: [issuer()],
  }));
  const origin = 'https://a.example.com';
  const preflight = await ask(port, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'PUT' },
  });
  t.match(preflight, {
    status: 200,
    body: '',
    headers: {
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'x-a',
      'access-control-max-age': '600',
      vary: 'Origin',
    },
  });
  const actual = await ask(port, { headers: { origin } });
  t.match(actual.headers, { 'access-control-allow-origin': origin, 'access-control-expose-headers': 'x-b' });
  const refused = await ask(port, { headers: { origin, authorization: 'Bearer x' } });
  t.match(refused, { status: 401, headers: { 'access-control-allow-origin': origin } });
  t.match(await ask(port, { method: 'DELETE', headers: { origin } }), {
    status: 403,
    headers: { 'access-control-allow-origin': origin },
  });
  const other = await ask(port, { headers: { origin: 'https://example.org' } });
  t.equal(other.headers['access-control-allow-origin'], undefined);
});

test('mirror: a copy goes elsewhere, and whatever becomes of it is nobody else’s business', async t => {
  const mesh = await lab(t);
  const copies: string[] = [];
  let copied = Promise.withResolvers<void>();
  const shadow = await deployBeside(
    mesh,
    'shadow',
    30,
    (req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const length = Buffer.concat(chunks).length;
        copies.push(`${req.method} ${req.url} ${req.headers.host} ${String(req.headers['x-set'])} ${length}`);
        res.writeHead(500).end('x'.repeat(100_000));
        copied.resolve();
      });
    },
    'http11',
  );
  const mirror = { port: 80, subset: undefined, percent: 100 };
  const { port } = await deploy(
    mesh,
    [echo],
    filtered(
      { kind: 'mirror', mirror: { ...mirror, service: shadow } },
      { kind: 'mirror', mirror: { ...mirror, service: 'default/nobody' } },
      { kind: 'mirror', mirror: { ...mirror, service: undefined } },
      { kind: 'mirror', mirror: { ...mirror, service: shadow, percent: 0 } },
      {
        kind: 'request_headers',
        change: { set: [{ name: 'x-set', value: '1' }], add: [], remove: [] },
      },
    ),
  );
  t.equal((await ask(port, { path: '/a', headers: { host: 'echo' } })).status, 200);
  await copied.promise;
  copied = Promise.withResolvers();
  const body = 'b'.repeat(60_000);
  const answer = await ask(port, { path: '/b', headers: { host: 'echo' }, body });
  t.equal(seen(answer.body).body.length, 60_000);
  await copied.promise;
  t.same(copies, ['GET /a echo 1 0', 'POST /b echo 1 60000']);
});

test('a mirror that takes nothing holds nothing up, and more than its bound is not kept for it', async t => {
  const mesh = await lab(t);
  const sockets: Socket[] = [];
  const stuck = createTcpServer({ pauseOnConnect: true }, socket => sockets.push(socket));
  const service = await deployBeside(mesh, 'stuck', 30, stuck, 'http11');
  const { port } = await deploy(
    mesh,
    [echo],
    filtered({ kind: 'mirror', mirror: { service, port: 80, subset: undefined, percent: 100 } }),
  );
  const body = Buffer.alloc(16 * 1024 * 1024, 'm');
  t.equal(seen((await ask(port, { body })).body).body.length, body.length);
  const received = await new Promise<number>(resolve => {
    let bytes = 0;
    for (const socket of sockets) {
      socket.on('data', chunk => (bytes += chunk.length));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(bytes));
      socket.resume();
    }
  });
  t.ok(received < body.length, 'given up before its end');
});

test('local rate limit: of all, of each source, with what a client needs to know', async t => {
  const mesh = await lab(t);
  const identity = 'spiffe://cluster.local/ns/default/sa/client';
  const { port } = await deploy(mesh, [echo], of => ({
    rules: [
      routeRule({
        name: 'override',
        matches: [routeMatch({ path: { kind: 'exact', value: '/override', ignoreCase: false } })],
        filters: [
          {
            kind: 'local_rate_limit',
            limit: {
              total: undefined,
              identity: BUCKET,
              overrides: [{ identities: [identity], bucket: { ...BUCKET, maxTokens: 3 } }],
              status: 429,
              sharedAs: undefined,
            },
          },
        ],
        backends: [backend(of)],
      }),
      routeRule({
        filters: [
          {
            kind: 'local_rate_limit',
            limit: { total: BUCKET, identity: undefined, overrides: [], status: 429, sharedAs: undefined },
          },
        ],
        backends: [backend(of)],
      }),
    ],
  }));
  const statuses = async (path: string): Promise<number[]> => {
    const all: number[] = [];
    for (let i = 0; i < 4; i++) all.push((await ask(port, { path })).status);
    return all;
  };
  t.same(await statuses('/'), [200, 200, 429, 429]);
  t.same(await statuses('/override'), [200, 200, 200, 429]);
  t.match(await ask(port), {
    status: 429,
    body: 'local_rate_limited',
    headers: {
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': /^3[56]\d\d$/,
      'retry-after': /^3[56]\d\d$/,
    },
  });
  const lines = await mesh.access(9);
  t.match(lines[8], 'response_flags="RL"');
});

// --- services that are asked, with the messages as their own definitions say

const ROOT = protobuf.parse(
  `
  syntax = "proto3";
  message HeaderValue { string key = 1; string value = 2; bytes raw_value = 3; }
  message BoolValue { bool value = 1; }
  message HeaderValueOption { HeaderValue header = 1; BoolValue append = 2; }
  message SocketAddress { string address = 2; uint32 port_value = 3; }
  message Address { SocketAddress socket_address = 1; }
  message Peer { Address address = 1; string principal = 4; }
  message Http { string method = 2; map<string, string> headers = 3; string path = 4; string host = 5; string scheme = 6; int64 size = 9; string protocol = 10; string body = 11; bytes raw_body = 12; }
  message Request { Http http = 2; }
  message Attributes { Peer source = 1; Peer destination = 2; Request request = 4; }
  message CheckRequest { Attributes attributes = 1; }
  message Status { int32 code = 1; }
  message HttpStatus { int32 code = 1; }
  message Denied { HttpStatus status = 1; repeated HeaderValueOption headers = 2; string body = 3; }
  message Ok { repeated HeaderValueOption headers = 2; repeated string headers_to_remove = 5; repeated HeaderValueOption response_headers_to_add = 6; }
  message CheckResponse { Status status = 1; Denied denied_response = 2; Ok ok_response = 3; }
  message Entry { string key = 1; string value = 2; }
  message Descriptor { repeated Entry entries = 1; }
  message RateLimitRequest { string domain = 1; repeated Descriptor descriptors = 2; }
  message RateLimitResponse { int32 overall_code = 1; repeated HeaderValue response_headers_to_add = 3; repeated HeaderValue request_headers_to_add = 4; bytes raw_body = 5; }
`,
  { keepCase: true },
).root;

/** A gRPC service of the real library with one method. @returns its service's name */
async function grpcService(
  t: Test,
  mesh: WaypointLab,
  name: string,
  method: { readonly path: string; readonly request: string; readonly response: string },
  answer: (request: Readonly<Record<string, unknown>>) => object | Promise<object>,
): Promise<string> {
  const server = new GrpcServer();
  const [input, output] = [ROOT.lookupType(method.request), ROOT.lookupType(method.response)];
  const definition = {
    call: {
      path: method.path,
      requestStream: false,
      responseStream: false,
      requestSerialize: (value: object) => Buffer.from(input.encode(value).finish()),
      requestDeserialize: (bytes: Buffer) =>
        input.toObject(input.decode(bytes), { longs: Number, defaults: true }),
      responseSerialize: (value: object) => Buffer.from(output.encode(value).finish()),
      responseDeserialize: (bytes: Buffer) => output.decode(bytes),
    },
  };
  server.addService(definition, {
    call: (
      { request }: { request: Readonly<Record<string, unknown>> },
      callback: (error: null, value: object) => void,
    ) => void Promise.resolve(answer(request)).then(value => callback(null, value)),
  });
  const ip = mesh.ip(40);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${ip}:0`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.teardown(() => server.forceShutdown());
  return addBeside(mesh, name, ip, port, 'grpc');
}

const CHECK = {
  path: '/envoy.service.auth.v3.Authorization/Check',
  request: 'CheckRequest',
  response: 'CheckResponse',
};
const SHOULD_RATE_LIMIT = {
  path: '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
  request: 'RateLimitRequest',
  response: 'RateLimitResponse',
};

test('rules whose limits are shared have the same buckets', async t => {
  const mesh = await WaypointLab.create();
  t.teardown(() => mesh.close());
  const limit = { total: BUCKET, identity: undefined, overrides: [], status: 429, sharedAs: 'one' };
  const { port } = await deploy(mesh, [(_request, response) => response.end()], of => ({
    routed: true,
    rules: ['/a', '/b'].map(value =>
      routeRule({
        name: value,
        matches: [routeMatch({ path: { kind: 'exact', value, ignoreCase: false } })],
        filters: [{ kind: 'local_rate_limit', limit }],
        backends: [backend(of)],
      }),
    ),
  }));
  const statuses: number[] = [];
  for (const path of ['/a', '/b', '/a', '/b']) statuses.push((await ask(port, { path })).status);
  t.same(statuses, [200, 200, 429, 429]);
});

test('external authorization by gRPC: asked with the request, allowed with changes, or refused in its words', async t => {
  const mesh = await lab(t);
  const asked: Readonly<Record<string, unknown>>[] = [];
  const service = await grpcService(t, mesh, 'authz', CHECK, request => {
    asked.push(request);
    if (!JSON.stringify(request).includes('let-me')) {
      return {
        status: { code: 7 },
        denied_response: {
          status: { code: 402 },
          headers: [{ header: { key: 'X-Why', value: 'pay' } }],
          body: 'pay first',
        },
      };
    }
    return {
      status: { code: 0 },
      ok_response: {
        headers: [
          { header: { key: 'x-user', value: 'anna' } },
          { header: { key: 'x-more', value: '2' }, append: { value: true } },
        ],
        headers_to_remove: ['X-Secret', 'host'],
        response_headers_to_add: [{ header: { key: 'x-seen', value: 'yes' } }],
      },
    };
  });
  const custom = policy(
    'ask',
    'custom',
    [{ http: { ...ANY_HTTP_REQUEST, notPaths: [{ kind: 'exact', value: '/free' }] } }],
    {
      provider: 'asked',
    },
  );
  const { port } = await deploy(mesh, [echo], () => ({
    authorizationPolicies: [custom],
    authorizers: [externalAuthorizer(service, { maxBodyBytes: 8, allowPartialBody: true })],
  }));
  const headers = { host: 'echo', 'x-token': 'let-me', 'x-user': 'mallory', 'x-more': '1', 'x-secret': 's' };
  const allowed = await ask(port, { path: '/a?b=c', headers, body: 'long body' });
  t.equal(allowed.status, 200);
  t.equal(allowed.headers['x-seen'], 'yes');
  t.match(seen(allowed.body), {
    body: 'long body',
    headers: { 'x-user': 'anna', 'x-more': '1, 2', host: 'echo' },
  });
  t.equal(seen(allowed.body).headers['x-secret'], undefined);
  t.match(asked[0], {
    attributes: {
      source: {
        address: { socket_address: { address: mesh.ip(2), port_value: 40_000 } },
        principal: 'spiffe://cluster.local/ns/default/sa/client',
      },
      request: {
        http: {
          method: 'POST',
          path: '/a?b=c',
          host: 'echo',
          protocol: 'HTTP/1.1',
          size: 9,
          body: 'long bod',
          headers: { 'x-token': 'let-me', ':path': '/a?b=c', ':method': 'POST', ':authority': 'echo' },
        },
      },
    },
  });
  t.match(await ask(port), { status: 402, body: 'pay first', headers: { 'x-why': 'pay' } });
  t.equal((await ask(port, { path: '/free' })).status, 200, 'the policy does not match');
  t.equal(asked.length, 2);
  const lines = await mesh.access(3);
  t.match(lines[1], /response_flags="UAEX".*denied by external authorizer asked/);
});

test('external authorization: headers that are not to be seen are not, and all of an answer may go on', async t => {
  const mesh = await lab(t);
  const asked: Readonly<Record<string, unknown>>[] = [];
  const grpc = await grpcService(t, mesh, 'authz', CHECK, request => {
    asked.push(request);
    return { status: { code: 0 } };
  });
  const seeing = externalAuthorizer(grpc, { requestHeaders: [{ kind: 'exact', value: 'x-a' }] });
  const first = await deploy(mesh, [echo], filtered({ kind: 'external_authorization', authorizer: seeing }));
  t.equal((await ask(first.port, { headers: { host: 'echo', 'x-a': '1', 'x-b': 's3cret' } })).status, 200);
  t.match(asked[0], { attributes: { request: { http: { headers: { 'x-a': '1', ':path': '/' } } } } });
  t.notMatch(JSON.stringify(asked[0]), /s3cret/);

  const other = await lab(t);
  const answer = { 'x-user': 'anna', 'x-more': '1', host: 'evil' };
  const http = await deployBeside(other, 'authz', 40, (_, res) => res.writeHead(200, answer).end(), 'http11');
  const asking = externalAuthorizer(http, { protocol: 'http', headersToUpstream: [{ kind: 'any' }] });
  const second = await deploy(
    other,
    [echo],
    filtered({ kind: 'external_authorization', authorizer: asking }),
  );
  const allowed = await ask(second.port, { headers: { host: 'echo' } });
  t.match(seen(allowed.body).headers, { 'x-user': 'anna', 'x-more': '1', host: 'echo' });
});

test('external authorization by HTTP: some headers there, some back', async t => {
  const mesh = await lab(t);
  const asked: string[] = [];
  const service = await deployBeside(
    mesh,
    'authz',
    40,
    (req, res) => {
      const { authorization, host, 'x-b': b, 'x-a': a, 'x-added': added } = req.headers;
      asked.push([req.method, req.url, host, authorization, a, b, added].join(' '));
      if (authorization === 'good')
        res.writeHead(200, { 'x-user': 'anna', 'x-other': '1', 'set-cookie': 'c=1' }).end();
      else if (authorization === 'broken') res.writeHead(500).end();
      else res.writeHead(302, { location: '/login', 'x-other': '1' }).end('go');
    },
    'http11',
  );
  const asking = externalAuthorizer(service, {
    protocol: 'http',
    pathPrefix: '/check',
    requestHeaders: [{ kind: 'prefix', value: 'x-a' }],
    addedHeaders: [{ name: 'x-added', value: 'by-us' }],
    headersToUpstream: [{ kind: 'exact', value: 'x-user' }],
    headersToDownstreamOnAllow: [{ kind: 'exact', value: 'set-cookie' }],
    headersToDownstreamOnDeny: [{ kind: 'suffix', value: '-nothing' }],
  });
  const { port } = await deploy(
    mesh,
    [echo],
    filtered({ kind: 'external_authorization', authorizer: asking }),
  );
  const headers = { host: 'echo', authorization: 'good', 'x-a': '1', 'x-b': '2' };
  const allowed = await ask(port, { path: '/p', headers });
  t.match(allowed, { status: 200, headers: { 'set-cookie': ['c=1'] } });
  t.match(seen(allowed.body).headers, { 'x-user': 'anna', 'x-b': '2' });
  t.equal(seen(allowed.body).headers['x-other'], undefined);
  t.equal(asked[0], 'GET /check/p echo good 1  by-us');
  const refused = await ask(port, { headers: { host: 'echo' } });
  t.match(refused, { status: 302, body: 'go', headers: { location: '/login' } });
  t.equal(refused.headers['x-other'], undefined, 'not listed');
  t.equal((await ask(port, { headers: { authorization: 'broken' } })).status, 403, 'no answer');
});

test('an authorizer that does not answer: closed, open, or too large a body', async t => {
  const mesh = await lab(t);
  const silent = await deployBeside(mesh, 'silent', 40, () => {}, 'http11');
  const asks = (over: Partial<ExternalAuthorizer>, service = silent): RouteFilter => ({
    kind: 'external_authorization',
    authorizer: externalAuthorizer(service, { protocol: 'http', timeoutMs: 30, ...over }),
  });
  const rows: readonly (readonly [string, RouteFilter, number])[] = [
    ['/closed', asks({}), 403],
    ['/status', asks({ statusOnError: 503 }), 503],
    ['/open', asks({ failOpen: true }), 200],
    ['/nobody', asks({}, 'default/nobody'), 403],
    ['/nobody-grpc', asks({ protocol: 'grpc', failOpen: true }, 'default/nobody'), 200],
    ['/body', asks({ maxBodyBytes: 3, failOpen: true }), 413],
    ['/empty-body', asks({ maxBodyBytes: 10, failOpen: true }), 200],
  ];
  const { port } = await deploy(mesh, [echo], of => ({
    rules: rows.map(([value, filter]) =>
      routeRule({
        matches: [routeMatch({ path: { kind: 'exact', value, ignoreCase: false } })],
        filters: [filter],
        backends: [backend(of)],
      }),
    ),
    authorizationPolicies: [],
  }));
  for (const [path, , status] of rows)
    t.equal((await ask(port, { path, body: 'four' })).status, status, path);
  t.ok(mesh.lines.some(line => line.includes('no answer within 30 ms')));
});

test('a CUSTOM policy whose provider nobody has configured refuses what it matches', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [echo], () => ({
    authorizationPolicies: [policy('ask', 'custom', [{}], { provider: 'nobody' })],
  }));
  t.equal((await ask(port)).status, 403);
  const [line] = await mesh.access(1);
  t.match(line, 'names the provider \\"nobody\\", which is not configured');
});

test('global rate limit: descriptors, over the limit, and a service that fails', async t => {
  const mesh = await lab(t);
  const asked: Readonly<Record<string, unknown>>[] = [];
  const service = await grpcService(t, mesh, 'limits', SHOULD_RATE_LIMIT, request => {
    asked.push(request);
    const over = JSON.stringify(request).includes('greedy');
    return over
      ? {
          overall_code: 2,
          response_headers_to_add: [{ key: 'x-limit', value: '5' }],
          raw_body: Buffer.from('slow down'),
        }
      : { overall_code: 1, request_headers_to_add: [{ key: 'x-counted', value: '1' }] };
  });
  const limit = (of: string, failOpen: boolean): RouteFilter => ({
    kind: 'global_rate_limit',
    limit: {
      service: of,
      port: 80,
      domain: 'shop',
      descriptors: [
        [
          { kind: 'generic', key: 'route', value: 'all' },
          { kind: 'header', key: 'user', header: 'x-user' },
        ],
        [{ kind: 'header', key: 'absent', header: 'x-absent' }],
        [{ kind: 'source_ip' }, { kind: 'method' }, { kind: 'path' }, { kind: 'service' }],
      ],
      timeoutMs: 5_000,
      failOpen,
    },
  });
  const { port } = await deploy(mesh, [echo], of => ({
    rules: ['open', 'closed', ''].map(name =>
      routeRule({
        matches: [routeMatch({ path: { kind: 'exact', value: `/${name}`, ignoreCase: false } })],
        filters: [limit(name === '' ? service : 'default/nobody', name === 'open')],
        backends: [backend(of)],
      }),
    ),
  }));
  t.equal(seen((await ask(port, { headers: { 'x-user': 'modest' } })).body).headers['x-counted'], '1');
  t.match(asked[0], {
    domain: 'shop',
    descriptors: [
      {
        entries: [
          { key: 'route', value: 'all' },
          { key: 'user', value: 'modest' },
        ],
      },
      {
        entries: [
          { key: 'remote_address', value: mesh.ip(2) },
          { key: 'method', value: 'GET' },
          { key: 'path', value: '/' },
          { key: 'destination_service', value: 'default/echo.default.svc.cluster.local' },
        ],
      },
    ],
  });
  t.match(await ask(port, { headers: { 'x-user': 'greedy' } }), {
    status: 429,
    body: 'slow down',
    headers: { 'x-envoy-ratelimited': 'true', 'x-limit': '5' },
  });
  t.equal((await ask(port, { path: '/open' })).status, 200);
  t.equal((await ask(port, { path: '/closed' })).status, 500);
  const lines = await mesh.access(4);
  t.match(lines[1], 'response_flags="RL"');
  t.match(lines[3], 'response_flags="RLSE"');
});

// --- tokens

const pair = generateKeyPairSync('ed25519');
const JWKS = JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1' }] });

function token(claims: object, kid = 'k1'): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'EdDSA', kid })}.${part({ iss: 'https://issuer', sub: 'anna', ...claims })}`;
  return `${text}.${sign(null, Buffer.from(text), pair.privateKey).toString('base64url')}`;
}

function issuer(over: Partial<TokenIssuer> = {}): TokenIssuer {
  return {
    name: 'default/tokens',
    issuer: 'https://issuer',
    audiences: [],
    keys: { kind: 'inline', jwks: JWKS },
    from: [
      { kind: 'header', name: 'authorization', prefix: 'Bearer ' },
      { kind: 'query', name: 'access_token' },
    ],
    forwardOriginal: false,
    outputPayloadToHeader: undefined,
    outputClaimToHeaders: [],
    timeoutMs: 1_000,
    clockSkewMs: 60_000,
    requiredClaims: [],
    spaceDelimitedClaims: [],
    required: false,
    ...over,
  };
}

test('tokens: a bad one is refused, a good one is the request’s identity, none is no harm', async t => {
  const mesh = await lab(t);
  const admin = policy('admin', 'deny', [
    {
      http: {
        ...ANY_HTTP_REQUEST,
        paths: [{ kind: 'prefix', value: '/admin' }],
        claims: [{ claim: ['groups'], values: [], notValues: [{ kind: 'exact', value: 'admins' }] }],
      },
    },
    {
      http: {
        ...ANY_HTTP_REQUEST,
        paths: [{ kind: 'prefix', value: '/private' }],
        notRequestPrincipals: [{ kind: 'exact', value: 'https://issuer/anna' }],
      },
    },
  ]);
  const { port } = await deploy(mesh, [echo], () => ({
    authorizationPolicies: [admin],
    tokenIssuers: [
      issuer({
        audiences: ['shop'],
        outputPayloadToHeader: 'x-payload',
        outputClaimToHeaders: [{ header: 'x-name', claim: ['name', 'given'] }],
      }),
      issuer({
        name: 'other',
        issuer: 'https://other',
        from: [{ kind: 'cookie', name: 'jwt' }],
        forwardOriginal: true,
      }),
    ],
  }));
  const good = { aud: 'shop', name: { given: 'Anna' } };
  const bearer = (claims: object, kid?: string) => ({
    headers: { authorization: `bearer ${token(claims, kid)}`, 'x-name': 'forged', 'x-payload': 'forged' },
  });
  const none = seen((await ask(port, { headers: { 'x-name': 'forged' } })).body);
  t.equal(none.headers['x-name'], undefined, 'only a token may say that');
  const answered = seen((await ask(port, bearer(good))).body);
  t.equal(answered.headers['x-name'], 'Anna');
  t.match(JSON.parse(Buffer.from(answered.headers['x-payload'] ?? '', 'base64url').toString()), good);
  t.equal(answered.headers['authorization'], undefined, 'not passed on');
  const query = seen((await ask(port, { path: `/?a=1&access_token=${token(good)}&b=2` })).body);
  t.match(query, { path: '/?a=1&b=2', headers: { 'x-name': 'Anna' } });
  const cookie = `a=1; jwt=${token({ iss: 'https://other' })}; b=2`;
  t.equal(seen((await ask(port, { headers: { cookie } })).body).headers['cookie'], cookie, 'passed on');

  const rows: readonly (readonly [string, Parameters<typeof ask>[1], number, RegExp])[] = [
    ['expired', bearer({ ...good, exp: 1 }), 401, /Jwt is expired/],
    ['of another issuer', bearer({ ...good, iss: 'x' }), 401, /issuer is not configured/],
    ['for another audience', bearer({ ...good, aud: 'bank' }), 403, /Audiences/],
    ['of an unknown key', bearer(good, 'k2'), 401, /Jwks doesn't have key/],
    ['no token', { headers: { authorization: 'Bearer x' } }, 401, /form of Header/],
    ['of another scheme', { headers: { authorization: 'Basic x' } }, 200, /./],
    ['in the wrong cookie', { headers: { cookie: `jwt=${token(good)}` } }, 401, /issuer is not configured/],
    ['admin without a token', { path: '/admin' }, 403, /RBAC/],
    ['admin without the group', { path: '/admin', ...bearer({ ...good, groups: ['users'] }) }, 403, /RBAC/],
    ['admin', { path: '/admin', ...bearer({ ...good, groups: ['users', 'admins'] }) }, 200, /./],
    ['private, somebody else', { path: '/private', ...bearer({ ...good, sub: 'bert' }) }, 403, /RBAC/],
    ['private', { path: '/private', ...bearer(good) }, 200, /./],
  ];
  for (const [sentence, request, status, body] of rows) {
    const answer = await ask(port, request);
    t.equal(answer.status, status, sentence);
    t.match(answer.body, body, sentence);
    if (status === 401)
      t.match(answer.headers['www-authenticate'], /^Bearer realm="http:.*error="invalid_token"$/);
  }
});

test('tokens: some must be there, each of its own issuer', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [echo], () => ({
    tokenIssuers: [
      issuer({
        required: true,
        outputClaimToHeaders: [{ header: 'x-user', claim: ['sub'] }],
      }),
      issuer({
        name: 'device',
        issuer: 'https://device',
        from: [{ kind: 'header', name: 'x-device', prefix: '' }],
        required: true,
        outputClaimToHeaders: [{ header: 'x-device-id', claim: ['sub'] }],
      }),
      issuer({ name: 'other', issuer: 'https://other', from: [{ kind: 'cookie', name: 'jwt' }] }),
    ],
  }));
  const user = { authorization: `Bearer ${token({})}` };
  const device = { 'x-device': token({ iss: 'https://device', sub: 'd1' }) };
  const rows: readonly (readonly [string, Record<string, string>, number, RegExp])[] = [
    ['none', {}, 401, /Jwt is missing/],
    ['one of two', user, 401, /Jwt is missing/],
    ['the other', device, 401, /Jwt is missing/],
    ['another that is good', { cookie: `jwt=${token({ iss: 'https://other' })}` }, 401, /Jwt is missing/],
    ['one that is bad', { ...user, 'x-device': token({ iss: 'https://device', exp: 1 }) }, 401, /expired/],
    ['both', { ...user, ...device }, 200, /./],
  ];
  for (const [sentence, headers, status, body] of rows) {
    const answer = await ask(port, { headers });
    t.equal(answer.status, status, sentence);
    t.match(answer.body, body, sentence);
  }
  const { headers } = seen((await ask(port, { headers: { ...user, ...device } })).body);
  t.match(headers, { 'x-user': 'anna', 'x-device-id': 'd1' }, 'what each says');
  const forged = { 'x-user': 'root', X_User: 'root', 'X-Device_ID': 'root' };
  const cleaned = seen((await ask(port, { headers: { ...user, ...device, ...forged } })).body).headers;
  t.equal(cleaned['x-user'], 'anna', 'not what the client says');
  t.match(
    [cleaned['x_user'], cleaned['x-device_id']],
    [undefined, undefined],
    'nor under a name that applications take for the same',
  );
  t.match([headers['authorization'], headers['x-device']], [undefined, undefined], 'neither is passed on');
});

test('keys of two issuers that both must be there are fetched for the first request', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [echo], () => ({
    tokenIssuers: ['a', 'b'].map(name =>
      issuer({
        name,
        issuer: `https://${name}`,
        from: [{ kind: 'header', name: `x-${name}`, prefix: '' }],
        keys: { kind: 'uri', uri: `https://${name}/keys` },
        timeoutMs: 5_000,
        required: true,
      }),
    ),
  }));
  mesh.onEvent = event => {
    if (event.kind === 'keys_wanted')
      mesh.thread.setKeys({ kind: 'keys', source: event.source.name, jwks: JWKS });
  };
  const headers = { 'x-a': token({ iss: 'https://a' }), 'x-b': token({ iss: 'https://b' }) };
  t.equal((await ask(port, { headers })).status, 200);
});

test('keys that are fetched: requests wait for them, and for newer ones when a token names a key that is not there', async t => {
  const mesh = await lab(t);
  const { port } = await deploy(mesh, [echo], () => ({
    tokenIssuers: [issuer({ keys: { kind: 'uri', uri: 'https://issuer/keys' }, timeoutMs: 5_000 })],
  }));
  const request = { headers: { authorization: `Bearer ${token({})}` }, body: 'held meanwhile' };
  const wanted: unknown[] = [];
  const asked = Promise.withResolvers<void>();
  mesh.onEvent = event => {
    wanted.push(event);
    asked.resolve();
  };
  const first = ask(port, request);
  await asked.promise;
  mesh.thread.setKeys({ kind: 'keys', source: 'https://issuer/keys', jwks: JWKS });
  t.equal(seen((await first).body).body, 'held meanwhile');
  t.equal((await ask(port, request)).status, 200);
  const unknown = { headers: { authorization: `Bearer ${token({}, 'k2')}` } };
  t.equal((await ask(port, unknown)).status, 401, 'asked just now: not again');
  t.match(wanted, [{ kind: 'keys_wanted', source: { kind: 'jwks', url: 'https://issuer/keys' } }]);
});

function grpcCall(port: number): Promise<{ readonly code: number; readonly text: string }> {
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure());
  return new Promise(resolve => {
    client.makeUnaryRequest(
      '/s/M',
      (text: string) => Buffer.from(text),
      (bytes: Buffer) => bytes.toString(),
      'hi',
      (error: ServiceError | null, answer?: string) => {
        client.close();
        resolve({ code: error?.code ?? 0, text: error?.details ?? answer ?? '' });
      },
    );
  });
}
