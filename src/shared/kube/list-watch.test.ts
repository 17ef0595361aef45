import { type Test, test } from 'tap';
import { isJsonObject, type JsonObject } from '../config/json.ts';
import { createLogger, LogLevels } from '../observability/logger.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeKubeApi, list, refused } from '../testing/fake-kube-api.ts';
import { ListWatch, type ParsedObject } from './list-watch.ts';

const PATH = '/api/v1/pods';

function pod(name: string, resourceVersion: string, more: object = {}): object {
  return { metadata: { name, uid: `uid-${name}`, resourceVersion }, ...more };
}

/** Objects with `bad` are not understood. */
function parse(object: JsonObject): ParsedObject<string> {
  const metadata = object['metadata'];
  const name = isJsonObject(metadata) ? String(metadata['name']) : '';
  const version = isJsonObject(metadata) ? String(metadata['resourceVersion']) : '';
  if ('bad' in object) return { ok: false, error: 'bad' };
  return { ok: true, key: name, value: `${name}@${version}` };
}

function setUp(t: Test) {
  const api = new FakeKubeApi();
  const clock = new FakeClock();
  const lines: string[] = [];
  const sets: string[] = [];
  const watch = new ListWatch({
    api,
    path: PATH,
    query: { fieldSelector: 'spec.nodeName=n1' },
    parse,
    onChange: items => void sets.push([...items.values()].join(' ')),
    clock,
    random: () => 0.5,
    logger: createLogger({
      scope: 'test',
      levels: new LogLevels(),
      format: 'text',
      writer: { writeLine: line => void lines.push(line) },
      now: () => clock.now(),
    }),
  });
  t.teardown(() => watch.stop());
  return { api, clock, lines, sets, watch };
}

/** Everything that waits for nothing but other promises has run. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve));
}

test('what is listed, and then what changes', async t => {
  const { api, sets, watch } = setUp(t);
  api.respond = () => list([pod('a', '3')], '10');
  await watch.start();
  t.same(sets, ['a@3']);
  const open = await api.watchOf(PATH);
  t.equal(open.query.get('resourceVersion'), '10');
  t.equal(open.query.get('allowWatchBookmarks'), 'true');
  t.equal(open.query.get('fieldSelector'), 'spec.nodeName=n1');
  open.say('ADDED', pod('b', '11'));
  open.say('MODIFIED', pod('a', '12'));
  open.say('BOOKMARK', { metadata: { resourceVersion: '20' } });
  open.say('DELETED', pod('b', '21'));
  t.same(sets, ['a@3', 'a@3 b@11', 'a@12 b@11', 'a@12'], 'a bookmark changes nothing');
});

test('a long list comes in pages and is one change', async t => {
  const { api, sets, watch } = setUp(t);
  api.respond = ({ path }) =>
    path.includes('continue=next') ? list([pod('b', '2')], '5') : list([pod('a', '1')], '5', 'next');
  await watch.start();
  t.same(sets, ['a@1 b@2']);
  t.equal(api.requests.length, 2);
});

test('a watch that the server ends goes on from the last version, bookmarks included', async t => {
  const { api, clock, watch } = setUp(t);
  await watch.start();
  const first = await api.watchOf(PATH);
  first.say('BOOKMARK', { metadata: { resourceVersion: '77' } });
  clock.advance(60_000);
  first.end();
  await settled();
  t.equal((await api.watchOf(PATH)).query.get('resourceVersion'), '77');
  t.equal(api.requests.length, 1, 'nothing is listed again');
});

test('a version that has expired (410) is listed again, and what went meanwhile is gone', async t => {
  const { api, sets, watch } = setUp(t);
  api.respond = () => list([pod('a', '1'), pod('b', '1')], '5');
  await watch.start();
  const open = await api.watchOf(PATH);
  api.respond = () => list([pod('b', '9')], '9');
  open.say('ERROR', { code: 410, message: 'too old resource version' });
  await settled();
  t.same(sets, ['a@1 b@1', 'b@9']);
  t.equal((await api.watchOf(PATH)).query.get('resourceVersion'), '9');

  (await api.watchOf(PATH)).fail(refused(410, 'Gone'));
  await settled();
  t.equal(sets.length, 3, 'also when the request itself is answered so');
});

test('an API server that cannot be reached leaves the last set, and is tried again ever more slowly', async t => {
  const { api, clock, lines, sets, watch } = setUp(t);
  api.respond = () => {
    throw new Error('connect ECONNREFUSED');
  };
  const started = watch.start();
  await settled();
  for (const retryInMs of [100, 200, 400]) {
    t.match(lines.at(-1), `retryInMs=${retryInMs}`);
    clock.advance(retryInMs);
    await settled();
  }
  t.equal(api.requests.length, 4);
  api.respond = () => list([pod('a', '1')], '5');
  clock.advance(15_000);
  await started;
  (await api.watchOf(PATH)).fail(new Error('socket hang up'));
  await settled();
  t.same(sets, ['a@1']);
  t.match(lines.at(-1), /socket hang up.*retryInMs=100/, 'and a success starts over');
  clock.advance(100);
  t.equal((await api.watchOf(PATH)).query.get('resourceVersion'), '5', 'a watch is taken up, not listed');
});

test('a server that ends every watch at once is not asked in a loop', async t => {
  const { api, lines, watch } = setUp(t);
  await watch.start();
  (await api.watchOf(PATH)).end();
  await settled();
  t.equal(api.watches.length, 0);
  t.match(lines.at(-1), /ended at once/);
});

test('an object that is not understood is rejected alone, and its last good version stays', async t => {
  const { api, lines, sets, watch } = setUp(t);
  api.respond = () => list([pod('a', '1'), pod('x', '1', { bad: true })], '5');
  await watch.start();
  const open = await api.watchOf(PATH);
  open.say('MODIFIED', pod('a', '6', { bad: true }));
  t.same(sets, ['a@1', 'a@1']);
  t.match(lines.join('\n'), /last good version stays.*uid="uid-a"/);
  open.say('DELETED', pod('a', '7', { bad: true }));
  t.equal(sets.at(-1), '', 'and it is deleted all the same');
});

test('a line that is no event ends the watch, which is tried again', async t => {
  const { api, lines, watch } = setUp(t);
  await watch.start();
  (await api.watchOf(PATH)).sayLine('{"type":"ADDED"}');
  await settled();
  t.match(lines.at(-1), /a watch event without an object/);
});

test('everything is listed again now and then', async t => {
  const { api, clock, watch } = setUp(t);
  await watch.start();
  const open = await api.watchOf(PATH);
  clock.advance(1_800_001);
  open.end();
  await settled();
  t.equal(api.requests.length, 2);
});
