import { test } from 'tap';
import type { DeltaRequest } from '#shared/discovery/delta-message.ts';
import { ADDRESS_TYPE, type MeshResource, TLS_CREDENTIAL_TYPE } from '#shared/discovery/mesh-resource.ts';
import { workload } from '#shared/testing/topology.ts';
import { ResourceStore } from './resource-store.ts';
import { TypeWatch } from './type-watch.ts';

const MANY = 1e9;
const CLIENT = 'spiffe://td/ns/shop/sa/waypoint';

function request(fields: Partial<DeltaRequest> = {}): DeltaRequest {
  return {
    typeUrl: ADDRESS_TYPE,
    node: undefined,
    subscribe: [],
    unsubscribe: [],
    initialVersions: new Map(),
    nonce: '',
    error: undefined,
    ...fields,
  };
}

function pod(name: string, ip: string): MeshResource {
  return { kind: 'workload', workload: workload(name, { addresses: [ip] }) };
}

function uid(name: string): string {
  return `Kubernetes//Pod/default/${name}`;
}

/** A store with pods a, b, c, watched as the first request says. */
function setUp(first: Partial<DeltaRequest> = {}): {
  store: ResourceStore;
  watch: TypeWatch;
  push: () => unknown;
} {
  const store = new ResourceStore();
  store.publish([pod('a', '10.0.0.1'), pod('b', '10.0.0.2'), pod('c', '10.0.0.3')]);
  const watch = new TypeWatch(ADDRESS_TYPE, CLIENT);
  store.onChange(changes => {
    for (const change of changes) watch.onChange(change);
  });
  watch.onRequest(request(first), store, NOW);
  const push = (): unknown => {
    const next = watch.nextPush(store, MANY);
    if (next === undefined) return undefined;
    watch.onSent('n', NOW);
    watch.onRequest(request({ nonce: 'n' }), store, NOW);
    return [
      ...next.resources.map(r => r.name.split('/').at(-1)),
      ...next.removed.map(name => `-${name.split('/').at(-1)}`),
    ];
  };
  return { store, watch, push };
}

const NOW = 1_000;

test('nothing is sent before the first request', t => {
  t.equal(new TypeWatch(ADDRESS_TYPE, CLIENT).nextPush(new ResourceStore(), MANY), undefined);
  t.end();
});

test('a first request is answered even when there is nothing', t => {
  const watch = new TypeWatch(ADDRESS_TYPE, CLIENT);
  const store = new ResourceStore();
  watch.onRequest(request(), store, NOW);
  t.same(watch.nextPush(store, MANY), { resources: [], removed: [], moreFollows: false });
  watch.onSent('1', NOW);
  t.equal(watch.nextPush(store, MANY), undefined);
  t.end();
});

test('what a client holds already is not sent again, and what is gone is taken back', t => {
  const before = new ResourceStore();
  before.publish([pod('a', '10.0.0.1'), pod('b', '10.9.9.9')]);
  const version = (name: string): [string, string] => [
    uid(name),
    before.get(ADDRESS_TYPE, uid(name))?.version ?? '',
  ];
  const { push } = setUp({ initialVersions: new Map([version('a'), version('b'), [uid('gone'), 'x']]) });
  t.same(push(), ['b', 'c', '-gone']);
  t.equal(push(), undefined);
  t.end();
});

test('when the last push was sent and answered is told', t => {
  const watch = new TypeWatch(ADDRESS_TYPE, CLIENT);
  const store = new ResourceStore();
  watch.onRequest(request(), store, 1_000);
  t.match(watch.status(), { sentAt: undefined, answeredAt: undefined });
  watch.nextPush(store, MANY);
  watch.onSent('1', 2_000);
  t.match(watch.status(), { sentAt: '1970-01-01T00:00:02.000Z', answeredAt: undefined });
  watch.onRequest(request({ nonce: '1' }), store, 3_000);
  t.match(watch.status(), { answeredAt: '1970-01-01T00:00:03.000Z' });
  watch.onRequest(request({ nonce: '0' }), store, 4_000);
  t.match(watch.status(), { answeredAt: '1970-01-01T00:00:03.000Z' }, 'an answer to something else is none');
  t.end();
});

test('one push is outstanding; what changes meanwhile is merged into the next', t => {
  const { push, store, watch } = setUp();
  t.same(push(), ['a', 'b', 'c']);
  store.publish([pod('a', '10.0.1.1')]);
  watch.nextPush(store, MANY);
  watch.onSent('2', NOW);
  store.publish([pod('b', '10.0.1.2')]);
  store.publish([pod('b', '10.0.1.3')]);
  store.publish([], [[ADDRESS_TYPE, uid('c')]]);
  t.equal(watch.nextPush(store, MANY), undefined);
  t.equal(watch.status().state, 'stale');
  watch.onRequest(request({ nonce: '1' }), store, NOW);
  t.ok(watch.outstanding, 'an answer to something else says nothing');
  watch.onRequest(request({ nonce: '2' }), store, NOW);
  t.same(push(), ['b', '-c']);
  t.equal(watch.status().state, 'synced');
  t.end();
});

test('a large state goes in parts, and each but the last says that more follows', t => {
  const { store, watch } = setUp();
  const parts: boolean[] = [];
  for (let i = 0; i < 3; i++) {
    const next = watch.nextPush(store, 1);
    parts.push(next?.moreFollows ?? false);
    t.equal(next?.resources.length, 1);
    watch.onSent(`${i}`, NOW);
    watch.onRequest(request({ nonce: `${i}` }), store, NOW);
  }
  t.same(parts, [true, true, false]);
  t.end();
});

test('a NACK is kept with its reason and nothing is sent again until it changes', t => {
  const { store, watch } = setUp();
  watch.nextPush(store, MANY);
  watch.onSent('1', NOW);
  const nack = request({ nonce: '1', error: { code: 3, message: 'a: bad' } });
  t.equal(watch.onRequest(nack, store, NOW), 'a: bad');
  t.match(watch.status(), { state: 'nack', lastNack: { nonce: '1', reason: 'a: bad' } });
  t.equal(watch.nextPush(store, MANY), undefined);
  store.publish([pod('a', '10.0.1.1')]);
  t.equal(watch.nextPush(store, MANY)?.resources.length, 1);
  watch.onSent('2', NOW);
  watch.onRequest(request({ nonce: '2' }), store, NOW);
  t.match(watch.status(), { state: 'synced', ackedNonce: '2', lastNack: { reason: 'a: bad' } });
  t.end();
});

test('on demand: by name, by address, and an answer for what is not there', t => {
  const { push, store, watch } = setUp({ subscribe: ['/10.0.0.1', '/10.0.0.99'] });
  t.same(push(), ['a', '-10.0.0.99']);
  store.publish([pod('b', '10.0.1.2')]);
  t.equal(push(), undefined, 'nobody asked for b');
  store.publish([pod('d', '10.0.0.99')]);
  t.same(push(), ['d'], 'what was asked for came into being');
  store.publish([pod('a', '10.0.1.1')]);
  t.same(push(), ['a'], 'what was found by address is followed by its name');
  watch.onRequest(request({ subscribe: [uid('c')] }), store, NOW);
  t.same(push(), ['c']);
  watch.onRequest(request({ unsubscribe: [uid('c')] }), store, NOW);
  store.publish([], [[ADDRESS_TYPE, uid('a')]]);
  t.same(push(), ['-a']);
  t.end();
});

test('a wildcard can be asked for later', t => {
  const { push, store, watch } = setUp({ subscribe: [uid('a')] });
  t.same(push(), ['a']);
  watch.onRequest(request({ subscribe: ['*'] }), store, NOW);
  t.same(push(), ['a', 'b', 'c']);
  t.end();
});

test('what has an audience is for nobody else, not even by name', t => {
  const store = new ResourceStore();
  const texts = {
    certificateChainPem: '',
    privateKeyPem: '',
    trustedRootsPem: 'PEM',
    revocationListsPem: '',
  };
  const secret = (name: string, ...audience: string[]): MeshResource => ({
    kind: 'credential',
    credential: { name, ...texts },
    audience,
  });
  store.publish([secret('shop/ours', CLIENT), secret('shop/theirs', 'spiffe://td/ns/shop/sa/other')]);
  const watch = new TypeWatch(TLS_CREDENTIAL_TYPE, CLIENT);
  store.onChange(changes => {
    for (const change of changes) watch.onChange(change);
  });
  const typeUrl = TLS_CREDENTIAL_TYPE;
  watch.onRequest(request({ typeUrl, initialVersions: new Map([['shop/before', 'v']]) }), store, NOW);
  const push = (): unknown => {
    const next = watch.nextPush(store, MANY);
    watch.onSent('n', NOW);
    watch.onRequest(request({ typeUrl, nonce: 'n' }), store, NOW);
    return next && { sent: next.resources.map(({ name }) => name), removed: next.removed };
  };
  t.same(push(), { sent: ['shop/ours'], removed: ['shop/before'] });
  store.publish([secret('shop/theirs', 'spiffe://td/ns/shop/sa/third')]);
  t.equal(push(), undefined, 'a change of what it may not hold');
  store.publish([secret('shop/theirs', CLIENT)]);
  t.same(push(), { sent: ['shop/theirs'], removed: [] }, 'it is for us now');
  store.publish([secret('shop/theirs', 'spiffe://td/ns/shop/sa/third')]);
  t.same(push(), { sent: [], removed: ['shop/theirs'] }, 'and now it is not');
  watch.onRequest(request({ typeUrl, subscribe: ['shop/theirs'] }), store, NOW);
  t.same(push(), { sent: [], removed: ['shop/theirs'] }, 'asked for by name it is not there');
  store.publish([], [[TLS_CREDENTIAL_TYPE, 'shop/theirs']]);
  t.equal(push(), undefined);
  t.end();
});
