import { type Test, test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { type Asked, HttpApiServer, sendEvents, sendJson } from '../testing/http-api-server.ts';
import { loggerInto } from '../testing/logger-into.ts';
import { Informer } from './informer.ts';
import { nameKey, objectNameOf } from './known-versions.ts';

const PODS = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const MINUTE_MS = 60_000;
const GONE = { code: 410, reason: 'Expired', message: 'too old resource version' };

function pod(name: string, resourceVersion = '1'): object {
  return { metadata: { namespace: 'shop', name, resourceVersion } };
}

/** An informer, and a real server that answers lists in two pages: `a`, then `b` and `c`. */
async function setUp(t: Test) {
  const clock = new FakeClock();
  const server = await HttpApiServer.start(clock);
  const lines: string[] = [];
  const known = new Set<string>();
  const informer = new Informer({
    resource: PODS,
    api: server.client,
    clock,
    random: () => 0.5,
    logger: loggerInto(lines),
    onChange: ({ deletes, upserts }) => {
      for (const name of deletes) known.delete(nameKey(name));
      for (const object of upserts) known.add(nameKey(objectNameOf(object)));
    },
  });
  t.teardown(async () => {
    await informer.stop();
    await server.stop();
  });
  /** What is asked meanwhile is answered in between. */
  const pass = async (ms: number, done: () => boolean = () => false): Promise<void> => {
    for (let left = ms; left > 0 && !done(); left -= 1_000) {
      clock.advance(1_000);
      for (let turn = 0; turn < 60; turn++) await new Promise(resolve => setImmediate(resolve));
    }
  };
  const start = async (): Promise<void> => {
    informer.start();
    while (server.watches === 0) await new Promise(resolve => setImmediate(resolve));
  };
  server.answer = answerInOrder;
  return { clock, informer, known, lines, pass, server, start };
}

function firstPage({ response }: Asked): void {
  sendJson(response, { metadata: { resourceVersion: '10', continue: 'b' }, items: [pod('a')] });
}

function answerInOrder(asked: Asked): void {
  if (asked.isWatch) sendEvents(asked.response);
  else if (asked.query.get('continue') === null) firstPage(asked);
  else sendJson(asked.response, { metadata: { resourceVersion: '10' }, items: [pod('b'), pod('c')] });
}

const ALL = ['shop/a', 'shop/b', 'shop/c'];

/** What becomes of the second page. */
const HALVES: readonly (readonly [string, (asked: Asked) => void])[] = [
  ['is refused', ({ response }) => sendJson(response, { code: 500, message: 'etcd is away' }, 500)],
  ['is cut off', ({ request }) => void request.socket.destroy()],
  ['never comes', () => undefined],
  [
    'ends in the middle',
    ({ response }) =>
      void response
        .writeHead(200, { connection: 'close' })
        .end('{"metadata":{"resourceVersion":"10"},"items":['),
  ],
  [
    'is a page of a proxy in between',
    ({ response }) => void response.writeHead(200).end('<html>log in</html>'),
  ],
  ['is an object, and no list', ({ response }) => sendJson(response, { kind: 'Status', status: 'Success' })],
];

for (const [what, answerSecond] of HALVES) {
  test(`a list whose second half ${what}: nothing is deleted, it is told, and made anew until it is whole`, async t => {
    const { informer, known, lines, pass, server, start } = await setUp(t);
    await start();
    t.same([...known].sort(), ALL);
    server.answer = asked => {
      if (asked.isWatch) asked.request.socket.destroy();
      else if (asked.query.get('continue') === null) firstPage(asked);
      else answerSecond(asked);
    };
    server.asked.at(-1)?.request.socket.destroy();
    await pass(40 * MINUTE_MS, () =>
      server.asked.some(({ query }) => query.get('continue') !== null && server.lists > 4),
    );
    t.same([...known].sort(), ALL, 'everything known stays');
    t.not(informer.failure, undefined);
    t.equal(lines.filter(line => line.includes('not in step with the API server')).length, 1);
    server.answer = asked => {
      if (asked.isWatch) sendEvents(asked.response);
      else sendJson(asked.response, { metadata: { resourceVersion: '30' }, items: [pod('a'), pod('c')] });
    };
    await pass(5 * MINUTE_MS, () => informer.failure === undefined);
    t.same([...known].sort(), ['shop/a', 'shop/c'], 'then what is gone is deleted');
    t.match(lines.at(-1), /in step with the API server again/);
  });
}

/** Ways to say that the version of a watch is too old. */
const TOO_OLD: readonly (readonly [string, (asked: Asked) => void])[] = [
  ['by its status', ({ response }) => sendJson(response, GONE, 410)],
  [
    'by an event',
    ({ response }) => {
      sendEvents(response, { type: 'ERROR', object: { kind: 'Status', ...GONE } });
      response.end();
    },
  ],
  [
    'by an event behind others',
    ({ response }) => {
      sendEvents(
        response,
        { type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } },
        { type: 'MODIFIED', object: pod('a', '21') },
      );
      setImmediate(() => {
        sendEvents(response, { type: 'ERROR', object: { kind: 'Status', ...GONE } });
        response.end();
      });
    },
  ],
];

for (const [how, answerWatch] of TOO_OLD) {
  test(`watches that are too old again and again, said ${how}: lists get rare, and one line tells of it`, async t => {
    const { informer, known, lines, pass, server, start } = await setUp(t);
    server.answer = asked => {
      if (asked.isWatch) answerWatch(asked);
      else answerInOrder(asked);
    };
    await start();
    await pass(10 * MINUTE_MS);
    const lists = server.lists / 2;
    t.ok(lists >= 10 && lists <= 40, `${lists} whole lists in ten minutes`);
    t.same([...known].sort(), ALL);
    t.equal(lines.filter(line => line.includes('not in step with the API server')).length, 1);
    server.answer = answerInOrder;
    await pass(MINUTE_MS, () => informer.failure === undefined);
    t.match(lines.at(-1), /in step with the API server again/);
  });
}

test('a server that accepts and never answers is told of, and all is well once it does', async t => {
  const { informer, known, lines, pass, server } = await setUp(t);
  server.answer = () => undefined;
  informer.start();
  await pass(10 * MINUTE_MS);
  t.match(informer.failure, /GET \/api\/v1\/pods: no answer within 60000 ms/);
  t.match(lines, [/not in step with the API server, trying again.*no answer within 60000 ms/]);
  t.ok(server.asked.length >= 6 && server.asked.length <= 10, `${server.asked.length} tries`);
  t.ok(server.connections <= 1, 'those that hang are closed');
  server.answer = answerInOrder;
  await pass(3 * MINUTE_MS, () => informer.synced);
  t.same([...known].sort(), ALL);
});

test('a server that answers lists and no watch is told of within half a minute, once, and everything stays', async t => {
  const { informer, known, lines, pass, server } = await setUp(t);
  server.answer = asked => {
    if (!asked.isWatch) answerInOrder(asked);
  };
  informer.start();
  await pass(45_000);
  t.match(informer.failure, /WATCH \/api\/v1\/pods: no answer within 30000 ms/);
  await pass(10 * MINUTE_MS);
  t.same([lines.length, [...known].sort()], [1, ALL]);
  t.equal(server.lists, 2, 'and is not asked for lists again');
});

test('a server that takes half a minute for each page is waited for', async t => {
  const { clock, informer, pass, server } = await setUp(t);
  server.answer = asked => {
    if (asked.isWatch) sendEvents(asked.response);
    else clock.setTimer(30_000, () => answerInOrder(asked));
  };
  informer.start();
  await pass(90_000, () => informer.synced);
  t.equal(server.lists, 2);
  t.ok(informer.synced);
});
