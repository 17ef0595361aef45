import { test, type Test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { keyOf } from '../kube-object.ts';
import { KubernetesSource } from './kubernetes-source.ts';

/** A cluster in memory: what it serves, what there is, and what it refuses. */
class Cluster {
  readonly clock = new FakeClock();
  readonly groups = new Map<string, Map<string, string[]>>([
    ['', new Map([['v1', ['Namespace', 'Node', 'Pod', 'Service']]])],
  ]);
  readonly lists = new Map<string, JsonObject[]>();
  readonly refused = new Set<string>();
  readonly api = new FakeKubeApi(({ path, query }) => this.#answer(path, query?.['fieldSelector']));
  readonly changes: string[][] = [];
  readonly problems: string[] = [];
  readonly logged: string[] = [];
  readonly watchErrors: string[] = [];
  readonly source = new KubernetesSource({
    api: this.api,
    clock: this.clock,
    random: () => 0.5,
    tlsSecrets: false,
    onWatchError: kind => void this.watchErrors.push(kind),
    logger: loggerInto(this.logged, { scope: 'source', now: () => this.clock.now() }),
  });
  started = false;

  async start(t: Test): Promise<void> {
    t.teardown(() => this.source.stop());
    void this.source
      .start({
        onChange: ({ deletes, upserts }) =>
          void this.changes.push([...deletes.map(key => `-${key}`), ...upserts.map(o => `+${keyOf(o)}`)]),
        onProblems: found => {
          this.problems.length = 0;
          this.problems.push(...found.map(p => `${p.origin}: ${p.message}; ${p.fix}`));
        },
      })
      .then(() => (this.started = true));
    await this.pass(1);
  }

  /** Lets time pass and everything that follows happen. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
  }

  watchOf(plural: string) {
    return this.api.watches.findLast(({ request }) => request.path.endsWith(`/${plural}`));
  }

  /** Of what is asked for by name, by path and selector. */
  readonly named = new Map<string, JsonObject>();

  #answer(path: string, fieldSelector: string | undefined): JsonObject {
    const [, root, ...rest] = path.split('/');
    if (rest[3] !== undefined && rest[1] === 'namespaces') {
      const [, , namespace, plural] = rest;
      if (this.refused.has(plural)) throw new KubeError(403, 'Forbidden', `${plural} is forbidden`);
      const found = this.named.get(`${namespace} ${fieldSelector}`);
      return { metadata: { resourceVersion: '1' }, items: found === undefined ? [] : [found] };
    }
    const [group = '', version, plural] = root === 'api' ? ['', ...rest] : rest;
    if (plural !== undefined) {
      if (this.refused.has(plural)) throw new KubeError(403, 'Forbidden', `${plural} is forbidden`);
      return { metadata: { resourceVersion: '1' }, items: this.lists.get(plural) ?? [] };
    }
    const versions = this.groups.get(group);
    if (versions === undefined) throw new KubeError(404, 'NotFound', 'not found');
    if (version === undefined) return { versions: [...versions.keys()].map(v => ({ version: v })) };
    const kinds = versions.get(version) ?? [];
    return {
      resources: kinds.map(kind => ({
        kind,
        name: `${kind.toLowerCase()}s`,
        namespaced: kind !== 'Node' && kind !== 'Namespace',
        verbs: ['get', 'list', 'watch'],
      })),
    };
  }
}

function object(name: string, resourceVersion = '1', spec: JsonObject = {}): JsonObject {
  return { metadata: { name, namespace: 'shop', resourceVersion }, spec };
}

const GATEWAY_API = 'gateway.networking.k8s.io';

test('nothing is told before everything has been listed, then all of it as one change', async t => {
  const it = new Cluster();
  it.lists.set('pods', [object('a'), object('b')]);
  it.lists.set('services', [object('web')]);
  it.refused.add('services');
  await it.start(t);
  t.same(it.changes, []);
  t.equal(it.started, false);
  t.match(it.source.waitingFor(), [/^Service: .*services is forbidden/]);
  await it.pass(10_000);
  t.match(it.logged.at(-1), /not ready: waiting for objects.*services is forbidden/);
  t.match(it.problems, [/^Service: cannot be followed.*give the controller list and watch/]);
  t.same([...new Set(it.watchErrors)], ['Service'], 'each failure is counted');
  it.refused.clear();
  await it.pass(30_000);
  t.same(it.changes, [['+Pod/shop/a', '+Pod/shop/b', '+Service/shop/web']]);
  t.ok(it.started);
  t.same(it.source.waitingFor(), []);
});

test('an API server that is away at the start is waited for', async t => {
  const it = new Cluster();
  const { answer } = it.api;
  it.api.answer = () => {
    throw new Error('ECONNREFUSED');
  };
  await it.start(t);
  t.match(it.source.waitingFor(), [/^API server: ECONNREFUSED/]);
  t.ok(it.watchErrors.includes('CustomResourceDefinition'));
  it.api.answer = answer;
  await it.pass(60_000);
  t.ok(it.started);
});

test('what arrives in one turn is one change', async t => {
  const it = new Cluster();
  await it.start(t);
  it.changes.length = 0;
  it.watchOf('pods')?.send({ type: 'ADDED', object: object('a', '2') });
  it.watchOf('services')?.send({ type: 'ADDED', object: object('web', '3') });
  it.watchOf('pods')?.send({ type: 'ADDED', object: object('b', '4') });
  t.same(it.changes, []);
  await it.pass(0);
  t.same(it.changes, [['+Pod/shop/a', '+Service/shop/web', '+Pod/shop/b']]);
});

test('kinds are picked up when their CRD is installed, and dropped when it goes', async t => {
  const it = new Cluster();
  await it.start(t);
  it.changes.length = 0;
  it.groups.set(GATEWAY_API, new Map([['v1', ['HTTPRoute']]]));
  it.lists.set('httproutes', [object('canary')]);
  it.watchOf('customresourcedefinitions')?.send({
    type: 'ADDED',
    object: { metadata: { name: 'httproutes.gateway.networking.k8s.io', resourceVersion: '5' } },
  });
  await it.pass(100);
  t.same(it.changes, [['+HTTPRoute/shop/canary']], 'a tenth of a second after the CRD');
  it.groups.delete(GATEWAY_API);
  await it.pass(1000);
  t.equal(it.changes.length, 1, 'missed once is not believed');
  await it.pass(5000);
  t.same(it.changes[1], ['-HTTPRoute/shop/canary']);
  t.match(it.logged.at(-1), /no longer served.*HTTPRoute/);
});

test('a CRD of which nobody told is found within a minute', async t => {
  const it = new Cluster();
  it.refused.add('customresourcedefinitions');
  await it.start(t);
  it.changes.length = 0;
  it.groups.set('security.istio.io', new Map([['v1', ['AuthorizationPolicy']]]));
  it.lists.set('authorizationpolicys', [object('deny')]);
  await it.pass(60_000);
  t.same(it.changes, [['+AuthorizationPolicy/shop/deny']]);
});

test('the best version is followed, and a better one taken without a gap', async t => {
  const it = new Cluster();
  it.groups.set(GATEWAY_API, new Map([['v1beta1', ['HTTPRoute']]]));
  it.lists.set('httproutes', [object('a'), object('b')]);
  await it.start(t);
  it.changes.length = 0;
  it.groups.set(
    GATEWAY_API,
    new Map([
      ['v1', ['HTTPRoute']],
      ['v1beta1', ['HTTPRoute']],
    ]),
  );
  it.lists.set('httproutes', [object('a', '9')]);
  await it.pass(60_000);
  t.match(it.watchOf('httproutes')?.request.path, /\/v1\/httproutes$/);
  t.same(it.changes, [['-HTTPRoute/shop/b', '+HTTPRoute/shop/a']]);
});

test('pods that are done, slices that repeat pods and statuses of nodes are not even asked for', async t => {
  const it = new Cluster();
  it.groups.set('discovery.k8s.io', new Map([['v1', ['EndpointSlice']]]));
  await it.start(t);
  const asked = (plural: string) => it.api.requests.find(({ path }) => path.endsWith(`/${plural}`));
  t.match(asked('pods')?.query?.['fieldSelector'], 'status.phase!=Succeeded,status.phase!=Failed');
  t.match(asked('endpointslices')?.query?.['labelSelector'], /managed-by!=endpointslice-controller/);
  t.match(asked('nodes')?.accept, /PartialObjectMetadataList/);
});

/** A cluster with BackendTLSPolicies, each with the names of its ConfigMaps. */
function withPolicies(policies: Readonly<Record<string, readonly string[]>>): Cluster {
  const it = new Cluster();
  it.groups.set(GATEWAY_API, new Map([['v1', ['BackendTLSPolicy']]]));
  it.lists.set(
    'backendtlspolicys',
    Object.entries(policies).map(([name, configMaps]) => tlsPolicy(name, '1', ...configMaps)),
  );
  return it;
}

function tlsPolicy(name: string, resourceVersion: string, ...configMaps: readonly string[]): JsonObject {
  const caCertificateRefs = configMaps.map(ca => ({ group: '', kind: 'ConfigMap', name: ca }));
  return object(name, resourceVersion, { validation: { caCertificateRefs } });
}

function configMap(name: string, resourceVersion = '1'): JsonObject {
  return {
    metadata: { name, namespace: 'shop', resourceVersion },
    data: { 'ca.crt': `${name} ${resourceVersion}` },
  };
}

/** Path and selector of each watch of a ConfigMap that is open. */
function followed(it: Cluster): readonly string[] {
  return it.api.watches
    .filter(({ request }) => request.path.includes('/configmaps') && request.signal?.aborted !== true)
    .map(({ request }) => `${request.path} ${request.query?.['fieldSelector'] ?? ''}`);
}

test('a ConfigMap is asked for by name while a policy refers to it, and comes before the policy', async t => {
  const it = withPolicies({ a: ['ca'], b: ['ca', 'istio'] });
  it.named.set('shop metadata.name=ca', configMap('ca'));
  await it.start(t);
  t.same(it.changes, [['+ConfigMap/shop/ca', '+BackendTLSPolicy/shop/a', '+BackendTLSPolicy/shop/b']]);
  t.same(
    followed(it),
    ['/api/v1/namespaces/shop/configmaps metadata.name=ca'],
    'once, and nothing of all the others',
  );
  t.equal(it.source.counts().get('BackendTLSPolicy'), 2);
  it.changes.length = 0;
  it.api.watches.at(-1)?.send({ type: 'MODIFIED', object: configMap('ca', '7') });
  await it.pass(0);
  t.same(it.changes, [['+ConfigMap/shop/ca']], 'a change of it comes');
  it.watchOf('backendtlspolicys')?.send({ type: 'DELETED', object: tlsPolicy('a', '8', 'ca') });
  await it.pass(0);
  t.same(it.changes[1], ['-BackendTLSPolicy/shop/a'], 'another one refers to it still');
  it.watchOf('backendtlspolicys')?.send({ type: 'MODIFIED', object: tlsPolicy('b', '9') });
  await it.pass(0);
  t.same(it.changes[2], ['-ConfigMap/shop/ca', '+BackendTLSPolicy/shop/b']);
  t.same(followed(it), []);
});

test('a policy that names another ConfigMap is told of when that has come, and the one before goes then', async t => {
  const it = withPolicies({ a: ['old'] });
  it.named.set('shop metadata.name=old', configMap('old'));
  it.named.set('shop metadata.name=new', configMap('new'));
  await it.start(t);
  it.changes.length = 0;
  it.watchOf('backendtlspolicys')?.send({ type: 'MODIFIED', object: tlsPolicy('a', '2', 'new') });
  await it.pass(0);
  t.same(it.changes, [['-ConfigMap/shop/old', '+ConfigMap/shop/new', '+BackendTLSPolicy/shop/a']]);
  it.changes.length = 0;
  it.watchOf('backendtlspolicys')?.send({ type: 'MODIFIED', object: tlsPolicy('a', '3', 'missing') });
  await it.pass(0);
  t.same(
    it.changes,
    [['-ConfigMap/shop/new', '+BackendTLSPolicy/shop/a']],
    'one that is not there is not waited for',
  );
});

test('a ConfigMap that may not be read holds nobody up, and comes when it may be', async t => {
  const it = withPolicies({ a: ['ca'] });
  it.refused.add('configmaps');
  it.named.set('shop metadata.name=ca', configMap('ca'));
  await it.start(t);
  t.same(it.changes, [['+BackendTLSPolicy/shop/a']]);
  t.ok(it.watchErrors.includes('ConfigMap'));
  await it.pass(5_000);
  t.match(it.problems, [/^ConfigMap shop\/ca: cannot be followed: .*give the controller list and watch/]);
  it.refused.clear();
  await it.pass(30_000);
  t.same(it.changes[1], ['+ConfigMap/shop/ca']);
});

test('a start waits for ConfigMaps that policies refer to', async t => {
  const it = withPolicies({ a: ['ca'] });
  const { answer } = it.api;
  it.api.answer = request => {
    if (request.path.endsWith('/configmaps')) throw new Error('ECONNRESET');
    return answer(request);
  };
  await it.start(t);
  t.same([it.changes, it.source.waitingFor()], [[], ['ConfigMap shop/ca: ECONNRESET']]);
  it.api.answer = answer;
  await it.pass(30_000);
  t.same(it.changes, [['+BackendTLSPolicy/shop/a']]);
});
