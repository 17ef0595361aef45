import { test } from 'tap';
import { parseJson } from '../config/json.ts';
import type { PathNormalization } from '../route/path.ts';
import { ANY_HTTP_REQUEST } from './policy.ts';
import { mesh, noRoutes, policy, service, workload } from '../testing/topology.ts';
import { authzCheckRoute } from './check-route.ts';

const view = mesh({
  workloads: [
    workload('orders', { addresses: ['10.0.0.1'] }),
    workload('payments', { addresses: ['10.0.0.2'], authorizationPolicies: ['default/only-orders'] }),
  ],
  policies: [
    policy('only-orders', 'allow', [
      { principals: [{ kind: 'exact', value: 'cluster.local/ns/default/sa/orders' }] },
    ]),
  ],
});

async function check(query: string): Promise<{ status: number; body: unknown }> {
  const { status, body } = await authzCheckRoute(() => view).handle({
    method: 'GET',
    path: '/authz/check',
    query: new URLSearchParams(query),
  });
  return { status, body: status === 200 ? parseJson(body) : body };
}

const PAYMENTS = 'workload=Kubernetes//Pod/default/payments';

test('the answer names the policy that decided and all that apply', async t => {
  t.match(await check(`${PAYMENTS}&source=Kubernetes//Pod/default/orders&port=8080`), {
    status: 200,
    body: {
      allowed: true,
      policy: 'default/only-orders',
      rule: 0,
      policies: [{ name: 'default/only-orders', action: 'allow' }],
    },
  });
  t.match(await check(`${PAYMENTS}&source=spiffe://cluster.local/ns/default/sa/frontend`), {
    status: 200,
    body: { allowed: false, reason: /no ALLOW policy of default\/only-orders matched/ },
  });
  t.match(await check(PAYMENTS), { status: 200, body: { allowed: false, source: 'plaintext' } });
});

test('of a service whose paths are normalized as the mesh says', async t => {
  const shop = service('shop');
  const admin = [{ http: { ...ANY_HTTP_REQUEST, paths: [{ kind: 'exact', value: '/a' } as const] } }];
  const allowed = async (how: PathNormalization, path: string): Promise<unknown> => {
    const authorizationPolicies = [policy('a', 'allow', admin)];
    const routes = noRoutes(shop, { authorizationPolicies, pathNormalization: how });
    const route = authzCheckRoute(() => mesh({ services: [shop], routes: [routes] }));
    const query = `service=default/shop.default.svc.cluster.local&method=GET&path=${encodeURIComponent(path)}`;
    const asked = { method: 'GET', path: '/authz/check', query: new URLSearchParams(query) } as const;
    return parseJson((await route.handle(asked)).body);
  };
  t.match(await allowed('base', '//a'), { allowed: false });
  t.match(await allowed('merge_slashes', '//a?x=//'), { allowed: true });
  t.match(await allowed('merge_slashes', '/%2fa'), { allowed: false });
  t.match(await allowed('decode_and_merge_slashes', '/%2fa'), { allowed: true });
  t.match(await allowed('decode_and_merge_slashes', '/a%00'), { allowed: false });
});

test('of a service, with the server name of a TLS connection', async t => {
  const shop = service('shop');
  const serverNames = [{ kind: 'exact', value: 'a.example' }] as const;
  const routes = noRoutes(shop, { authorizationPolicies: [policy('named', 'allow', [{ serverNames }])] });
  const named = mesh({ services: [shop], routes: [routes] });
  const ask = async (query: string): Promise<unknown> => {
    const route = authzCheckRoute(() => named);
    const of = new URLSearchParams(`service=default/shop.default.svc.cluster.local&${query}`);
    return parseJson((await route.handle({ method: 'GET', path: '/authz/check', query: of })).body);
  };
  t.match(await ask('sni=A.example'), { allowed: true, policy: 'default/named' });
  t.match(await ask('sni=b.example'), { allowed: false });
  t.match(await ask(''), { allowed: false }, 'without it no TLS');
});

test('of a CONNECT, which has no path', async t => {
  const proxy = service('proxy');
  const allow = policy('all', 'allow', [
    { http: { ...ANY_HTTP_REQUEST, paths: [{ kind: 'prefix', value: '/' }] } },
  ]);
  const known = mesh({
    services: [proxy],
    routes: [noRoutes(proxy, { authorizationPolicies: [allow] })],
  });
  const ask = async (method: string): Promise<unknown> => {
    const query = new URLSearchParams(`service=default/proxy.default.svc.cluster.local&method=${method}`);
    const route = authzCheckRoute(() => known);
    return parseJson((await route.handle({ method: 'GET', path: '/authz/check', query })).body);
  };
  t.match(await ask('GET'), { allowed: true });
  t.match(await ask('CONNECT'), { allowed: false });
});

test('what the proxy does not know is said, not guessed', async t => {
  t.match(await check('workload=nope'), { status: 404, body: /"nope" is not known/ });
  t.match(await check('service=a/b'), { status: 404, body: /"a\/b" is not known/ });
  t.match(await check(`${PAYMENTS}&source=someone`), { status: 404, body: /neither a SPIFFE id nor/ });
  t.match(await check(`${PAYMENTS}&port=99999`), { status: 404, body: /not a port/ });
});
