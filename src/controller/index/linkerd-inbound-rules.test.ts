import { test } from 'tap';
import type { RouteRule } from '#shared/route/model.ts';
import { IndexLab, pod, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';

const SERVED = [
  SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}'),
  WAYPOINT,
  service('waypoint', { ports: '[{name: mesh, port: 15008}]' }),
  pod('payments'),
  service('payments'),
];

function server(name: string, spec: string): string {
  return `{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: ${name}, namespace: shop}, spec: {accessPolicy: all-unauthenticated, ${spec}}}`;
}

function route(name: string, rules: string, of = 'api', more = ''): string {
  return `{apiVersion: policy.linkerd.io/v1beta3, kind: HTTPRoute, metadata: {name: ${name}, namespace: shop}, spec: {parentRefs: [{group: policy.linkerd.io, kind: Server, name: ${of}}], rules: ${rules}${more}}}`;
}

const WEB = server('api', 'podSelector: {}, port: web');
const ADDS =
  'filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-a, value: b}]}}]';
const MOVES =
  'filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]';

function shown({ filters, hosts, matches, name, ports }: RouteRule): string {
  const paths = matches.map(({ path }) => path?.value ?? '*').join();
  const kinds = filters.map(({ kind }) => kind).join();
  return `${name.split('/').at(-2)} ${ports.join()} ${hosts.join()}${paths} ${kinds}`.trim();
}

for (const [sentence, objects, expected] of [
  ['a route of a Server', [WEB, route('r', `[{${ADDS}}]`)], ['r 80 / request_headers']],
  ['without filters nothing is told', [WEB, route('r', '[{}]')], []],
  ['nor without the Server', [route('r', `[{${ADDS}}]`)], []],
  [
    'nor of a Server that selects none of the endpoints',
    [server('api', 'podSelector: {matchLabels: {app: x}}, port: web'), route('r', `[{${ADDS}}]`)],
    [],
  ],
  ['nor of another port', [server('api', 'podSelector: {}, port: 9000'), route('r', `[{${ADDS}}]`)], []],
  [
    'in order of precedence, with those that have no filters',
    [
      WEB,
      route('all', `[{${ADDS}}]`),
      route('old', `[{matches: [{path: {value: /old}}], ${MOVES}}]`),
      route('plain', '[{matches: [{path: {value: /old/plain}}]}]'),
    ],
    ['plain 80 /old/plain', 'old 80 /old redirect', 'all 80 / request_headers'],
  ],
  [
    'a host goes before none, and before a wildcard',
    [
      WEB,
      route('all', `[{${ADDS}}]`),
      route('hosts', `[{${ADDS}}]`, 'api', ', hostnames: ["*.example.com", A.example.com]'),
    ],
    [
      'hosts 80 a.example.com/ request_headers',
      'hosts 80 *.example.com/ request_headers',
      'all 80 / request_headers',
    ],
  ],
  [
    'the older of two Servers decides about the port',
    [WEB, server('second', 'podSelector: {}, port: 8080'), route('r', `[{${ADDS}}]`, 'second')],
    [],
  ],
  [
    'Servers of a part of the endpoints as well: for the port',
    [
      pod('payments-2', { labels: '{app: payments, tier: new}', ip: '10.0.0.2' }),
      server('api', 'podSelector: {matchLabels: {tier: new}}, port: web'),
      route('r', `[{${ADDS}}]`),
    ],
    ['r 80 / request_headers'],
  ],
  ['a route that was never good is none', [WEB, route('r', `[{match: [], ${ADDS}}]`)], []],
] as const) {
  test(sentence, t => {
    const lab = new IndexLab(...SERVED, ...objects);
    t.same(lab.routes('payments')?.inboundRules.map(shown), expected);
    t.end();
  });
}

test('a waypoint for workloads is told those of the port of each', t => {
  const lab = new IndexLab(
    SHOP.replace('{}', '{istio.io/use-waypoint: waypoint}'),
    WAYPOINT.replace('namespace: shop}', 'namespace: shop, labels: {istio.io/waypoint-for: all}}'),
    service('waypoint', { ports: '[{name: mesh, port: 15008}]' }),
    pod('payments'),
    WEB,
    route('r', `[{${ADDS}}]`),
  );
  const rules = lab.routesOf('shop/c//Pod/shop/payments')?.inboundRules;
  t.same(rules?.map(shown), ['r 8080 / request_headers']);
  t.end();
});

test('they come and go with the route', t => {
  const lab = new IndexLab(...SERVED, WEB);
  const told = (): number | undefined => lab.routes('payments')?.inboundRules.length;
  t.equal(told(), 0);
  lab.apply(route('r', `[{${ADDS}}]`));
  t.equal(told(), 1);
  lab.remove(route('r', '[{}]'));
  t.equal(told(), 0);
  t.end();
});
