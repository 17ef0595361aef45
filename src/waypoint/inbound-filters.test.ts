import { test } from 'tap';
import { ANY_HTTP_REQUEST } from '#shared/authz/policy.ts';
import type { PathMatch, RouteRule, ServiceRoutes } from '#shared/route/model.ts';
import type { HeaderChange, Redirect, RouteFilter } from '#shared/route/route-filter.ts';
import { routeMatch, routeRule } from '#shared/testing/route.ts';
import { noRoutes, policy } from '#shared/testing/topology.ts';
import { type Ask, ask, backend, deploy } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

const set = (name: string, value: string): HeaderChange => ({ set: [{ name, value }], add: [], remove: [] });
const add = (name: string, value: string): HeaderChange => ({ set: [], add: [{ name, value }], remove: [] });
const request = (change: HeaderChange): RouteFilter => ({ kind: 'request_headers', change });
const response = (change: HeaderChange): RouteFilter => ({ kind: 'response_headers', change });
const redirect = (fields: Partial<Redirect>): RouteFilter => ({
  kind: 'redirect',
  redirect: {
    scheme: undefined,
    hostname: undefined,
    port: undefined,
    path: undefined,
    status: 302,
    ...fields,
  },
});

function prefix(value: string): PathMatch {
  return { kind: 'prefix', value, ignoreCase: false };
}

function rule(path: string, filters: readonly RouteFilter[], fields: Partial<RouteRule> = {}): RouteRule {
  return routeRule({ ports: [80], matches: [routeMatch({ path: prefix(path) })], filters, ...fields });
}

const INBOUND: readonly RouteRule[] = [
  rule('/plain', []),
  rule('/old', [redirect({ path: { kind: 'prefix', value: '/new' }, status: 301 })]),
  rule('/here', [redirect({ scheme: 'http' })]),
  rule('/elsewhere', [request(set('x-in', 'elsewhere'))], { ports: [8080] }),
  rule('/named', [request(set('x-in', 'named'))], { hosts: ['other.test'] }),
  rule('/', [
    request(set('x-in', 'all')),
    request(add('x-seen', 'server')),
    response(set('x-out', 'server')),
  ]),
];

/** What the application got, or where its client is led; and what came back. */
type Row = readonly [sentence: string, ask: Ask, seen: string, out: string | undefined];

const ROWS: readonly Row[] = [
  ['the first rule that matches changes the request, and the answer', { path: '/a' }, 'all /a', 'server'],
  ['one without filters does nothing', { path: '/plain' }, 'none /plain', undefined],
  ['a redirect answers', { path: '/old/b' }, '301 http://echo.test/new/b', undefined],
  ['one that leads nowhere else does not', { path: '/here' }, 'none /here', undefined],
  ['a rule of another port is none', { path: '/elsewhere' }, 'all /elsewhere', 'server'],
  ['nor is one of another host', { path: '/named' }, 'all /named', 'server'],
  [
    'one of the host that is asked for',
    { path: '/named', headers: { host: 'other.test' } },
    'named /named',
    undefined,
  ],
  [
    'it sees what the rule before it made of the request',
    { path: '/rewritten' },
    '301 http://echo.test/new/x',
    undefined,
  ],
  ['who is refused is told nothing of it', { path: '/old/secret' }, '403', undefined],
];

function routes(echo: Parameters<typeof noRoutes>[0]): Partial<ServiceRoutes> {
  return {
    routed: true,
    rules: [
      routeRule({
        name: 'rewrites',
        matches: [routeMatch({ path: prefix('/rewritten') })],
        filters: [
          { kind: 'rewrite', rewrite: { hostname: undefined, path: { kind: 'full', value: '/old/x' } } },
        ],
        backends: [backend(echo)],
      }),
      routeRule({ filters: [request(add('x-seen', 'rule'))], backends: [backend(echo)] }),
    ],
    inboundRules: INBOUND,
    authorizationPolicies: [
      policy('deny', 'deny', [
        { http: { ...ANY_HTTP_REQUEST, paths: [{ kind: 'exact', value: '/old/secret' }] } },
      ]),
    ],
  };
}

test('filters of servers are applied to what is let in', async t => {
  const mesh = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => mesh.close());
  const { echo, port } = await deploy(
    mesh,
    [(req, res) => void res.end(`${String(req.headers['x-in'] ?? 'none')} ${req.url}`)],
    routes,
  );
  for (const [sentence, asked, seen, out] of ROWS) {
    const headers = { host: 'echo.test', ...asked.headers };
    const answer = await ask(port, { ...asked, headers });
    const { location } = answer.headers;
    const got = answer.status === 200 ? answer.body : `${answer.status} ${location ?? ''}`.trim();
    t.same([got, answer.headers['x-out']], [seen, out], sentence);
  }
  mesh.apply({ routes: [noRoutes(echo)] });
  t.equal((await ask(port, { path: '/a' })).body, 'none /a', 'rules that are taken back');
});

test('changes of the rule come first, those of servers last; on the way back it is the other way round', async t => {
  const mesh = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => mesh.close());
  const { port } = await deploy(
    mesh,
    [(req, res) => void res.setHeader('x-out', 'app').end(String(req.headers['x-seen']))],
    echo => ({
      routed: true,
      rules: [
        routeRule({
          filters: [request(add('x-seen', 'rule')), response(add('x-out', 'rule'))],
          backends: [{ ...backend(echo), filters: [request(add('x-seen', 'backend'))] }],
        }),
      ],
      inboundRules: [rule('/', [request(add('x-seen', 'server')), response(add('x-out', 'server'))])],
    }),
  );
  const { body, headers } = await ask(port, { headers: { 'x-seen': 'client' } });
  t.equal(body, 'client, rule, backend, server');
  t.equal(headers['x-out'], 'app, server, rule');
});
