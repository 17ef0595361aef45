import { test } from 'tap';
import type { JsonObject } from '../config/json.ts';
import { loggerInto } from '../testing/logger-into.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeKubeApi } from '../testing/fake-kube-api.ts';
import { Informer } from './informer.ts';
import { KubeError } from './kube-error.ts';
import { nameKey, objectNameOf, resourceVersionOf } from './known-versions.ts';
import type { KubeResource } from './resource.ts';
import type { WatchEvent } from './watch-decoder.ts';

const PODS: KubeResource = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };

interface Bench {
  readonly api: FakeKubeApi;
  readonly clock: FakeClock;
  readonly informer: Informer;
  /** `+a/b@7` and `-a/b`, in order. */
  readonly told: string[];
  readonly logged: string[];
  /** What a list answers now. */
  objects: JsonObject[];
  version: string;
}

function bench(options: { readonly metadataOnly?: boolean; readonly namespace?: string } = {}): Bench {
  const told: string[] = [];
  const logged: string[] = [];
  const clock = new FakeClock();
  const api = new FakeKubeApi(() => ({
    metadata: { resourceVersion: it.version },
    items: it.objects,
  }));
  const informer = new Informer({
    ...options,
    resource: PODS,
    api,
    clock,
    random: () => 0.5,
    logger: loggerInto(logged, { level: 'debug', now: () => clock.now() }),
    onChange: ({ deletes, upserts }) => {
      for (const name of deletes) told.push(`-${nameKey(name)}`);
      for (const object of upserts)
        told.push(`+${nameKey(objectNameOf(object))}@${resourceVersionOf(object)}`);
    },
    onSynced: () => told.push('synced'),
  });
  const it: Bench = { api, clock, informer, told, logged, objects: [], version: '10' };
  return it;
}

function pod(name: string, resourceVersion: string): JsonObject {
  return { metadata: { namespace: 'shop', name, resourceVersion } };
}

function event(type: WatchEvent['type'], object: JsonObject): WatchEvent {
  return { type, object };
}

const GONE = event('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });

/** Until every promise that can go on has. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve));
}

test('a list, then a watch from where it was', async t => {
  const it = bench();
  it.objects = [pod('a', '3'), pod('b', '7')];
  it.informer.start();
  await settle();
  t.same(it.told, ['+shop/a@3', '+shop/b@7', 'synced']);
  t.match(it.api.watches[0]?.request, {
    path: '/api/v1/pods',
    query: { resourceVersion: '10', allowWatchBookmarks: 'true', timeoutSeconds: '300' },
  });
  it.told.length = 0;
  it.api.watches[0]?.send(event('MODIFIED', pod('a', '11')), event('DELETED', pod('b', '12')));
  it.api.watches[0]?.send(event('ADDED', pod('c', '13')));
  t.same(it.told, ['-shop/b', '+shop/a@11', '+shop/c@13']);
  t.equal(it.informer.size, 2);
  await it.informer.stop();
});

test('of an object that changed twice in what arrived together, the last state is told', async t => {
  const it = bench();
  it.objects = [pod('a', '3')];
  it.informer.start();
  await settle();
  it.told.length = 0;
  it.api.watches[0]?.send(
    event('MODIFIED', pod('a', '11')),
    event('DELETED', pod('a', '12')),
    event('ADDED', pod('a', '13')),
    event('ADDED', pod('b', '14')),
    event('DELETED', pod('b', '15')),
  );
  t.same(it.told, ['-shop/b', '+shop/a@13']);
  await it.informer.stop();
});

test('a watch that the server ends goes on from the last version, a bookmark’s included', async t => {
  const it = bench();
  it.informer.start();
  await settle();
  it.api.watches[0]?.send(event('ADDED', pod('a', '11')), event('BOOKMARK', pod('', '20')));
  it.clock.advance(300_000);
  it.api.watches[0]?.end();
  await settle();
  t.equal(it.api.requests.length, 1, 'no second list');
  t.equal(it.api.watches[1]?.request.query?.['resourceVersion'], '20');
  await it.informer.stop();
});

test('an expired version begins with a list, which tells what differs', async t => {
  for (const how of ['event', 'answer'] as const) {
    const it = bench();
    it.objects = [pod('a', '3'), pod('b', '7')];
    it.informer.start();
    await settle();
    it.told.length = 0;
    it.objects = [pod('a', '3'), pod('c', '30')];
    it.version = '40';
    if (how === 'event') it.api.watches[0]?.send(GONE);
    else it.api.watches[0]?.fail(new KubeError(410, 'Gone', 'too old'));
    await settle();
    it.clock.advance(1000);
    await settle();
    t.same(it.told, ['+shop/c@30', '-shop/b'], how);
    t.equal(it.api.watches[1]?.request.query?.['resourceVersion'], '40');
    t.same(
      it.logged.filter(line => line.includes('warn')),
      [],
      'no news for the operator',
    );
    await it.informer.stop();
  }
});

test('events before an error in what arrived together are not lost', async t => {
  const it = bench();
  it.informer.start();
  await settle();
  it.told.length = 0;
  it.api.watches[0]?.send(event('ADDED', pod('a', '11')), GONE);
  t.same(it.told, ['+shop/a@11']);
  await it.informer.stop();
});

test('an API server that is away: everything stays, attempts get rarer, one line is logged', async t => {
  const it = bench();
  it.objects = [pod('a', '3')];
  it.informer.start();
  await settle();
  it.told.length = 0;
  it.api.watches[0]?.fail(new Error('ECONNREFUSED'));
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 10; attempt++) {
    await settle();
    const before = it.clock.monotonic();
    while (it.api.watches.length === attempt) {
      it.clock.advance(100);
      await settle();
    }
    waits.push(it.clock.monotonic() - before);
    it.api.watches[attempt]?.fail(new Error('ECONNREFUSED'));
  }
  await settle();
  t.same(waits, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  t.same(it.told, []);
  t.equal(it.logged.length, 1);
  t.match(it.informer.failure, /ECONNREFUSED/);
  it.clock.advance(30_000);
  await settle();
  it.api.watches.at(-1)?.open();
  it.clock.advance(1_000);
  t.equal(it.informer.failure, undefined);
  t.match(it.logged.at(-1), /in step with the API server again/);
  t.equal(it.api.requests.length, 1, 'the watch goes on where it was, without a list');
  await it.informer.stop();
});

test('a list that fails is tried again, and only then is it synced', async t => {
  const it = bench();
  const list = it.api.answer;
  it.api.answer = () => {
    throw new KubeError(403, 'Forbidden', 'pods is forbidden');
  };
  it.informer.start();
  await settle();
  t.equal(it.informer.synced, false);
  t.match(it.informer.failure, /forbidden/);
  it.api.answer = list;
  it.clock.advance(1000);
  await settle();
  t.same(it.told, ['synced']);
  await it.informer.stop();
});

test('a server that says how long to wait is left alone for so long', async t => {
  const it = bench();
  it.api.answer = () => {
    throw new KubeError(429, 'TooManyRequests', 'slow down', 9);
  };
  it.informer.start();
  await settle();
  it.clock.advance(8999);
  await settle();
  t.equal(it.api.requests.length, 1);
  it.clock.advance(1);
  await settle();
  t.equal(it.api.requests.length, 2);
  await it.informer.stop();
});

test('a list comes in pages; one whose place is forgotten begins anew as a whole', async t => {
  const it = bench();
  it.objects = [];
  let pages = 0;
  it.api.answer = request => {
    pages++;
    if (request.query?.['continue'] === 'next') throw new KubeError(410, 'Expired', 'continue is too old');
    if (request.query?.['limit'] !== undefined)
      return { metadata: { continue: 'next', resourceVersion: '5' }, items: [pod('a', '1')] };
    return { metadata: { resourceVersion: '6' }, items: [pod('a', '1'), pod('b', '2')] };
  };
  it.informer.start();
  await settle();
  t.same(it.told, ['+shop/a@1', '+shop/b@2', 'synced']);
  t.equal(pages, 3);
  t.equal(it.api.watches[0]?.request.query?.['resourceVersion'], '6');
  await it.informer.stop();
});

test('every half hour a list finds what a watch did not tell', async t => {
  const it = bench();
  it.objects = [pod('a', '3')];
  it.informer.start();
  await settle();
  it.objects = [];
  it.told.length = 0;
  it.clock.advance(31 * 60_000);
  it.api.watches[0]?.end();
  await settle();
  t.same(it.told, ['-shop/a']);
  await it.informer.stop();
});

test('watches that are cut at once are not made anew without a pause', async t => {
  const it = bench();
  it.informer.start();
  await settle();
  it.api.watches[0]?.end();
  await settle();
  t.equal(it.api.watches.length, 1);
  t.match(it.informer.failure, /ended at once/);
  it.clock.advance(200);
  await settle();
  t.equal(it.api.watches.length, 2);
  await it.informer.stop();
});

test('a stopped informer tells nothing and leaves nothing behind', async t => {
  const it = bench();
  it.informer.start();
  await settle();
  const [watch] = it.api.watches;
  it.told.length = 0;
  await it.informer.stop();
  watch?.send(event('ADDED', pod('a', '11')));
  t.same(it.told, []);
  t.equal(it.clock.pendingTimers, 0);
});

test('a selection asks for no more than it wants', async t => {
  const it = bench({ metadataOnly: true, namespace: 'shop' });
  it.informer.start();
  await settle();
  t.match(it.api.requests[0], {
    path: '/api/v1/namespaces/shop/pods',
    accept: /^application\/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,/,
  });
  t.match(it.api.watches[0]?.request.accept, /as=PartialObjectMetadata;/);
  await it.informer.stop();
});
