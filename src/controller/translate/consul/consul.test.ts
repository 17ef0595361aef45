import { test } from 'tap';
import { compileRoutes } from '#shared/route/match.ts';
import type { Translated } from '../diagnostic.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { goldenPairs, kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { chainRules, type ConsulLookup } from './discovery-chain.ts';
import { translateServiceResolver } from './service-resolver.ts';
import { translateServiceRouter } from './service-router.ts';
import { translateServiceSplitter } from './service-splitter.ts';
import { parseSubsetFilter } from './subset-filter.ts';

type Kind = 'ServiceRouter' | 'ServiceSplitter' | 'ServiceResolver';

const translate = (kind: Kind, spec: object): Translated<unknown> => translateObject(kubeObject(kind, spec));

function translateObject(object: KubeObject): Translated<unknown> {
  switch (object.kind) {
    case 'ServiceRouter':
      return translateServiceRouter(object);
    case 'ServiceSplitter':
      return translateServiceSplitter(object);
    default:
      return translateServiceResolver(object);
  }
}

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects => objects.map(translateObject));
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const http = (fields: object): object => ({ routes: [{ match: { http: fields } }] });
const destination = (fields: object): object => ({ routes: [{ destination: fields }] });
const HTTP = 'spec.routes[0].match.http';
const DESTINATION = 'spec.routes[0].destination';
const balancer = (fields: object): object => ({ loadBalancer: fields });

const REJECTED: readonly [string, Kind, object, string, RegExp][] = [
  [
    'a ring whose largest size is less than its least',
    'ServiceResolver',
    { loadBalancer: { policy: 'ring_hash', ringHashConfig: { minimumRingSize: 64, maximumRingSize: 32 } } },
    'spec.loadBalancer.ringHashConfig.maximumRingSize',
    /less than the least, 64/,
  ],
  [
    'a choice among too many',
    'ServiceResolver',
    { loadBalancer: { policy: 'least_request', leastRequestConfig: { choiceCount: 1000 } } },
    'spec.loadBalancer.leastRequestConfig.choiceCount',
    /whole number from 0 to 100/,
  ],
  [
    'a mode of locality that is none',
    'ServiceResolver',
    { prioritizeByLocality: { mode: 'nearest' } },
    'spec.prioritizeByLocality.mode',
    /not one of the values/,
  ],
  ['a misspelt field', 'ServiceRouter', { route: [] }, 'spec.route', /no field of this object/],
  [
    'two kinds of path',
    'ServiceRouter',
    http({ pathExact: '/a', pathPrefix: '/a' }),
    `${HTTP}.pathExact`,
    /another kind/,
  ],
  [
    'a path that is not absolute',
    'ServiceRouter',
    http({ pathPrefix: 'a' }),
    `${HTTP}.pathPrefix`,
    /no absolute path/,
  ],
  [
    'a pattern that is malformed',
    'ServiceRouter',
    http({ pathRegex: '(' }),
    `${HTTP}.pathRegex`,
    /not closed/,
  ],
  [
    'a header without a match',
    'ServiceRouter',
    http({ header: [{ name: 'a' }] }),
    `${HTTP}.header[0].exact`,
    /only one/,
  ],
  [
    'a header with two matches',
    'ServiceRouter',
    http({ header: [{ name: 'a', exact: 'b', present: true }] }),
    `${HTTP}.header[0].exact`,
    /only one/,
  ],
  [
    'a parameter without a match',
    'ServiceRouter',
    http({ queryParam: [{ name: 'a' }] }),
    `${HTTP}.queryParam[0].exact`,
    /only one/,
  ],
  [
    'a retry on an unknown condition',
    'ServiceRouter',
    destination({ retryOn: ['always'] }),
    `${DESTINATION}.retryOn`,
    /no condition/,
  ],
  [
    'a retry status that is none',
    'ServiceRouter',
    destination({ retryOnStatusCodes: ['503'] }),
    `${DESTINATION}.retryOnStatusCodes`,
    /list of status codes/,
  ],
  [
    'another cluster',
    'ServiceRouter',
    destination({ partition: 'a' }),
    `${DESTINATION}.partition`,
    /not supported/,
  ],
  [
    'a header that belongs to the proxy',
    'ServiceRouter',
    destination({ requestHeaders: { set: { connection: 'a' } } }),
    `${DESTINATION}.requestHeaders.set`,
    /belongs to the proxy/,
  ],
  [
    'shares that do not add up',
    'ServiceSplitter',
    { splits: [{ weight: 50 }] },
    'spec.splits',
    /adds up to 50/,
  ],
  [
    'a share that is none',
    'ServiceSplitter',
    { splits: [{ weight: 101 }] },
    'spec.splits[0].weight',
    /from 0 to 100/,
  ],
  [
    'a filter that is more than equalities',
    'ServiceResolver',
    { subsets: { v1: { filter: 'Service.Meta.v != v1' } } },
    'spec.subsets.v1.filter',
    /no equality/,
  ],
  [
    'a default that is no subset',
    'ServiceResolver',
    { defaultSubset: 'v1' },
    'spec.defaultSubset',
    /none of the subsets/,
  ],
  [
    'a failover of no subset',
    'ServiceResolver',
    { failover: { v1: { service: 'a' } } },
    'spec.failover',
    /none of the subsets/,
  ],
  [
    'a redirect with subsets',
    'ServiceResolver',
    { redirect: { service: 'a' }, subsets: { v1: {} } },
    'spec.redirect',
    /cannot be together/,
  ],
  [
    'an unknown policy',
    'ServiceResolver',
    balancer({ policy: 'magic' }),
    'spec.loadBalancer.policy',
    /not one of/,
  ],
  [
    'a hash without a hashing policy',
    'ServiceResolver',
    balancer({ policy: 'random', hashPolicies: [{ sourceIP: true }] }),
    'spec.loadBalancer.hashPolicies',
    /goes with ring_hash/,
  ],
  [
    'a hash of nothing',
    'ServiceResolver',
    balancer({ policy: 'maglev', hashPolicies: [{}] }),
    'spec.loadBalancer.hashPolicies[0].field',
    /only one of them/,
  ],
  [
    'a hash of a header without its name',
    'ServiceResolver',
    balancer({ policy: 'maglev', hashPolicies: [{ field: 'query_parameter' }] }),
    'spec.loadBalancer.hashPolicies[0].fieldValue',
    /is required/,
  ],
];

test('a wrong object of Consul is rejected with the field that is wrong', async t => {
  for (const [name, kind, spec, field, message] of REJECTED) {
    const result = translate(kind, spec);
    t.equal(result.ok, false, name);
    const [found] = result.diagnostics.filter(one => one.severity === 'rejected');
    t.match(found, { field, message, fix: /./ }, name);
  }
});

const FILTERS: readonly [string, string, Record<string, string> | RegExp][] = [
  ['nothing', '', {}],
  ['one value', 'Service.Meta.version == v1', { version: 'v1' }],
  [
    'in quotes',
    'Service.Meta.version == "v 1" and Service.Meta.track == `x`',
    { version: 'v 1', track: 'x' },
  ],
  ['by key', 'Service.Meta["a/b"] == c', { 'a/b': 'c' }],
  ['two values of one', 'Service.Meta.v == a and Service.Meta.v == b', /two values of v/],
  ['anything else', 'v1 in Service.Tags', /no equality of Service.Meta/],
];

test('filters of subsets', async t => {
  for (const [name, filter, expected] of FILTERS) {
    const labels = parseSubsetFilter(filter);
    if (expected instanceof RegExp) t.match(labels, expected, name);
    else t.same(typeof labels === 'string' ? labels : Object.fromEntries(labels), expected, name);
  }
});

const SERVICES = servicesOf({
  'shop/web': [80],
  'shop/api': [80, 81],
  'shop/api-v2': [80],
  'shop/one': [9000],
});

function chain(objects: Readonly<Record<string, object>>, of = 'web'): ReturnType<typeof chainRules> {
  const lookup = <T>(kind: string, read: (spec: object) => Translated<T>) => {
    return (_namespace: string, name: string): T | undefined => {
      const spec = objects[`${kind} ${name}`];
      if (spec === undefined) return undefined;
      const result = read(spec);
      if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
      return result.value;
    };
  };
  const consul: ConsulLookup = {
    router: lookup('router', spec => translateServiceRouter(kubeObject('ServiceRouter', spec))),
    splitter: lookup('splitter', spec => translateServiceSplitter(kubeObject('ServiceSplitter', spec))),
    resolver: lookup('resolver', spec => translateServiceResolver(kubeObject('ServiceResolver', spec))),
  };
  const service = SERVICES.service('shop', of);
  if (service === undefined) throw new Error(`no service ${of}`);
  return chainRules('ServiceRouter/shop/web', 'shop', of, service, consul, SERVICES);
}

/** `<service>/<subset> <weight>` of each backend of each rule. */
function shown(rules: ReturnType<typeof chainRules>): readonly string[] {
  return rules.map(rule =>
    rule.backends
      .map(
        one =>
          `${one.service?.split(/[/.]/)[1] ?? 'none'}:${one.port}${one.subset === undefined ? '' : `/${one.subset}`} ${one.weight}`,
      )
      .join(', '),
  );
}

test('the discovery chain: router, splitter, resolver', async t => {
  t.same(shown(chain({})), [], 'nothing says anything');
  t.same(shown(chain({ 'router web': http({ pathPrefix: '/a' }) })), ['web:80 1000000', 'web:80 1000000']);
  const split = {
    splits: [
      { weight: 90, serviceSubset: 'v1' },
      { weight: 10, service: 'api' },
    ],
  };
  t.same(shown(chain({ 'splitter web': split })), ['web:80/v1 900000, api:80 100000']);
  t.same(
    shown(
      chain({
        'splitter web': split,
        'splitter api': { splits: [{ weight: 50 }, { weight: 50, service: 'api-v2' }] },
      }),
    ),
    ['web:80/v1 900000, api:80 50000, api-v2:80 50000'],
    'a split that leads to a split',
  );
  t.same(
    shown(chain({ 'splitter web': split, 'resolver api': { redirect: { service: 'api-v2' } } })),
    ['web:80/v1 900000, api-v2:80 100000'],
    'a redirect is followed',
  );
  t.same(
    shown(chain({ 'resolver web': { defaultSubset: 'v1', subsets: { v1: {} } } })),
    ['web:80/v1 1000000'],
    'the default subset is put in',
  );
  t.same(
    shown(
      chain({ 'router web': destination({ service: 'api', serviceSubset: 'v2' }), 'splitter api': split }),
    ),
    ['api:80/v2 1000000', 'web:80 1000000'],
    'who names a subset is not split',
  );
  t.same(
    shown(chain({ 'router web': destination({ service: 'one' }) }))[0],
    'one:9000 1000000',
    'the only port is meant',
  );
  t.same(shown(chain({ 'router web': destination({ service: 'nobody' }) }))[0], 'none:80 1000000');
  const circle = {
    'resolver web': { redirect: { service: 'api' } },
    'resolver api': { redirect: { service: 'web' } },
  };
  t.equal(shown(chain(circle)).length, 1, 'a circle ends');
});

const MATCHES: readonly [
  string,
  object,
  Partial<{ method: string; path: string; headers: string[] }>,
  boolean,
][] = [
  ['a prefix is by characters', { pathPrefix: '/ap' }, { path: '/api' }, true],
  ['a path without regard to case', { pathExact: '/API', caseInsensitive: true }, { path: '/api' }, true],
  ['a method', { methods: ['PUT', 'POST'] }, { method: 'POST' }, true],
  ['no other method', { methods: ['PUT'] }, { method: 'POST' }, false],
  ['a header by its part', { header: [{ name: 'X-A', contains: 'b' }] }, { headers: ['x-a', 'abc'] }, true],
  [
    '…without regard to case',
    { header: [{ name: 'x-a', contains: 'B.', ignoreCase: true }] },
    { headers: ['x-a', 'ab.c'] },
    true,
  ],
  [
    '…and nothing is a pattern then',
    { header: [{ name: 'x-a', contains: 'B.', ignoreCase: true }] },
    { headers: ['x-a', 'abc'] },
    false,
  ],
  [
    'a header turned round',
    { header: [{ name: 'x-a', present: true, invert: true }] },
    { headers: ['x-a', ''] },
    false,
  ],
  ['a parameter', { queryParam: [{ name: 'q', regex: '[0-9]+' }] }, { path: '/?q=12' }, true],
];

test('what a route matches', async t => {
  for (const [name, match, over, expected] of MATCHES) {
    const rules = chain({ 'router web': http(match) });
    const request = { method: 'GET', scheme: 'http', authority: 'web', path: '/', headers: [], ...over };
    const found = compileRoutes({ rules }).find(request, 80)?.rule.name;
    t.equal(found === 'ServiceRouter/shop/web/0', expected, name);
  }
});

test('what a route does', async t => {
  const fields = {
    prefixRewrite: '/new',
    requestTimeout: '2s',
    idleTimeout: '1m',
    retryOnConnectFailure: true,
    retryOnStatusCodes: [503],
    retryOn: ['unavailable'],
    requestHeaders: { add: { 'x-a': 'b' } },
  };
  t.match(chain({ 'router web': destination(fields) })[0], {
    matches: [{ path: { kind: 'string_prefix', value: '/' } }],
    filters: [
      { kind: 'request_headers', change: { add: [{ name: 'x-a', value: 'b' }] } },
      { kind: 'rewrite', rewrite: { path: { kind: 'prefix', value: '/new' } } },
    ],
    timeouts: { requestMs: 2000, idleMs: 60_000 },
    retry: {
      attempts: 1,
      on: ['connect_failure', 'grpc_unavailable', 'retriable_status_codes'],
      statusCodes: [503],
    },
  });
  const resolver = { 'resolver web': { requestTimeout: '3s' } };
  t.match(
    chain(resolver),
    [{ timeouts: { requestMs: 3000 } }],
    "the resolver's time where the route has none",
  );
});

const BALANCERS: readonly [string, object, object][] = [
  [
    'the best of more than two',
    { loadBalancer: { policy: 'least_request', leastRequestConfig: { choiceCount: 5 } } },
    { loadBalancer: { kind: 'least_request', choices: 5 } },
  ],
  [
    "Consul's default is two",
    { loadBalancer: { policy: 'least_request', leastRequestConfig: { choiceCount: 0 } } },
    { loadBalancer: { kind: 'least_request', choices: 2 } },
  ],
  [
    'a ring within bounds',
    { loadBalancer: { policy: 'ring_hash', ringHashConfig: { minimumRingSize: 8, maximumRingSize: 512 } } },
    { loadBalancer: { kind: 'ring_hash', minRingSize: 8, maxRingSize: 512 } },
  ],
  [
    'by locality, with the balancer that is there anyway',
    { prioritizeByLocality: { mode: 'failover' } },
    {
      loadBalancer: undefined,
      locality: { enabled: true, failoverPriority: [{ kind: 'region' }, { kind: 'zone' }] },
    },
  ],
  ['by locality is the mode of none', { prioritizeByLocality: {} }, { locality: { enabled: true } }],
  ['not by locality', { prioritizeByLocality: { mode: 'none' } }, { locality: { enabled: false } }],
];

test('each balancer of a resolver', async t => {
  for (const [name, spec, balancing] of BALANCERS) {
    const result = translateServiceResolver(kubeObject('ServiceResolver', spec));
    t.match(result, { ok: true, value: { parts: { balancing } }, diagnostics: [] }, name);
  }
});

test('balancing by a resolver', async t => {
  const hashPolicies = [
    { field: 'cookie', fieldValue: 'session', terminal: true, cookieConfig: { session: true, path: '/' } },
    { field: 'header', fieldValue: 'X-User' },
    { sourceIP: true },
  ];
  const spec = {
    connectTimeout: '2s',
    loadBalancer: { policy: 'ring_hash', ringHashConfig: { minimumRingSize: 64 }, hashPolicies },
  };
  t.match(translateServiceResolver(kubeObject('ServiceResolver', spec)), {
    ok: true,
    value: {
      parts: {
        pool: { connectTimeoutMs: 2000 },
        balancing: {
          loadBalancer: {
            kind: 'ring_hash',
            minRingSize: 64,
            hash: [
              { kind: 'cookie', terminal: true, cookie: { name: 'session', path: '/', ttlMs: 0 } },
              { kind: 'header', terminal: false, name: 'x-user' },
              { kind: 'source_ip', terminal: false },
            ],
          },
        },
      },
    },
  });
});

const ELSEWHERE: readonly [string, object, string, readonly object[]][] = [
  ['of datacenters', { datacenters: ['dc2'] }, 'datacenters', []],
  ['of a service in datacenters', { service: 'backup', datacenters: ['dc2'] }, 'datacenters', []],
  [
    'of a target in another datacenter, beside one that is here',
    { targets: [{ datacenter: 'dc2' }, { service: 'backup', partition: 'default' }] },
    'targets[0].datacenter',
    [{ name: 'backup' }],
  ],
  ['of a target with a peer', { targets: [{ peer: 'west' }] }, 'targets[0].peer', []],
];

test('a failover to other clusters is left out and said, and the rest of the resolver is used', async t => {
  for (const [name, failover, field, targets] of ELSEWHERE) {
    const spec = { subsets: { v1: { filter: 'Service.Meta.v == a' } }, failover: { v1: failover } };
    const result = translateServiceResolver(kubeObject('ServiceResolver', spec));
    const message = /of other clusters.*no request goes there/;
    t.match(
      result,
      {
        ok: true,
        value: { subsets: [{ name: 'v1' }] },
        diagnostics: [{ severity: 'ignored', field: `spec.failover.v1.${field}`, message }],
      },
      name,
    );
    t.match(result.ok ? (result.value.failover.get('v1') ?? []) : undefined, targets, name);
    t.equal(result.ok && result.value.failover.get('v1')?.length, targets.length || undefined, name);
  }
});
