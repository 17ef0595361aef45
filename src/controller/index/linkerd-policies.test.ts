import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import type { Decision } from '#shared/authz/decision.ts';
import { evaluate, evaluateDryRun } from '#shared/authz/evaluate.ts';
import type { AuthorizationPolicy } from '#shared/authz/policy.ts';
import { computeStatuses } from '../status/compute-statuses.ts';
import { formatDiagnostic } from '../translate/diagnostic.ts';
import { IndexLab, namespace, pod, policy, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';

interface Ask {
  readonly from?: string;
  readonly ip?: string;
  readonly port?: number;
}

const WEB = 'spiffe://td/ns/shop/sa/web';
const JOB = 'spiffe://td/ns/batch/sa/job';

function connection({ from, ip = '10.0.0.9', port = 8080 }: Ask): ReturnType<typeof authzConnection> {
  return authzConnection({
    sourceIdentity: from,
    sourceIp: ip,
    destinationIp: '10.0.0.1',
    destinationPort: port,
  });
}

/** What a ztunnel holds for a workload. */
function held(lab: IndexLab, workload: string): readonly AuthorizationPolicy[] {
  return (lab.workload(workload)?.authorizationPolicies ?? []).map(name => {
    const found = lab.policy(name);
    if (found === undefined) throw new Error(`nobody was told of ${name}`);
    return found;
  });
}

function atZtunnel(lab: IndexLab, ask: Ask, workload = 'payments'): Decision {
  return evaluate(compile(held(lab, workload)), connection(ask));
}

interface Request extends Ask {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: readonly string[];
}

/** What a waypoint holds for a service, whose ports it knows. */
function atWaypoint(lab: IndexLab, ask: Request, name = 'payments'): Decision {
  const { headers = [], host = 'payments', method = 'GET', path = '/', port = 80 } = ask;
  const policies = lab.routes(name)?.authorizationPolicies ?? [];
  return evaluate(compile(policies), connection({ ...ask, port }), {
    method,
    path,
    authority: host,
    headers,
  });
}

function object(
  kind: string,
  name: string,
  spec: string,
  options: { ns?: string; more?: string } = {},
): string {
  const { more = '', ns = 'shop' } = options;
  const version =
    { Server: 'v1beta3', ServerAuthorization: 'v1beta1', HTTPRoute: 'v1beta3' }[kind] ?? 'v1alpha1';
  return `
apiVersion: policy.linkerd.io/${version}
kind: ${kind}
metadata: {name: ${name}, namespace: ${ns}${more}}
spec: ${spec}`;
}

const server = (
  name = 'api',
  access = '',
  spec = 'podSelector: {matchLabels: {app: payments}}, port: web',
): string => object('Server', name, `{${spec}${access === '' ? '' : `, accessPolicy: ${access}`}}`);

const allow = (target: string, refs: string, name = 'allow'): string =>
  object('AuthorizationPolicy', name, `{targetRef: ${target}, requiredAuthenticationRefs: ${refs}}`);

const SERVER = '{group: policy.linkerd.io, kind: Server, name: api}';
const MTLS = '{group: policy.linkerd.io, kind: MeshTLSAuthentication, name: clients}';
const NET = '{group: policy.linkerd.io, kind: NetworkAuthentication, name: nets}';
const clients = (spec: string, ns = 'shop'): string =>
  object('MeshTLSAuthentication', 'clients', spec, { ns });
const nets = (spec: string): string => object('NetworkAuthentication', 'nets', `{networks: ${spec}}`);
const saz = (client: string, of = '{name: api}'): string =>
  object('ServerAuthorization', 'saz', `{server: ${of}, client: ${client}}`);

const BASE = [SHOP, pod('payments')];
const POD_OF_ALL = { ip: '10.0.0.9' };
const OUTSIDE = { ip: '203.0.113.7' };

const LINKERD = 'serviceaccount.identity.linkerd.td';

/** Sentence, objects, who asks, whether it is let in. */
const CONNECTIONS: readonly (readonly [string, readonly string[], Ask, boolean])[] = [
  ['without a Server all may come', [], {}, true],
  ['a Server without authorizations refuses all', [server()], { from: WEB }, false],
  ['and who is outside the mesh', [server()], {}, false],
  ['on its port alone', [server()], { from: WEB, port: 9000 }, true],
  ['by the number of the port', [server('api', '', 'podSelector: {}, port: 9000')], { port: 9000 }, false],
  [
    'of pods it selects alone',
    [server('api', '', 'podSelector: {matchLabels: {app: x}}, port: web')],
    {},
    true,
  ],
  [
    'of pods it selects by expressions',
    [
      server(
        'api',
        '',
        'podSelector: {matchExpressions: [{key: app, operator: In, values: [payments]}]}, port: web',
      ),
    ],
    {},
    false,
  ],
  [
    'of none that it does not',
    [server('api', '', 'podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}, port: web')],
    {},
    true,
  ],
  ['accessPolicy deny is the default', [server('api', 'deny')], { from: WEB }, false],
  ['all-unauthenticated lets in all', [server('api', 'all-unauthenticated')], OUTSIDE, true],
  ['audit lets in all', [server('api', 'audit')], OUTSIDE, true],
  [
    'all-authenticated lets in the mesh',
    [server('api', 'all-authenticated')],
    { from: WEB, ...OUTSIDE },
    true,
  ],
  ['all-authenticated refuses others', [server('api', 'all-authenticated')], POD_OF_ALL, false],
  [
    'cluster-unauthenticated lets in the cluster',
    [server('api', 'cluster-unauthenticated')],
    POD_OF_ALL,
    true,
  ],
  [
    'cluster-unauthenticated refuses others',
    [server('api', 'cluster-unauthenticated')],
    { from: WEB, ...OUTSIDE },
    false,
  ],
  ['cluster-authenticated wants both', [server('api', 'cluster-authenticated')], { from: WEB }, true],
  ['cluster-authenticated, without identity', [server('api', 'cluster-authenticated')], {}, false],
  [
    'cluster-authenticated, from elsewhere',
    [server('api', 'cluster-authenticated')],
    { from: WEB, ...OUTSIDE },
    false,
  ],

  [
    'an account that is named may come',
    [server(), allow(SERVER, '[{kind: ServiceAccount, name: web}]')],
    { from: WEB },
    true,
  ],
  ['others may not', [server(), allow(SERVER, '[{kind: ServiceAccount, name: web}]')], { from: JOB }, false],
  [
    'an account of another namespace',
    [server(), allow(SERVER, '[{group: core, kind: ServiceAccount, name: job, namespace: batch}]')],
    { from: JOB },
    true,
  ],
  ['an empty list of authentications lets in everybody', [server(), allow(SERVER, '[]')], OUTSIDE, true],
  [
    'a policy for another Server lets in nobody',
    [server(), allow(SERVER.replace('api', 'other'), '[]')],
    { from: WEB },
    false,
  ],
  [
    'a policy for the namespace is for all its Servers',
    [server(), allow('{kind: Namespace, name: shop}', '[]')],
    {},
    true,
  ],
  [
    'several policies: one is enough',
    [
      server(),
      allow(SERVER, '[{kind: ServiceAccount, name: web}]', 'a'),
      allow(SERVER, '[{kind: ServiceAccount, name: job, namespace: batch}]', 'b'),
    ],
    { from: JOB },
    true,
  ],
  [
    'who is let in beside accessPolicy',
    [server('api', 'cluster-unauthenticated'), allow(SERVER, '[{kind: ServiceAccount, name: web}]')],
    { from: WEB, ...OUTSIDE },
    true,
  ],

  [
    'identities: *',
    [server(), allow(SERVER, `[${MTLS}]`), clients('{identities: ["*"]}')],
    { from: JOB },
    true,
  ],
  [
    'identities: *, without one',
    [server(), allow(SERVER, `[${MTLS}]`), clients('{identities: ["*"]}')],
    {},
    false,
  ],
  [
    'identities: one',
    [server(), allow(SERVER, `[${MTLS}]`), clients(`{identities: [web.shop.${LINKERD}]}`)],
    { from: WEB },
    true,
  ],
  [
    'identities: another',
    [server(), allow(SERVER, `[${MTLS}]`), clients(`{identities: [web.shop.${LINKERD}]}`)],
    { from: JOB },
    false,
  ],
  [
    'identities of a namespace',
    [server(), allow(SERVER, `[${MTLS}]`), clients(`{identities: ["*.batch.${LINKERD}"]}`)],
    { from: JOB },
    true,
  ],
  [
    'identities of another namespace',
    [server(), allow(SERVER, `[${MTLS}]`), clients(`{identities: ["*.batch.${LINKERD}"]}`)],
    { from: WEB },
    false,
  ],
  [
    'identities that nobody here can have let in nobody',
    [server(), allow(SERVER, `[${MTLS}]`), clients('{identities: [web.example.com]}')],
    { from: WEB },
    false,
  ],
  [
    'identities of another trust domain let in none of ours',
    [
      server(),
      allow(SERVER, `[${MTLS}]`),
      clients('{identities: ["*.serviceaccount.identity.linkerd.other"]}'),
    ],
    { from: WEB },
    false,
  ],
  [
    'and its own',
    [
      server(),
      allow(SERVER, `[${MTLS}]`),
      clients('{identities: ["*.serviceaccount.identity.linkerd.other"]}'),
    ],
    { from: 'spiffe://other/ns/a/sa/b' },
    true,
  ],
  [
    'identityRefs of a namespace',
    [server(), allow(SERVER, `[${MTLS}]`), clients('{identityRefs: [{kind: Namespace, name: batch}]}')],
    { from: JOB },
    true,
  ],
  [
    'identityRefs of an account',
    [server(), allow(SERVER, `[${MTLS}]`), clients('{identityRefs: [{kind: ServiceAccount, name: web}]}')],
    { from: JOB },
    false,
  ],
  [
    'a MeshTLSAuthentication that is missing lets in nobody',
    [server(), allow(SERVER, `[${MTLS}]`)],
    { from: WEB },
    false,
  ],
  [
    'one of another namespace, where that is said',
    [
      server(),
      allow(SERVER, `[${MTLS.replace('}', ', namespace: batch}')}]`),
      clients('{identities: ["*"]}', 'batch'),
    ],
    { from: WEB },
    true,
  ],
  [
    'and not where it is not',
    [server(), allow(SERVER, `[${MTLS}]`), clients('{identities: ["*"]}', 'batch')],
    { from: WEB },
    false,
  ],

  ['networks: inside', [server(), allow(SERVER, `[${NET}]`), nets('[{cidr: 10.0.0.0/24}]')], {}, true],
  ['networks: outside', [server(), allow(SERVER, `[${NET}]`), nets('[{cidr: 10.0.0.0/24}]')], OUTSIDE, false],
  ['a single address', [server(), allow(SERVER, `[${NET}]`), nets('[{cidr: 10.0.0.9}]')], {}, true],
  [
    'except',
    [server(), allow(SERVER, `[${NET}]`), nets('[{cidr: 10.0.0.0/8, except: [10.0.0.8/29]}]')],
    {},
    false,
  ],
  [
    'beside what is excepted',
    [server(), allow(SERVER, `[${NET}]`), nets('[{cidr: 10.0.0.0/8, except: [10.0.0.8/29]}]')],
    { ip: '10.0.0.16' },
    true,
  ],
  [
    'what one network excepts another may hold',
    [
      server(),
      allow(SERVER, `[${NET}]`),
      nets('[{cidr: 10.0.0.0/8, except: [10.0.0.8/29]}, {cidr: 10.0.0.9/32}, {cidr: fd00::/8}]'),
    ],
    {},
    true,
  ],
  [
    'two networks that except: in neither',
    [
      server(),
      allow(SERVER, `[${NET}]`),
      nets('[{cidr: 10.0.0.0/8, except: [10.0.0.9]}, {cidr: 10.0.0.0/16, except: [10.0.0.0/24]}]'),
    ],
    {},
    false,
  ],
  [
    'all required authentications must hold',
    [
      server(),
      allow(SERVER, `[${MTLS}, ${NET}]`),
      clients('{identities: ["*"]}'),
      nets('[{cidr: 10.0.0.0/24}]'),
    ],
    { from: WEB },
    true,
  ],
  [
    'not the network alone',
    [
      server(),
      allow(SERVER, `[${MTLS}, ${NET}]`),
      clients('{identities: ["*"]}'),
      nets('[{cidr: 10.0.0.0/24}]'),
    ],
    {},
    false,
  ],
  [
    'nor the identity alone',
    [
      server(),
      allow(SERVER, `[${MTLS}, ${NET}]`),
      clients('{identities: ["*"]}'),
      nets('[{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]'),
    ],
    { from: WEB, ip: '10.1.0.1' },
    false,
  ],

  [
    'ServerAuthorization: an account',
    [server(), saz('{meshTLS: {serviceAccounts: [{name: web}]}}')],
    { from: WEB },
    true,
  ],
  [
    'ServerAuthorization: others',
    [server(), saz('{meshTLS: {serviceAccounts: [{name: web}]}}')],
    { from: JOB },
    false,
  ],
  [
    'ServerAuthorization: without networks it is for the cluster',
    [server(), saz('{meshTLS: {identities: ["*"]}}')],
    { from: WEB, ...OUTSIDE },
    false,
  ],
  ['ServerAuthorization: unauthenticated', [server(), saz('{unauthenticated: true}')], {}, true],
  [
    'ServerAuthorization: unauthenticated, of networks',
    [server(), saz('{unauthenticated: true, networks: [{cidr: 203.0.113.0/24}]}')],
    OUTSIDE,
    true,
  ],
  [
    'ServerAuthorization: any TLS is any identity',
    [server(), saz('{meshTLS: {unauthenticatedTLS: true}}')],
    { from: JOB },
    true,
  ],
  [
    'ServerAuthorization: any TLS is not none',
    [server(), saz('{meshTLS: {unauthenticatedTLS: true}}')],
    {},
    false,
  ],
  [
    'ServerAuthorization: by labels of Servers',
    [
      object('Server', 'api', '{podSelector: {}, port: web}', { more: ', labels: {tier: front}' }),
      saz('{unauthenticated: true}', '{selector: {matchLabels: {tier: front}}}'),
    ],
    {},
    true,
  ],
  [
    'ServerAuthorization: by other labels',
    [
      object('Server', 'api', '{podSelector: {}, port: web}'),
      saz('{unauthenticated: true}', '{selector: {matchLabels: {tier: front}}}'),
    ],
    {},
    false,
  ],

  [
    'of two Servers for one port the oldest decides',
    [
      object('Server', 'a', '{podSelector: {}, port: web}', {
        more: ', creationTimestamp: "2026-02-01T00:00:00Z"',
      }),
      object('Server', 'b', '{podSelector: {}, port: 8080, accessPolicy: all-unauthenticated}', {
        more: ', creationTimestamp: "2026-01-01T00:00:00Z"',
      }),
    ],
    {},
    true,
  ],
  [
    'a policy of Istio refuses beside a Server that lets in',
    [server('api', 'all-unauthenticated'), policy('none', '{selector: {matchLabels: {app: payments}}}')],
    { from: WEB },
    false,
  ],
  [
    'and one that lets in opens no Server',
    [server(), policy('all', '{selector: {matchLabels: {app: payments}}, rules: [{}]}')],
    { from: WEB },
    false,
  ],

  [
    'a Server that was never good refuses all but whom policies name',
    [server('api', 'dent')],
    { from: WEB },
    false,
  ],
  [
    'and lets those in',
    [server('api', 'dent'), allow(SERVER, '[{kind: ServiceAccount, name: web}]')],
    { from: WEB },
    true,
  ],
  [
    'where it is not certain which pods are meant, none are',
    [server('api', '', 'podSelectr: {}, port: web')],
    { from: WEB },
    true,
  ],
  [
    'a policy that was never good lets in nobody',
    [server(), allow(SERVER, '[{kind: ServiceAcount, name: web}]')],
    { from: WEB },
    false,
  ],
];

test('who may come to a pod, at its ztunnel', async t => {
  for (const [sentence, objects, ask, allowed] of CONNECTIONS) {
    const lab = new IndexLab(...BASE, ...objects);
    t.equal(atZtunnel(lab, ask).allowed, allowed, sentence);
  }
});

test('what a waypoint holds is the same, for the ports of its Service', async t => {
  const mesh = [SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}'), WAYPOINT];
  const base = [...mesh, service('waypoint', { ports: '[{name: mesh, port: 15008}]' }), pod('payments')];
  const ports = '[{name: http, port: 80, targetPort: web}, {name: admin, port: 81, targetPort: 9000}]';
  const toServicePort = new Map([
    [8080, 80],
    [9000, 81],
  ]);
  for (const [sentence, objects, ask, allowed] of CONNECTIONS) {
    const lab = new IndexLab(...base, service('payments', { ports }), ...objects);
    const port = toServicePort.get(ask.port ?? 8080) ?? 0;
    t.equal(atWaypoint(lab, { ...ask, port }).allowed, allowed, sentence);
    const waypoint = 'spiffe://td/ns/shop/sa/waypoint';
    t.equal(atZtunnel(lab, { ...ask, from: waypoint, ip: '10.0.0.7' }).allowed, true, `${sentence}: past it`);
  }
});

const PARENT = '{group: policy.linkerd.io, kind: Server, name: api}';
const route = (name: string, rules: string, more = ''): string =>
  object('HTTPRoute', name, `{parentRefs: [${PARENT}], rules: ${rules}${more}}`);
const gatewayRoute = (name: string, rules: string, kind = 'HTTPRoute'): string =>
  route(name, rules)
    .replace('policy.linkerd.io/v1beta3', 'gateway.networking.k8s.io/v1')
    .replace('kind: HTTPRoute', `kind: ${kind}`);
const toRoute = (name: string, account: string, group = 'policy.linkerd.io', kind = 'HTTPRoute'): string =>
  allow(
    `{group: ${group}, kind: ${kind}, name: ${name}}`,
    `[{kind: ServiceAccount, name: ${account}}]`,
    `to-${name}`,
  );

const QUERY = '[{matches: [{queryParams: [{name: a, value: b}]}]}]';
const GETS = '[{matches: [{method: GET, path: {value: /orders}}]}]';
const CALLS = [
  server('api', '', 'podSelector: {}, port: web, proxyProtocol: gRPC'),
  gatewayRoute('calls', '[{matches: [{method: {service: shop.Orders, method: Get}}]}]', 'GRPCRoute'),
  toRoute('calls', 'web', 'gateway.networking.k8s.io', 'GRPCRoute'),
];
const ADMIN = '[{matches: [{path: {type: Exact, value: /orders/admin}}]}]';
const ORDERS = [server(), route('gets', GETS), toRoute('gets', 'web')];
const BOTH = [...ORDERS, route('admin', ADMIN), toRoute('admin', 'root')];
const ROOT = 'spiffe://td/ns/shop/sa/root';
const SERVER_FOR_ROOT = allow(SERVER, '[{kind: ServiceAccount, name: root}]', 'server');

/** Sentence, objects, request, whether it is let in. */
const REQUESTS: readonly (readonly [string, readonly string[], Request, boolean])[] = [
  ['who may do what a route is for', ORDERS, { from: WEB, path: '/orders/1' }, true],
  ['another may not', ORDERS, { from: ROOT, path: '/orders/1' }, false],
  [
    'another method is of no route, and refused',
    ORDERS,
    { from: WEB, path: '/orders/1', method: 'POST' },
    false,
  ],
  ['another path too', ORDERS, { from: WEB, path: '/ordersx' }, false],
  ['the path itself', ORDERS, { from: WEB, path: '/orders?x=1' }, true],
  ['past the path', ORDERS, { from: WEB, path: '/orders/../secret' }, false],
  ['of two routes the more exact decides', BOTH, { from: WEB, path: '/orders/admin' }, false],
  ['and lets in whom it names', BOTH, { from: ROOT, path: '/orders/admin' }, true],
  ['and not by the other', BOTH, { from: ROOT, path: '/orders/1' }, false],
  [
    'who may come to the Server may do what its routes are for',
    [...ORDERS, SERVER_FOR_ROOT],
    { from: ROOT, path: '/orders' },
    true,
  ],
  ['and no more', [...ORDERS, SERVER_FOR_ROOT], { from: ROOT, path: '/else' }, false],
  [
    'nor may everybody',
    [server('api', 'all-unauthenticated'), route('gets', GETS)],
    { path: '/else' },
    false,
  ],
  [
    'as far as the routes go they may',
    [server('api', 'all-unauthenticated'), route('gets', GETS)],
    { path: '/orders' },
    true,
  ],
  [
    'audit lets in, as far as routes go',
    [server('api', 'audit'), route('gets', GETS)],
    { path: '/orders' },
    true,
  ],
  ['audit, of no route', [server('api', 'audit'), route('gets', GETS)], { path: '/else' }, false],
  [
    'a route of Gateway API',
    [server(), gatewayRoute('gets', GETS), toRoute('gets', 'web', 'gateway.networking.k8s.io')],
    { from: WEB, path: '/orders' },
    true,
  ],
  [
    'is not the one of Linkerd with its name',
    [server(), gatewayRoute('gets', GETS), toRoute('gets', 'web')],
    { from: WEB, path: '/orders' },
    false,
  ],
  [
    'a route for every request',
    [server(), route('all', '[{}]'), toRoute('all', 'web')],
    { from: WEB, path: '/x', method: 'POST' },
    true,
  ],
  [
    'a route without rules is for none',
    [server(), route('none', '[]'), toRoute('none', 'web')],
    { from: WEB },
    false,
  ],
  [
    'headers',
    [server(), route('h', '[{matches: [{headers: [{name: X-Team, value: a}]}]}]'), toRoute('h', 'web')],
    { from: WEB, headers: ['x-team', 'a'] },
    true,
  ],
  [
    'other headers',
    [server(), route('h', '[{matches: [{headers: [{name: X-Team, value: a}]}]}]'), toRoute('h', 'web')],
    { from: WEB, headers: ['x-team', 'b'] },
    false,
  ],
  [
    'a pattern',
    [
      server(),
      route('p', '[{matches: [{path: {type: RegularExpression, value: "/v[0-9]+/.*"}}]}]'),
      toRoute('p', 'web'),
    ],
    { from: WEB, path: '/v2/x' },
    true,
  ],
  [
    'hosts',
    [server(), route('h', '[{}]', ', hostnames: ["*.example.com"]'), toRoute('h', 'web')],
    { from: WEB, host: 'a.example.com:80' },
    true,
  ],
  [
    'other hosts',
    [server(), route('h', '[{}]', ', hostnames: ["*.example.com"]'), toRoute('h', 'web')],
    { from: WEB, host: 'example.com' },
    false,
  ],
  [
    'the longer host goes before the longer path',
    [
      server(),
      route('h', '[{}]', ', hostnames: [a.example.com]'),
      route('p', '[{matches: [{path: {value: /long/path}}]}]', ', hostnames: ["*.com"]'),
      toRoute('h', 'web'),
      toRoute('p', 'root'),
    ],
    { from: ROOT, host: 'a.example.com', path: '/long/path' },
    false,
  ],
  [
    'a parameter of the query',
    [server(), route('q', QUERY), toRoute('q', 'web')],
    { from: WEB, path: '/x?z=1&a=b' },
    true,
  ],
  [
    'another value of it',
    [server(), route('q', QUERY), toRoute('q', 'web')],
    { from: WEB, path: '/x?a=c' },
    false,
  ],
  ['none', [server(), route('q', QUERY), toRoute('q', 'web')], { from: WEB, path: '/x' }, false],
  [
    'an account of another route with it',
    [server(), route('q', QUERY), route('all', '[{}]'), toRoute('q', 'root'), toRoute('all', 'web')],
    { from: WEB, path: '/?a=b' },
    false,
  ],
  [
    'and without it',
    [server(), route('q', QUERY), route('all', '[{}]'), toRoute('q', 'root'), toRoute('all', 'web')],
    { from: WEB, path: '/?a=c' },
    true,
  ],
  [
    'a parameter with two values wants both: it is not known which one the server takes',
    [server(), route('q', QUERY), route('all', '[{}]'), toRoute('q', 'root'), toRoute('all', 'web')],
    { from: WEB, path: '/?a=c&a=b' },
    false,
  ],
  [
    'whichever way round',
    [server(), route('q', QUERY), route('all', '[{}]'), toRoute('q', 'web'), toRoute('all', 'root')],
    { from: WEB, path: '/?a=b&a=c' },
    false,
  ],
  [
    'by a pattern',
    [
      server(),
      route('q', '[{matches: [{queryParams: [{name: a, type: RegularExpression, value: "[0-9]+"}]}]}]'),
      toRoute('q', 'web'),
    ],
    { from: WEB, path: '/?a=42' },
    true,
  ],
  [
    'a route that was never good is of no requests, and not as if there were none',
    [server('api', 'all-unauthenticated'), route('bad', '[{match: []}]')],
    { path: '/' },
    false,
  ],
  ['a call', CALLS, { from: WEB, method: 'POST', path: '/shop.Orders/Get' }, true],
  ['another call', CALLS, { from: WEB, method: 'POST', path: '/shop.Orders/Delete' }, false],
  [
    'a Server of opaque bytes has no routes',
    [
      server('api', '', 'podSelector: {}, port: web, proxyProtocol: opaque'),
      route('gets', GETS),
      allow(SERVER, '[{kind: ServiceAccount, name: web}]', 'server'),
    ],
    { from: WEB, path: '/else' },
    true,
  ],
  [
    'more matches than can be compared let in nobody',
    [server(), route('many', `[${'{matches: [{path: {value: /a}}]}, '.repeat(65)}]`), toRoute('many', 'web')],
    { from: WEB, path: '/a' },
    false,
  ],
];

const SERVED = [
  SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}'),
  WAYPOINT,
  service('waypoint', { ports: '[{name: mesh, port: 15008}]' }),
  pod('payments'),
  service('payments'),
];

test('who may ask for what, at a waypoint', async t => {
  for (const [sentence, objects, request, allowed] of REQUESTS) {
    const lab = new IndexLab(...SERVED, ...objects);
    t.equal(atWaypoint(lab, request).allowed, allowed, sentence);
  }
});

test('a ztunnel, which sees no requests, refuses what depends on them', async t => {
  const lab = new IndexLab(...BASE, ...ORDERS, SERVER_FOR_ROOT);
  t.equal(atZtunnel(lab, { from: WEB }).allowed, false);
  t.equal(atZtunnel(lab, { from: ROOT }).allowed, false);
  const every = new IndexLab(...BASE, server(), route('all', '[{}]'), toRoute('all', 'web'));
  t.equal(atZtunnel(every, { from: WEB }).allowed, true, 'a route for every request depends on none');
  t.equal(atZtunnel(every, { from: ROOT }).allowed, false);
});

test('routes that come and go change what their Server lets in', async t => {
  const lab = new IndexLab(...SERVED, server('api', 'all-unauthenticated'));
  const mayAsk = (): boolean => atWaypoint(lab, { path: '/else' }).allowed;
  t.equal(mayAsk(), true);
  lab.apply(route('gets', GETS));
  t.equal(mayAsk(), false);
  lab.apply(route('gets', GETS).replace(PARENT, '{group: "", kind: Service, name: payments}'));
  t.equal(mayAsk(), true, 'a route that is for the Service now');
  lab.apply(route('gets', GETS));
  lab.remove(route('gets', GETS));
  t.equal(mayAsk(), true);
});

const DEFAULT = 'config.linkerd.io/default-inbound-policy';
const annotated = (value: string): string =>
  pod('payments', {
    annotations: `{ambient.istio.io/redirection: enabled, ${DEFAULT}: ${value}}`,
  });
const shop = (value: string): string =>
  `apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {${DEFAULT}: ${value}}}`;

const identity = (ports: string): string =>
  shop('audit').replace(
    `${DEFAULT}: audit`,
    `config.linkerd.io/proxy-require-identity-inbound-ports: ${ports}`,
  );

const DEFAULTS: readonly (readonly [string, readonly string[], Ask, boolean])[] = [
  ['of a pod', [SHOP, annotated('deny')], { from: WEB }, false],
  ['of its namespace', [shop('deny'), pod('payments')], { from: WEB }, false],
  ['that of the pod goes before', [shop('deny'), annotated('all-unauthenticated')], {}, true],
  ['all-authenticated', [shop('all-authenticated'), pod('payments')], { from: JOB }, true],
  ['all-authenticated, without identity', [shop('all-authenticated'), pod('payments')], {}, false],
  ['cluster-authenticated', [shop('cluster-authenticated'), pod('payments')], { from: JOB }, true],
  [
    'cluster-authenticated, from elsewhere',
    [shop('cluster-authenticated'), pod('payments')],
    { from: JOB, ...OUTSIDE },
    false,
  ],
  ['cluster-unauthenticated', [shop('cluster-unauthenticated'), pod('payments')], {}, true],
  ['audit lets in all', [shop('audit'), pod('payments')], OUTSIDE, true],
  [
    'of what is none of its values it is deny',
    [shop('all-authentcated'), pod('payments')],
    { from: WEB },
    false,
  ],
  ['ports that want an identity', [identity('"8000-8100,9000"'), pod('payments')], {}, false],
  ['with one', [identity('"8000-8100,9000"'), pod('payments')], { from: JOB }, true],
  ['by name', [identity('web'), pod('payments')], {}, false],
  ['and others do not', [identity('"8000-8100"'), pod('payments')], { port: 9000 }, true],
  ['what is no port asks for it everywhere', [identity('8080..9000'), pod('payments')], { port: 1 }, false],
  ['more than a list can say too', [identity('1-9999'), pod('payments')], { port: 12_345 }, false],
  [
    'an identity beside a policy that asks for none',
    [identity(`"8080", ${DEFAULT}: cluster-unauthenticated`), pod('payments')],
    {},
    false,
  ],
  [
    'of a port with a Server that decides alone',
    [identity('"8080"'), pod('payments'), server('api', 'all-unauthenticated')],
    {},
    true,
  ],
  [
    'ports of a Server are its own',
    [shop('deny'), pod('payments'), server('api', 'all-unauthenticated')],
    {},
    true,
  ],
  [
    'and the others are not',
    [shop('deny'), pod('payments'), server('api', 'all-unauthenticated')],
    { port: 9000, from: WEB },
    false,
  ],
];

test('default-inbound-policy: who may come to ports without a Server', async t => {
  for (const [sentence, objects, ask, allowed] of DEFAULTS)
    t.equal(atZtunnel(new IndexLab(...objects), ask).allowed, allowed, sentence);
  const lab = new IndexLab(
    namespace('shop', `{istio.io/use-waypoint: waypoint}, annotations: {${DEFAULT}: all-authenticated}`),
    WAYPOINT,
    service('waypoint', { ports: '[{name: mesh, port: 15008}]' }),
    pod('payments'),
    service('payments'),
  );
  t.equal(atWaypoint(lab, {}).allowed, false, 'a waypoint holds it for its Service');
  t.equal(atWaypoint(lab, { from: WEB }).allowed, true);
});

test('a refusal names what refused', async t => {
  const lab = new IndexLab(shop('deny'), pod('payments'), server());
  t.same(
    held(lab, 'payments').map(({ name }) => name),
    ['default-inbound-policy_deny_but_8080', 'server_api_8080'],
  );
  t.equal(
    atZtunnel(lab, {}).reason,
    'denied by shop/server_api_8080 rule 0: no authorization of Linkerd for Server api, or for a route of it, lets the source in',
  );
  t.equal(
    atZtunnel(lab, { port: 1 }).reason,
    "denied by shop/default-inbound-policy_deny_but_8080 rule 0: no Server selects the port, and by Linkerd's annotations of the pod or its namespace it is deny",
  );
});

test('audit: what would be refused is told, and let through', async t => {
  const lab = new IndexLab(
    ...BASE,
    server('api', 'audit'),
    allow(SERVER, '[{kind: ServiceAccount, name: web}]'),
  );
  const compiled = compile(held(lab, 'payments'));
  t.match(evaluateDryRun(compiled, connection({ from: JOB })), {
    allowed: false,
    policy: 'shop/server_api_8080_audit',
  });
  t.match(evaluateDryRun(compiled, connection({ from: WEB })), { allowed: true });
  t.match(evaluate(compiled, connection({ from: JOB })), { allowed: true });
});

test('a waypoint for workloads holds them for the ports of each', async t => {
  const mesh = [
    SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}'),
    WAYPOINT.replace('namespace: shop}', 'namespace: shop, labels: {istio.io/waypoint-for: all}}'),
  ];
  const other = pod('other', { labels: '{app: payments}' }).replace(
    'containerPort: 8080',
    'containerPort: 8081',
  );
  const lab = new IndexLab(
    ...mesh,
    service('waypoint', { ports: '[{name: mesh, port: 15008}]' }),
    pod('payments', { labels: '{app: payments}' }),
    other,
    server(),
    allow(SERVER, '[{kind: ServiceAccount, name: web}]'),
  );
  const asked = (name: string, ask: Ask): boolean => {
    const policies = lab.routesOf(`shop/c//Pod/shop/${name}`)?.authorizationPolicies;
    if (policies === undefined) throw new Error(`nothing is said of ${name}`);
    return evaluate(compile(policies), connection(ask)).allowed;
  };
  t.equal(asked('payments', { port: 8080 }), false);
  t.equal(asked('payments', { port: 8080, from: WEB }), true);
  t.equal(asked('payments', { port: 8081 }), true);
  t.equal(asked('other', { port: 8081 }), false, 'of a port of another number under the same name');
  t.equal(asked('other', { port: 8080 }), true);
});

test('policies follow what they are made of', async t => {
  const lab = new IndexLab(...BASE, server(), allow(SERVER, `[${MTLS}]`));
  const asWeb = (): boolean => atZtunnel(lab, { from: WEB }).allowed;
  t.equal(asWeb(), false);
  lab.apply(clients(`{identities: ["web.shop.${LINKERD}"]}`));
  t.equal(asWeb(), true, 'an authentication that came');
  lab.apply(clients('{identityRefs: [{kind: ServiceAcount, name: job}]}'));
  t.equal(asWeb(), true, 'of one that is wrong the last good version holds');
  lab.apply(clients('{identityRefs: [{kind: ServiceAccount, name: job}]}'));
  t.equal(asWeb(), false, 'that changed');
  lab.apply(saz('{meshTLS: {serviceAccounts: [{name: web}]}}'));
  t.equal(asWeb(), true);
  lab.remove(saz('{}'));
  t.equal(asWeb(), false);
  lab.apply(pod('payments').replace('containerPort: 8080', 'containerPort: 8081'));
  t.equal(asWeb(), true, 'a pod whose port has another number');
  t.equal(atZtunnel(lab, { from: WEB, port: 8081 }).allowed, false);
  lab.apply(pod('new', { labels: '{app: payments}' }));
  t.equal(atZtunnel(lab, { from: WEB }, 'new').allowed, false, 'a pod that came');
  lab.remove(server());
  t.equal(atZtunnel(lab, { from: WEB, port: 8081 }).allowed, true, 'without the Server');
  t.same(lab.workload('new')?.authorizationPolicies, []);
  t.equal(lab.policy('shop/server_api_8081'), undefined);
  lab.apply(shop('deny'));
  t.equal(asWeb(), false, 'a namespace that was annotated');
});

test('ports of one name in several containers', async t => {
  const two = pod('payments').replace(
    'containers: [',
    'containers: [{ports: [{name: web, containerPort: 7000}]}, ',
  );
  const lab = new IndexLab(SHOP, two, server());
  t.same(lab.workload('payments')?.authorizationPolicies, ['shop/server_api_7000', 'shop/server_api_8080']);
});

test('a policy of Istio and one of Linkerd have their own names', async t => {
  const lab = new IndexLab(...BASE, server(), policy('same', '{rules: [{}]}'), allow('{}', '[]', 'same'));
  t.match(
    lab.index.statuses().filter(({ key }) => key.endsWith('/same')),
    [
      { key: 'AuthorizationPolicy.policy.linkerd.io/shop/same', state: 'rejected' },
      { key: 'AuthorizationPolicy/shop/same', state: 'accepted' },
    ],
  );
});

/** Sentence, objects, what is said. */
const MISSING: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'a Server that is not there',
    [allow(SERVER, '[]')],
    /^AuthorizationPolicy.policy.linkerd.io shop\/allow partly ignored: spec.targetRef: there is no Server shop\/api: nobody is let in or refused by it/,
  ],
  [
    'a namespace without Servers',
    [allow('{kind: Namespace, name: shop}', '[]')],
    /namespace shop has no Server/,
  ],
  [
    'a route that is not there, or not for a Server',
    [
      server(),
      gatewayRoute('gets', GETS).replace(PARENT, '{name: edge}'),
      toRoute('gets', 'web', 'gateway.networking.k8s.io'),
    ],
    /spec.targetRef: there is no HTTPRoute shop\/gets with a Server as its parent: nobody is let in by it/,
  ],
  [
    'a MeshTLSAuthentication that is not there',
    [server(), allow(SERVER, `[${MTLS}]`)],
    /spec.requiredAuthenticationRefs: there is no valid MeshTLSAuthentication shop\/clients: the policy lets in nobody/,
  ],
  [
    'a NetworkAuthentication that is not valid',
    [server(), allow(SERVER, `[${NET}]`), nets('[{cidr: 10.0.0.0/33}]')],
    /there is no valid NetworkAuthentication shop\/nets: the policy lets in nobody/,
  ],
  [
    'the Server of a ServerAuthorization',
    [saz('{unauthenticated: true}')],
    /^ServerAuthorization shop\/saz .*spec.server.name: there is no Server shop\/api/,
  ],
  [
    'the Server of a route',
    [route('gets', GETS)],
    /^HTTPRoute.policy.linkerd.io shop\/gets .*spec.parentRefs: there is no Server shop\/api: the route does nothing for it/,
  ],
  [
    'a route of another protocol than the Server',
    [server(), gatewayRoute('calls', '[{}]', 'GRPCRoute')],
    /^GRPCRoute shop\/calls .*does nothing for a Server of protocol unknown.*set proxyProtocol: gRPC/,
  ],
  [
    'a Server that was never good',
    [server('api', 'dent')],
    /^Server shop\/api rejected: spec: was never valid: its port lets in nobody but whom policies name/,
  ],
  [
    'a route that was never good',
    [server(), route('bad', '[{match: []}]')],
    /^HTTPRoute.policy.linkerd.io shop\/bad rejected: spec.rules\[0\].match: is no field of this object/,
  ],
];

test('what is missing, or never was good, is said', async t => {
  for (const [sentence, objects, expected] of MISSING) {
    const lab = new IndexLab(...BASE, ...objects);
    const said = lab.index.statuses().flatMap(({ diagnostics }) => diagnostics.map(formatDiagnostic));
    t.ok(
      said.some(line => expected.test(line)),
      `${sentence}: ${said.join('\n')}`,
    );
  }
});

test('a route of Linkerd’s group for a Service is one of Gateway API', async t => {
  const toService = '{group: core, kind: Service, name: payments, port: 80}';
  const own = route('own', '[{matches: [{path: {value: /pay}}]}]').replace(PARENT, toService);
  const lab = new IndexLab(...SERVED, own);
  t.match(lab.routes('payments'), {
    routed: true,
    rules: [{ name: 'HTTPRoute.policy.linkerd.io/shop/own/0', backends: [{ port: 80 }] }],
  });
  lab.apply(gatewayRoute('own', '[{}]').replace(PARENT, toService));
  t.same(
    lab.routes('payments')?.rules.map(({ name }) => name),
    ['HTTPRoute.policy.linkerd.io/shop/own/0', 'HTTPRoute/shop/own/0'],
    'one of the same name in the other group stands beside it',
  );
  t.match(computeStatuses(lab.index).get('HTTPRoute.policy.linkerd.io/shop/own'), {
    kind: 'route',
    parents: [
      {
        conditions: [
          { type: 'Accepted', status: 'True' },
          { type: 'ResolvedRefs', status: 'True' },
        ],
      },
    ],
  });
});
