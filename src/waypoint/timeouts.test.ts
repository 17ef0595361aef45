import { test } from 'tap';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import { NO_TIMEOUTS, type RouteRule } from '#shared/route/model.ts';
import { routeMatch } from '#shared/testing/route.ts';
import { SimulatedMesh } from './testing/simulated-mesh.ts';

const NO_RETRY = { ...DEFAULT_RETRY_POLICY, attempts: 0 };
const RETRY = { ...DEFAULT_RETRY_POLICY, on: ['gateway_error'], attempts: 3 } as const;

/** Endpoints that never answer, on a clock that moves when told: when a request ends, and after how many tries. */
const SILENCE: readonly (readonly [string, Partial<RouteRule>, endMs: number | undefined, tries: number])[] =
  [
    ['without a timeout it waits', { retry: NO_RETRY }, undefined, 1],
    ['timeout of a request', { timeouts: { ...NO_TIMEOUTS, requestMs: 500 }, retry: NO_RETRY }, 500, 1],
    [
      'timeout of a try, which is not to be tried again',
      { timeouts: { ...NO_TIMEOUTS, backendRequestMs: 200 }, retry: NO_RETRY },
      200,
      1,
    ],
    [
      'timeout of each try of several',
      {
        timeouts: { ...NO_TIMEOUTS, backendRequestMs: 200 },
        retry: { ...RETRY, backoffBaseMs: 1, backoffMaxMs: 1 },
      },
      800,
      4,
    ],
    [
      'timeout of a try in the policy of retries',
      { retry: { ...RETRY, perTryTimeoutMs: 200, backoffBaseMs: 1, backoffMaxMs: 1 } },
      800,
      4,
    ],
    [
      'that of the request is over all tries',
      {
        timeouts: { ...NO_TIMEOUTS, requestMs: 500, backendRequestMs: 200 },
        retry: { ...RETRY, backoffBaseMs: 1, backoffMaxMs: 1 },
      },
      500,
      3,
    ],
    [
      'timeout of the response: a request without a body has ended at once',
      { timeouts: { ...NO_TIMEOUTS, responseMs: 300 }, retry: NO_RETRY },
      300,
      1,
    ],
    [
      'the earlier one of request and response',
      { timeouts: { ...NO_TIMEOUTS, requestMs: 400, responseMs: 300 }, retry: NO_RETRY },
      300,
      1,
    ],
    ['timeout of silence', { timeouts: { ...NO_TIMEOUTS, idleMs: 1_000 }, retry: NO_RETRY }, 1_000, 1],
  ];

/** Ticks of the timers. */
const LATE_MS = 600;

test('endpoints that never answer', async t => {
  for (const [name, rule, endMs, tries] of SILENCE) {
    const mesh = await SimulatedMesh.create(5, { rule });
    for (const endpoint of mesh.endpoints) endpoint.conduct = 'hang';
    const [answer] = await mesh.send(1);
    await mesh.pass((endMs ?? 30_000) - 20);
    t.equal(answer?.status, undefined, `${name}: not earlier`);
    await mesh.pass(LATE_MS);
    t.equal(answer?.status, endMs === undefined ? undefined : 504, name);
    t.equal(
      mesh.endpoints.reduce((sum, { requests }) => sum + requests, 0),
      tries,
      `${name}: tries`,
    );
    mesh.close();
  }
});

test('where no route says a time, an HTTP/1.1 request that nobody answers is answered when nothing has moved for long', async t => {
  const mesh = await SimulatedMesh.create(1, { rule: { retry: NO_RETRY } });
  t.teardown(() => mesh.close());
  for (const endpoint of mesh.endpoints) endpoint.conduct = 'hang';
  const [answer] = await mesh.send(1);
  await mesh.pass(61_000);
  t.equal(answer?.status, 504);
  t.match(mesh.lines.at(-1), /response_code=504 response_flags="SI".*stream idle timeout/);
});

/** Of a CONNECT, by the rule: how long it waits for its answer, and how long it lives in silence once it is open. */
const TUNNELS: readonly (readonly [string, Partial<RouteRule>, unansweredMs: number, silentMs: number])[] = [
  ['without a timeout', {}, 60_000, 60_000],
  ['timeout of a request', { timeouts: { ...NO_TIMEOUTS, requestMs: 500 } }, 500, 60_000],
  ['timeout of the response', { timeouts: { ...NO_TIMEOUTS, responseMs: 300 } }, 300, 60_000],
  ['timeout of a try', { timeouts: { ...NO_TIMEOUTS, backendRequestMs: 200 } }, 200, 60_000],
  ['timeout of silence', { timeouts: { ...NO_TIMEOUTS, idleMs: 5_000 } }, 5_000, 5_000],
];

test('a tunnel is waited for like an answer; once it is open only silence ends it', async t => {
  for (const [name, times, unansweredMs, silentMs] of TUNNELS) {
    const rule = { matches: [routeMatch({ method: 'CONNECT' })], retry: NO_RETRY, ...times };
    const mesh = await SimulatedMesh.create(1, { rule });
    const [endpoint] = mesh.endpoints;
    if (endpoint === undefined) throw new Error('there is one');
    endpoint.conduct = 'hang';
    const unanswered = await mesh.connect('target.example:443');
    await mesh.pass(unansweredMs - 20);
    t.equal(unanswered.status, undefined, `${name}: not earlier`);
    await mesh.pass(LATE_MS);
    t.equal(unanswered.status, 504, name);
    endpoint.conduct = 'tunnel';
    const open = await mesh.connect('target.example:443');
    t.equal(open.status, 200, name);
    for (let round = 0; round < 3; round++) {
      await mesh.pass(silentMs - 500);
      open.send(`${round}`);
      await mesh.settle();
    }
    t.match(open.text, /\r\n\r\n012$/, `${name}: whatever moves keeps it`);
    open.end();
    await mesh.pass(2_000);
    t.match(mesh.lines.at(-1), /response_code=200 response_flags="-" bytes_recv=3 bytes_sent=3/, name);
    endpoint.conduct = 'open_tunnel';
    const half = await mesh.connect('target.example:443');
    const lines = mesh.lines.length;
    half.end();
    await mesh.pass(2_000);
    t.equal(mesh.lines.length, lines, `${name}: who has ended one direction still has the other`);
    half.leave();
    await mesh.settle();
    const silent = await mesh.connect('target.example:443');
    await mesh.pass(silentMs + LATE_MS);
    t.equal(silent.status, 200);
    t.match(mesh.lines.at(-1), /response_code=200 response_flags="SI"/, `${name}: silence`);
    mesh.close();
  }
});

test('the timeout of the response begins when the request has ended', async t => {
  const rule = { timeouts: { ...NO_TIMEOUTS, responseMs: 1_000 }, retry: NO_RETRY };
  const mesh = await SimulatedMesh.create(1, { rule });
  t.teardown(() => mesh.close());
  const [answer] = await mesh.send(1, 'Content-Length: 12\r\n');
  answer?.send('begun, ');
  await mesh.pass(5_000);
  t.equal(answer?.status, undefined, 'not while the client is still sending');
  answer?.send('ended');
  await mesh.settle();
  t.equal(answer?.status, 200);
  t.same(mesh.endpoints[0]?.bodies, ['begun, ended']);
});

test('whatever moves puts the timeout of silence off; a response that stands still is broken off', async t => {
  const rule = { timeouts: { ...NO_TIMEOUTS, idleMs: 1_000 }, retry: NO_RETRY };
  const mesh = await SimulatedMesh.create(1, { rule });
  t.teardown(() => mesh.close());
  for (const endpoint of mesh.endpoints) endpoint.conduct = 'hang';
  const [answer] = await mesh.send(1);
  const [upstream] = mesh.endpoints[0]?.open.keys() ?? [];
  upstream?.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'));
  for (let i = 0; i < 12; i++) {
    upstream?.write(Buffer.from(`${i} `));
    await mesh.pass(900);
  }
  t.match(answer, { status: 200, isClosed: false });
  await mesh.pass(100 + LATE_MS);
  t.equal(answer?.isClosed, true);
  t.match(answer?.text, /\r\n\r\n0 1 2 3 4 5 6 7 8 9 10 11 $/, 'all that came before the silence');
  t.match(mesh.lines.at(-1), /response_code=200 response_flags="SI" bytes_recv=0 bytes_sent=26 /);
});
