import { type Test, test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { type Asked, HttpApiServer, sendEvents, sendJson, until } from '../testing/http-api-server.ts';
import type { KubeRequest } from './client.ts';

async function setUp(t: Test) {
  const clock = new FakeClock();
  const server = await HttpApiServer.start(clock);
  t.teardown(() => server.stop());
  /** Asks, and lets the time pass once the server has been asked. */
  const askFor = async (request: KubeRequest, passMs: number): Promise<unknown> => {
    const answer = server.client.request(request).catch((error: unknown) => error);
    await until(() => server.asked.length > 0);
    clock.advance(passMs);
    return answer;
  };
  return { askFor, clock, server };
}

const PODS = { path: '/api/v1/pods' };

/** [what the server does, its answer, what is told, when] */
const BAD_ANSWERS: readonly (readonly [string, (asked: Asked) => void, RegExp, number?])[] = [
  ['accepts and never answers', () => undefined, /GET \/api\/v1\/pods: no answer within 30000 ms/, 30_000],
  [
    'begins an answer and says no more',
    ({ response }) => void response.writeHead(200).write('{"items":['),
    /no answer within 30000 ms/,
    30_000,
  ],
  [
    'cuts the connection in the middle of its answer',
    ({ request, response }) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"items":[', () => request.socket.destroy());
    },
    /aborted|socket hang up|ECONNRESET/,
  ],
  [
    'ends an answer that is not whole',
    ({ response }) => void response.writeHead(200, { connection: 'close' }).end('{"items":[{"metadata":'),
    /GET \/api\/v1\/pods: status 200, and no JSON object/,
  ],
  [
    'is a proxy that shows a page of its own',
    ({ response }) => void response.writeHead(200).end('<html>log in</html>'),
    /status 200, and no JSON object: "<html>log in<\/html>"/,
  ],
  [
    'answers with nothing',
    ({ response }) => void response.writeHead(200).end(),
    /status 200, and no JSON object/,
  ],
  [
    'fails with a page of its own',
    ({ response }) => void response.writeHead(502).end('bad gateway'),
    /HTTP status 502/,
  ],
];

for (const [what, answer, told, afterMs = 0] of BAD_ANSWERS) {
  test(`an API server that ${what} is told of as one that fails, in time`, async t => {
    const { askFor, clock, server } = await setUp(t);
    server.answer = answer;
    const error = await askFor(PODS, afterMs);
    t.match(error, { message: told });
    t.equal(clock.pendingTimers, 0);
  });
}

test('an answer that comes slowly and in time is one', async t => {
  const { clock, server } = await setUp(t);
  server.answer = ({ response }) => void response.writeHead(200).write('{"items":');
  const answer = server.client.request(PODS);
  await until(() => server.asked.length > 0);
  clock.advance(29_999);
  server.asked[0]?.response.end('[1]}');
  t.same(await answer, { items: [1] });
  t.equal(clock.pendingTimers, 0);
});

test('who is told to stop stops waiting', async t => {
  const { server } = await setUp(t);
  const stopping = new AbortController();
  const answer = server.client.request({ ...PODS, signal: stopping.signal }).catch((error: unknown) => error);
  await until(() => server.asked.length > 0);
  stopping.abort();
  t.match(await answer, { message: /aborted/ });
});

const WATCH = { ...PODS, idleMs: 200_000, onEvents: () => undefined };

test('a watch that is never answered is given up as any request, not after the silence of one that is', async t => {
  const { clock, server } = await setUp(t);
  const watch = server.client.watch(WATCH).catch((error: unknown) => error);
  await until(() => server.asked.length > 0);
  clock.advance(30_000);
  t.match(await watch, { message: /WATCH \/api\/v1\/pods: no answer within 30000 ms/ });
  t.equal(clock.pendingTimers, 0);
});

test('a watch that falls silent is given up; what comes begins the time anew', async t => {
  const { clock, server } = await setUp(t);
  server.answer = ({ response }) => sendEvents(response, { type: 'ADDED', object: { n: 1 } });
  const heard: unknown[] = [];
  const watch = server.client
    .watch({ ...WATCH, onEvents: events => void heard.push(...events) })
    .catch((error: unknown) => error);
  await until(() => heard.length === 1);
  clock.advance(199_999);
  const response = server.asked[0]?.response;
  if (response !== undefined) sendEvents(response, { type: 'BOOKMARK', object: { n: 2 } });
  await until(() => heard.length === 2);
  clock.advance(199_999);
  t.equal(server.connections, 1);
  clock.advance(1);
  t.match(await watch, { message: /silent for 200000 ms/ });
  await until(() => server.connections === 0);
  t.equal(clock.pendingTimers, 0);
});

test('a watch of something else than events is given up', async t => {
  const { server } = await setUp(t);
  server.answer = ({ response }) => void response.writeHead(200).end('<html>\n');
  await t.rejects(server.client.watch(WATCH));
  server.answer = ({ response }) =>
    sendJson(response, { code: 410, reason: 'Expired', message: 'too old' }, 410);
  await t.rejects(server.client.watch(WATCH), { name: 'KubeError', status: 410 });
});

test('nobody who hangs keeps a connection', async t => {
  const { askFor, server } = await setUp(t);
  await askFor(PODS, 30_000);
  await until(() => server.connections === 0);
  t.pass('the connection is closed, not kept for the next request');
});
