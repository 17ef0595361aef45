import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { FakeKubeApi, type FakeWatch } from '#shared/testing/fake-kube-api.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { testStateFile } from '#shared/testing/state-file.ts';
import type { LocalPod } from '../local-pod.ts';
import { netnsInode, type PodNetns } from './pod-netns.ts';
import { PodSnapshot } from './pod-snapshot.ts';
import { KubernetesPodSource } from './pod-source.ts';

const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };

function pod(name: string, change: { metadata?: object; status?: object; spec?: object } = {}): JsonObject {
  return {
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '1', ...change.metadata },
    spec: { containers: [], ...change.spec },
    status: { phase: 'Running', podIP: '10.0.0.9', ...change.status },
  };
}

function namespace(name: string, labels: object = {}): JsonObject {
  return { metadata: { name, uid: `ns-${name}`, resourceVersion: '1', labels } };
}

function setUp(t: Test, options: { pods?: JsonObject[]; namespaces?: JsonObject[] } = {}) {
  const { pods = [pod('a')], namespaces = [namespace('shop', AMBIENT)] } = options;
  const directory = mkdtempSync(join(tmpdir(), 'netns-'));
  const clock = new FakeClock();
  const lines: string[] = [];
  const found = new Map<string, PodNetns>();
  const sought: string[][] = [];
  const state = { reachable: true };
  const objects = new Map<string, JsonObject>();
  const api = new FakeKubeApi(({ path }) => {
    if (!state.reachable) throw new Error('connect ECONNREFUSED');
    const one = objects.get(path);
    if (one !== undefined) return one;
    if (path === '/api/v1/pods') return { metadata: { resourceVersion: '5' }, items: pods };
    if (path === '/api/v1/namespaces') return { metadata: { resourceVersion: '5' }, items: namespaces };
    throw new KubeError(404, 'NotFound', `${path} not found`);
  });
  const logger = loggerInto(lines, { now: () => clock.now() });
  const make = (): KubernetesPodSource =>
    new KubernetesPodSource({
      api,
      nodeName: 'n1',
      rules: { excludedNamespaces: new Set() },
      findNetns: uids => {
        sought.push([...uids]);
        return Promise.resolve(new Map([...found].filter(([uid]) => uids.has(uid))));
      },
      snapshot: new PodSnapshot(testStateFile(join(directory, 'pods.json'), clock, logger)),
      clock,
      random: () => 0.5,
      logger,
    });
  const source = make();
  const sets: ReadonlyMap<string, LocalPod>[] = [];
  const netns = (name: string): PodNetns => {
    const path = join(directory, name);
    writeFileSync(path, '');
    return { path, inode: netnsInode(path) ?? 0n, ips: ['10.0.0.9'] };
  };
  const watchOf = async (path: string): Promise<FakeWatch> => {
    await settled();
    const watch = api.watches.find(({ request }) => request.path === path);
    if (watch === undefined) throw new Error(`no watch of ${path}`);
    return watch;
  };
  t.teardown(async () => {
    await source.stop();
    rmSync(directory, { recursive: true });
  });
  const start = (): Promise<void> => source.start(set => void sets.push(set));
  return {
    api,
    clock,
    lines,
    found,
    sought,
    state,
    objects,
    source,
    make,
    sets,
    netns,
    watchOf,
    start,
    directory,
  };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
}

test('pods with the labels of their namespace, and a network namespace that was looked for', async t => {
  const { found, netns, sets, start, api } = setUp(t, {
    pods: [pod('a'), pod('done', { status: { phase: 'Succeeded' } })],
  });
  found.set('uid-a', netns('a'));
  await start();
  t.equal(sets.length, 1, 'told once, when everything is known');
  const local = sets[0]?.get('uid-a');
  t.match(local, { name: 'a', namespaceLabels: AMBIENT, ips: ['10.0.0.9'], starting: false });
  t.match(local?.netnsPath, /\/a$/);
  t.notOk(sets[0]?.has('uid-done'), 'a pod that has ended is none');
  t.match(api.requests[0]?.query, { fieldSelector: 'spec.nodeName=n1' });
});

test('labels change, pods come and go', async t => {
  const { found, netns, sets, start, watchOf } = setUp(t, { namespaces: [namespace('shop')] });
  found.set('uid-a', netns('a'));
  await start();
  const before = sets.at(-1)?.get('uid-a');
  t.equal(before?.netnsPath, undefined, 'nobody looks for the namespace of a pod that is not of the mesh');
  (await watchOf('/api/v1/namespaces')).send({
    type: 'MODIFIED',
    object: namespace('shop', { ...AMBIENT, x: 'y' }),
  });
  t.equal(sets.length, 1, 'the same version is no change');
  const labelled = namespace('shop', AMBIENT);
  (await watchOf('/api/v1/namespaces')).send({
    type: 'MODIFIED',
    object: { metadata: { ...(labelled['metadata'] as object), resourceVersion: '6' } },
  });
  await settled();
  t.match(
    sets.at(-1)?.get('uid-a')?.netnsPath,
    /\/a$/,
    'told of with its namespace, not before it was looked for',
  );
  t.equal(sets.length, 2);
  (await watchOf('/api/v1/pods')).send({ type: 'DELETED', object: pod('a') });
  t.equal(sets.at(-1)?.size, 0);
});

test('a pod that does not change is the same object', async t => {
  const { found, netns, sets, start, watchOf } = setUp(t, { pods: [pod('a'), pod('b')] });
  found.set('uid-a', netns('a')).set('uid-b', netns('b'));
  await start();
  (await watchOf('/api/v1/pods')).send({
    type: 'MODIFIED',
    object: pod('b', { metadata: { resourceVersion: '7', labels: { v: '2' } } }),
  });
  t.equal(sets[1]?.get('uid-a'), sets[0]?.get('uid-a'));
  t.not(sets[1]?.get('uid-b'), sets[0]?.get('uid-b'));
});

test('a pod that the CNI plugin starts is known before the watch tells of it', async t => {
  const { netns, objects, sets, source, start } = setUp(t);
  await start();
  objects.set(
    '/api/v1/namespaces/new/pods/c',
    pod('c', { metadata: { namespace: 'new' }, status: { phase: 'Pending', podIP: undefined } }),
  );
  objects.set('/api/v1/namespaces/new', namespace('new', AMBIENT));
  const starting = { runtimeUid: 'uid-c', namespace: 'new', name: 'c', netns: netns('c') };
  const local = await source.admit(starting, new AbortController().signal);
  t.match(local, { uid: 'uid-c', namespaceLabels: AMBIENT, ips: ['10.0.0.9'], starting: true });
  t.equal(sets.at(-1)?.get('uid-c'), local);
  await t.rejects(
    source.admit({ ...starting, runtimeUid: 'another' }, new AbortController().signal),
    { message: 'the API server has no such pod' },
    'a pod of that name, and not the one that is started',
  );
  await t.rejects(source.admit({ ...starting, runtimeUid: 'x', name: 'd' }, new AbortController().signal), {
    message: /not found/,
  });
});

test('a pod that was admitted and never came is forgotten', async t => {
  const { clock, netns, objects, sets, source, start } = setUp(t, { pods: [] });
  await start();
  objects.set('/api/v1/namespaces/shop/pods/c', pod('c'));
  await source.admit(
    { runtimeUid: 'uid-c', namespace: 'shop', name: 'c', netns: netns('c') },
    new AbortController().signal,
  );
  t.ok(sets.at(-1)?.has('uid-c'));
  clock.advance(60_000);
  await settled();
  t.equal(sets.at(-1)?.size, 0);
});

test('a sandbox that is taken down is let go, unless it has been made anew', async t => {
  const { found, netns, sets, source, start } = setUp(t);
  const [old, fresh] = [netns('old'), netns('fresh')];
  found.set('uid-a', old);
  await start();
  found.clear();
  await source.admit(
    { runtimeUid: 'uid-a', namespace: 'shop', name: 'a', netns: fresh },
    new AbortController().signal,
  );
  source.release('uid-a', old.path);
  t.equal(sets.at(-1)?.get('uid-a')?.netnsPath, fresh.path);
  source.release('uid-a', fresh.path);
  await settled();
  t.equal(sets.at(-1)?.size, 0, 'a job that is done, which the API server hears of later, has left');
});

test('a namespace that is gone is looked for again, every second', async t => {
  const { clock, found, netns, sets, sought, start } = setUp(t);
  found.set('uid-a', netns('first'));
  await start();
  rmSync(netns('first').path);
  found.set('uid-a', netns('second'));
  clock.advance(1_000);
  await settled();
  t.match(sets.at(-1)?.get('uid-a')?.netnsPath, /second$/);
  const looks = sought.length;
  clock.advance(1_000);
  await settled();
  t.same(sought[looks], [], 'what is known is not looked for');
});

test('a pod that is being deleted and has lost its network has left', async t => {
  const { sets, start } = setUp(t, { pods: [pod('a', { metadata: { deletionTimestamp: 'now' } })] });
  await start();
  t.equal(sets.at(-1)?.size, 0);
});

test('without the API server, the next ztunnel has the pods that are still there', async t => {
  const first = setUp(t, { pods: [pod('a'), pod('b')] });
  first.found.set('uid-a', first.netns('a')).set('uid-b', first.netns('b'));
  await first.start();
  await first.source.stop();
  rmSync(join(first.directory, 'b'));
  first.state.reachable = false;
  const next = first.make();
  t.teardown(() => next.stop());
  const sets: ReadonlyMap<string, LocalPod>[] = [];
  await next.start(set => void sets.push(set));
  t.same([...(sets[0]?.keys() ?? [])], ['uid-a'], 'and not the one whose namespace is gone');
  t.match(sets[0]?.get('uid-a'), {
    name: 'a',
    namespaceLabels: AMBIENT,
    netnsPath: join(first.directory, 'a'),
  });
  await settled();
  first.state.reachable = true;
  first.clock.advance(60_000);
  await settled();
  t.same([...(sets.at(-1)?.keys() ?? [])], ['uid-a', 'uid-b'], 'the API server is believed when it is back');
});
