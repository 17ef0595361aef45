import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { createTokenReviewer } from './token-review.ts';

const NEVER = new AbortController().signal;

function user(name: string, claims: Record<string, string> = {}): JsonObject {
  const extra: Record<string, readonly string[]> = {};
  for (const [key, value] of Object.entries(claims)) extra[`authentication.kubernetes.io/${key}`] = [value];
  return {
    authenticated: true,
    audiences: ['istio-ca'],
    user: { username: `system:serviceaccount:${name}`, extra },
  };
}

function reviewer(status: JsonObject | undefined, pod?: JsonObject) {
  const clock = new FakeClock();
  const api = new FakeKubeApi(({ path }) => {
    if (path.endsWith('/tokenreviews')) return { status };
    if (pod === undefined) throw new KubeError(404, 'NotFound', 'no pod');
    return pod;
  });
  const tokens = createTokenReviewer({
    api,
    clock,
    trustDomain: parseTrustDomain('cluster.local'),
    audience: 'istio-ca',
    nodeAccounts: ['mesh/ztunnel'],
  });
  return { api, clock, authenticate: (token = 'token') => tokens.authenticate(token, NEVER) };
}

const ROWS: readonly {
  readonly sentence: string;
  readonly status: JsonObject | undefined;
  readonly pod?: JsonObject;
  readonly expected: object;
}[] = [
  {
    sentence: 'a workload is its service account',
    status: user('shop:orders', { 'node-name': 'n1' }),
    expected: {
      ok: true,
      caller: { kind: 'workload', identity: 'spiffe://cluster.local/ns/shop/sa/orders' },
    },
  },
  {
    sentence: 'a node proxy is on the node its token names',
    status: user('mesh:ztunnel', { 'node-name': 'n1', 'pod-name': 'z', 'pod-uid': 'u' }),
    expected: { ok: true, caller: { kind: 'node', node: 'n1' } },
  },
  {
    sentence: 'where the token names the pod alone, the pod is asked',
    status: user('mesh:ztunnel', { 'pod-name': 'z', 'pod-uid': 'u' }),
    pod: { metadata: { uid: 'u' }, spec: { nodeName: 'n2' } },
    expected: { ok: true, caller: { kind: 'node', node: 'n2' } },
  },
  {
    sentence: 'another pod of the same name is not the one the token was made for',
    status: user('mesh:ztunnel', { 'pod-name': 'z', 'pod-uid': 'u' }),
    pod: { metadata: { uid: 'other' }, spec: { nodeName: 'n2' } },
    expected: { ok: false, reason: /bound to no pod on a node/ },
  },
  {
    sentence: 'a pod that is gone proves no node',
    status: user('mesh:ztunnel', { 'pod-name': 'z', 'pod-uid': 'u' }),
    expected: { ok: false, reason: /bound to no pod on a node/ },
  },
  {
    sentence: 'a token of the node proxies’ account that is bound to nothing is worth nothing',
    status: user('mesh:ztunnel'),
    expected: { ok: false, reason: /use a projected token/ },
  },
  {
    sentence: 'an account of that name in another namespace is a workload',
    status: user('evil:ztunnel', { 'node-name': 'n1' }),
    expected: { ok: true, caller: { kind: 'workload' } },
  },
  {
    sentence: 'a token the API server refuses',
    status: { authenticated: false, error: 'token is expired' },
    expected: { ok: false, reason: 'token is expired' },
  },
  {
    sentence: 'a token for somebody else',
    status: { ...user('shop:orders'), audiences: ['vault'] },
    expected: { ok: false, reason: 'it is not for audience istio-ca' },
  },
  {
    sentence: 'a server that knows nothing of audiences',
    status: { ...user('shop:orders'), audiences: undefined },
    expected: { ok: false, reason: 'it is not for audience istio-ca' },
  },
  {
    sentence: 'a person',
    status: { authenticated: true, audiences: ['istio-ca'], user: { username: 'admin' } },
    expected: { ok: false, reason: /"admin" is no service account/ },
  },
  {
    sentence: 'a name with a slash, which would be another identity',
    status: user('shop/sa/x:orders'),
    expected: { ok: false, reason: /is no service account/ },
  },
  { sentence: 'no verdict', status: undefined, expected: { ok: false, reason: /no verdict/ } },
];

test('what a token proves', async t => {
  for (const { expected, pod, sentence, status } of ROWS) {
    t.match(await reviewer(status, pod).authenticate(), expected, sentence);
  }
});

test('the API server is asked for the audience, and once in ten seconds for a token that is good', async t => {
  const it = reviewer(user('shop:orders'));
  await it.authenticate();
  await it.authenticate();
  t.equal(it.api.requests.length, 1);
  t.match(it.api.requests[0], {
    method: 'POST',
    body: { spec: { token: 'token', audiences: ['istio-ca'] } },
  });
  await it.authenticate('another');
  t.equal(it.api.requests.length, 2);
  it.clock.advance(10_000);
  await it.authenticate();
  t.equal(it.api.requests.length, 3);
  const refused = reviewer({ authenticated: false });
  await refused.authenticate();
  await refused.authenticate();
  t.equal(refused.api.requests.length, 2, 'what is refused is asked again');
});

test('an API server that cannot be asked is no verdict', async t => {
  const it = reviewer(undefined);
  it.api.answer = () => {
    throw new Error('ECONNREFUSED');
  };
  await t.rejects(it.authenticate(), /ECONNREFUSED/);
});

test('strangers do not have the API server review any number of tokens at once', async t => {
  const it = reviewer({ authenticated: false });
  const all = Array.from({ length: 40 }, (_, i) => it.authenticate(`token ${i}`));
  t.equal(it.api.requests.length, 32, 'in one turn');
  t.equal((await Promise.all(all)).length, 40, 'each is told in the end');
  t.equal(it.api.requests.length, 40);
});
