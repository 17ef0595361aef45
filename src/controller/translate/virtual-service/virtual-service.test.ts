import { test } from 'tap';
import { goldenPairs, kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateVirtualService } from './virtual-service.ts';

const OPTIONS = {
  services: servicesOf({ 'shop/payments': [80], 'shop/orders': [80, 8080] }),
  clusterDomain: 'cluster.local',
  delegates: () => undefined,
};

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object =>
      translateVirtualService(object, {
        ...OPTIONS,
        delegates: (namespace, name) =>
          objects.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
      }),
    ),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const ROUTE = [{ destination: { host: 'payments' } }];
const http = (fields: object): object => ({ hosts: ['payments'], http: [fields] });
const match = (fields: object): object => http({ match: [fields], route: ROUTE });
const fault = (fields: object): object => http({ fault: fields, route: ROUTE });
const retries = (fields: object): object => http({ retries: fields, route: ROUTE });

const REJECTED: readonly [string, object, string, RegExp][] = [
  [
    'a claim of a token',
    match({ headers: { '@request.auth.claims[groups]': { exact: 'a' } } }),
    'spec.http[0].match[0].headers.@request.auth.claims[groups]',
    /a claim of a token/,
  ],
  ['a misspelt field', { ...http({ route: ROUTE }), htpp: [] }, 'spec.htpp', /no field of this object/],
  ['streams without hosts', { tcp: [{ route: ROUTE }] }, 'spec.hosts', /is required for tls and tcp/],
  ['a wildcard in the middle', { hosts: ['a.*.b'] }, 'spec.hosts', /no whole first label/],
  ['"~" and more', { hosts: ['payments'], exportTo: ['~', '.'] }, 'spec.exportTo', /holds "~" and more/],
  ['a delegate without a name', http({ delegate: {} }), 'spec.http[0].delegate.name', /is required/],
  [
    'a delegate with a route',
    http({ route: ROUTE, delegate: { name: 'a' } }),
    'spec.http[0].route',
    /only one of them/,
  ],
  [
    'a fault that is none',
    http({ route: ROUTE, fault: {} }),
    'spec.http[0].fault.delay',
    /is required, or abort/,
  ],
  [
    'a delay without its time',
    fault({ delay: { percentage: { value: 1 } } }),
    'spec.http[0].fault.delay.fixedDelay',
    /is required/,
  ],
  [
    'a delay of nothing',
    fault({ delay: { fixedDelay: '0s' } }),
    'spec.http[0].fault.delay.fixedDelay',
    /1ms at least/,
  ],
  [
    'a percentage over 100',
    fault({ delay: { percentage: { value: 101 }, fixedDelay: '1s' } }),
    'spec.http[0].fault.delay.percentage.value',
    /from 0 to 100/,
  ],
  [
    'an exponential delay',
    fault({ delay: { exponentialDelay: '1s', fixedDelay: '1s' } }),
    'spec.http[0].fault.delay.exponentialDelay',
    /not supported/,
  ],
  [
    'an abort without a status',
    fault({ abort: {} }),
    'spec.http[0].fault.abort.httpStatus',
    /only one of them/,
  ],
  [
    'an abort with both statuses',
    fault({ abort: { httpStatus: 500, grpcStatus: 'INTERNAL' } }),
    'spec.http[0].fault.abort.httpStatus',
    /only one of them/,
  ],
  [
    'an abort with an unknown gRPC status',
    fault({ abort: { grpcStatus: 'BROKEN' } }),
    'spec.http[0].fault.abort.grpcStatus',
    /is no gRPC status/,
  ],
  [
    'an origin that is none',
    http({ route: ROUTE, corsPolicy: { allowOrigins: [{}] } }),
    'spec.http[0].corsPolicy.allowOrigins[0].exact',
    /is required/,
  ],
  [
    'an origin pattern that is malformed',
    http({ route: ROUTE, corsPolicy: { allowOrigins: [{ regex: '(' }] } }),
    'spec.http[0].corsPolicy.allowOrigins[0].regex',
    /not closed/,
  ],
  [
    'a mirror and mirrors',
    http({ route: ROUTE, mirror: { host: 'orders' }, mirrors: [] }),
    'spec.http[0].mirrors',
    /cannot be together/,
  ],
  [
    'a mirror without a destination',
    http({ route: ROUTE, mirrors: [{}] }),
    'spec.http[0].mirrors[0].destination',
    /is required/,
  ],
  [
    'a rewrite of two kinds',
    http({ route: ROUTE, rewrite: { uri: '/', uriRegexRewrite: { match: 'a' } } }),
    'spec.http[0].rewrite.uri',
    /cannot be together/,
  ],
  [
    'a rewrite with a group that is not there',
    http({ route: ROUTE, rewrite: { uriRegexRewrite: { match: 'a', rewrite: '\\1' } } }),
    'spec.http[0].rewrite.uriRegexRewrite.match',
    /names group 1 of 0/,
  ],
  [
    'a redirect with two ports',
    http({ redirect: { port: 80, derivePort: 'FROM_REQUEST_PORT' } }),
    'spec.http[0].redirect.derivePort',
    /cannot be together/,
  ],
  [
    'a body that is no base64',
    http({ directResponse: { status: 200, body: { bytes: '?' } } }),
    'spec.http[0].directResponse.body.bytes',
    /no base64/,
  ],
  [
    'a body of bytes that are no text',
    http({ directResponse: { status: 200, body: { bytes: '/w==' } } }),
    'spec.http[0].directResponse.body.bytes',
    /no UTF-8/,
  ],
  [
    'a tls entry without a match',
    { hosts: ['payments'], tls: [{ route: ROUTE }] },
    'spec.tls[0].match',
    /is required/,
  ],
  [
    'a server name that is no host',
    { hosts: ['payments'], tls: [{ match: [{ sniHosts: ['other'] }], route: ROUTE }] },
    'spec.tls[0].match[0].sniHosts',
    /none of the hosts/,
  ],
  ['a tcp entry that leads nowhere', { hosts: ['payments'], tcp: [{}] }, 'spec.tcp[0].route', /is required/],
  [
    'source addresses that are none',
    { hosts: ['payments'], tcp: [{ match: [{ sourceSubnet: '10.0.0.0/33' }], route: ROUTE }] },
    'spec.tcp[0].match[0].sourceSubnet',
    /"10.0.0.0\/33" is no IP address or range/,
  ],
  [
    'a list of source addresses',
    { hosts: ['payments'], tcp: [{ match: [{ sourceSubnet: ['10.0.0.0/8'] }], route: ROUTE }] },
    'spec.tcp[0].match[0].sourceSubnet',
    /must be a string/,
  ],
  [
    'a tls match on source addresses',
    {
      hosts: ['payments'],
      tls: [{ match: [{ sniHosts: ['payments'], sourceSubnet: '10.0.0.0/8' }], route: ROUTE }],
    },
    'spec.tls[0].match[0].sourceSubnet',
    /a field of tcp matches alone: Istio dropped it/,
  ],
  ['an entry that leads nowhere', http({}), 'spec.http[0].route', /only one of them/],
  [
    'a route with a redirect',
    http({ route: ROUTE, redirect: { uri: '/' } }),
    'spec.http[0].route',
    /only one of them/,
  ],
  [
    'a rewrite with a redirect',
    http({ rewrite: {}, redirect: {} }),
    'spec.http[0].rewrite',
    /cannot be together/,
  ],
  [
    'a route without a destination',
    http({ route: [{}] }),
    'spec.http[0].route[0].destination',
    /is required/,
  ],
  [
    'a destination without a host',
    http({ route: [{ destination: {} }] }),
    'spec.http[0].route[0].destination.host',
    /is required/,
  ],
  [
    'several destinations without weights',
    http({ route: [...ROUTE, ...ROUTE] }),
    'spec.http[0].route',
    /no weight/,
  ],
  [
    'a negative weight',
    http({ route: [{ ...ROUTE[0], weight: -1 }] }),
    'spec.http[0].route[0].weight',
    /whole number/,
  ],
  [
    'two kinds of match at once',
    match({ uri: { exact: '/', prefix: '/' } }),
    'spec.http[0].match[0].uri.exact',
    /together with another/,
  ],
  [
    'a path that is not absolute',
    match({ uri: { prefix: 'a' } }),
    'spec.http[0].match[0].uri.prefix',
    /no absolute path/,
  ],
  [
    'a pattern with a backreference',
    match({ uri: { regex: '/(a)\\1' } }),
    'spec.http[0].match[0].uri.regex',
    /backreferences are no part/,
  ],
  [
    'a header pattern that is malformed',
    match({ headers: { a: { regex: '[' } } }),
    'spec.http[0].match[0].headers.a.regex',
    /not closed/,
  ],
  [
    'a redirect with a variable',
    http({ redirect: { uri: '/a%PREFIX()%' } }),
    'spec.http[0].redirect.uri',
    /variable/,
  ],
  [
    'a direct response without status',
    http({ directResponse: {} }),
    'spec.http[0].directResponse.status',
    /is required/,
  ],
  [
    'a redirect code that is none',
    http({ redirect: { uri: '/', redirectCode: 304 } }),
    'spec.http[0].redirect.redirectCode',
    /no status of a redirect/,
  ],
  [
    'a redirect with a path and a prefix',
    http({ redirect: { uri: '/', prefixRewrite: '/' } }),
    'spec.http[0].redirect.prefixRewrite',
    /cannot be together with uri/,
  ],
  [
    'a retry on an unknown condition',
    retries({ retryOn: '5xx,always' }),
    'spec.http[0].retries.retryOn',
    /"always", which is no condition/,
  ],
  [
    'a malformed duration',
    retries({ perTryTimeout: '2' }),
    'spec.http[0].retries.perTryTimeout',
    /no.* duration/,
  ],
  [
    'a host that is removed',
    http({ route: ROUTE, headers: { request: { remove: ['host'] } } }),
    'spec.http[0].headers.request.add',
    /exactly one host/,
  ],
];

test('a wrong VirtualService is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateVirtualService(kubeObject('VirtualService', spec), OPTIONS);
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { object: 'VirtualService shop/it', field, message, fix: /./ }, name);
  }
});

const IGNORED: readonly [string, object, string, RegExp, RegExp][] = [
  [
    'a value that Envoy would put in',
    http({
      route: ROUTE,
      headers: { request: { set: { 'x-share': '50%', 'x-host': 'of %REQ(:authority)%' } } },
    }),
    'spec.http[0].headers.request.set',
    /"x-host" is sent as it is written: %REQ\(:authority\)%/,
    /write the value itself/,
  ],
  [
    'a host without a service',
    { hosts: ['nobody'] },
    'spec.hosts',
    /no service nobody.shop.svc.cluster.local/,
    /create it/,
  ],
  [
    'a host that is only half qualified',
    { hosts: ['payments.shop'] },
    'spec.hosts',
    /no service payments.shop/,
    /write payments.shop.svc.cluster.local/,
  ],
  [
    'a wildcard that matches nothing',
    { hosts: ['*.nowhere'] },
    'spec.hosts',
    /no service that/,
    /create one/,
  ],
  [
    'a delegate that does not exist',
    http({ delegate: { name: 'nobody' } }),
    'spec.http[0].delegate',
    /there is no VirtualService shop\/nobody: the entry takes no request/,
    /create it/,
  ],
  [
    'a mirror without a service',
    http({ route: ROUTE, mirror: { host: 'nobody' } }),
    'spec.http[0].mirror.host',
    /nothing is mirrored there/,
    /create it/,
  ],
  [
    'gateways without the mesh',
    { hosts: ['payments'], gateways: ['a'] },
    'spec.gateways',
    /nothing is routed/,
    /add "mesh"/,
  ],
  [
    'a destination without a service',
    http({ route: [{ destination: { host: 'nobody' } }] }),
    'spec.http[0].route[0].destination.host',
    /answered with 500/,
    /create it/,
  ],
  [
    'a destination port that does not exist',
    http({ route: [{ destination: { host: 'payments', port: { number: 81 } } }] }),
    'spec.http[0].route[0].destination.port',
    /no such port/,
    /80/,
  ],
  [
    'a delay without a percentage',
    fault({ delay: { fixedDelay: '1s' } }),
    'spec.http[0].fault.delay.percentage',
    /no request is struck/,
    /100 for every request/,
  ],
  [
    'an abort without a percentage',
    fault({ abort: { httpStatus: 503 } }),
    'spec.http[0].fault.abort.percentage',
    /no request is struck/,
    /100 for every request/,
  ],
  [
    'retries without a number',
    retries({ retryOn: '5xx' }),
    'spec.http[0].retries.attempts',
    /nothing is tried again/,
    /number of retries/,
  ],
  [
    "a condition of Envoy's that never holds here",
    retries({ attempts: 1, retryOn: '5xx,envoy-ratelimited' }),
    'spec.http[0].retries.retryOn',
    /never holds here/,
    /remove it/,
  ],
];

const MEANINGS: readonly [string, object, object][] = [
  ['retries without a number are none', retries({ retryOn: '5xx' }), { retry: { attempts: 0, on: ['5xx'] } }],
  [
    'any status may be tried again',
    retries({ attempts: 1, retryOn: '302' }),
    { retry: { statusCodes: [302] } },
  ],
  [
    'a fault without a percentage strikes nobody',
    fault({ delay: { fixedDelay: '1s' }, abort: { httpStatus: 503, percentage: {} } }),
    { filters: [{ kind: 'fault', fault: { delay: { percent: 0 }, abort: { percent: 0 } } }] },
  ],
  [
    'a mirror without a percentage copies everything',
    http({ route: ROUTE, mirror: { host: 'orders', port: { number: 80 } } }),
    { filters: [{ kind: 'mirror', mirror: { percent: 100 } }] },
  ],
  [
    'an escape in a redirect is no variable',
    http({ redirect: { uri: '/a%20b' } }),
    { filters: [{ kind: 'redirect', redirect: { path: { kind: 'full', value: '/a%20b' }, status: 301 } }] },
  ],
  [
    'a redirect of a prefix replaces what the match says, all of the path where it says nothing',
    http({ redirect: { prefixRewrite: '/new/' } }),
    {
      matches: [{ path: { kind: 'string_prefix', value: '/' } }],
      filters: [{ kind: 'redirect', redirect: { path: { kind: 'prefix', value: '/new/' } } }],
    },
  ],
  [
    'a redirect code of 0 is not set',
    http({ redirect: { uri: '/', redirectCode: 0 } }),
    { filters: [{ kind: 'redirect', redirect: { status: 301 } }] },
  ],
];

test('what is not set means what it means in Istio', async t => {
  for (const [name, spec, rule] of MEANINGS) {
    const result = translateVirtualService(kubeObject('VirtualService', spec), OPTIONS);
    t.match(result, { ok: true, value: { attachments: [{ rules: [rule] }] } }, name);
  }
});

const DELEGATES: readonly [string, object, RegExp][] = [
  ['one with hosts of its own', { hosts: ['orders'], http: [{ route: ROUTE }] }, /hosts of its own/],
  ['one that is rejected', { http: [{}] }, /is rejected \(.*spec.http\[0\].route/],
  ['one that is not exported', { exportTo: ['bank'], http: [{ route: ROUTE }] }, /not exported to shop/],
  ['one that delegates in turn', { http: [{ delegate: { name: 'x' } }] }, /delegates in turn/],
];

test('a delegate that cannot be one takes no request, and that is said', async t => {
  for (const [name, spec, message] of DELEGATES) {
    const delegate = kubeObject('VirtualService', spec, { name: 'leaf' });
    const root = kubeObject('VirtualService', http({ delegate: { name: 'leaf' } }));
    const result = translateVirtualService(root, { ...OPTIONS, delegates: () => delegate });
    t.match(result, { ok: true, value: { attachments: [{ rules: [] }] } }, name);
    t.match(result.diagnostics[0], { field: 'spec.http[0].delegate', message, severity: 'ignored' }, name);
  }
});

test('what is ignored is said', async t => {
  for (const [name, spec, field, message, fix] of IGNORED) {
    const result = translateVirtualService(kubeObject('VirtualService', spec), OPTIONS);
    t.equal(result.ok, true, name);
    t.match(result.diagnostics[0], { field, message, fix, severity: 'ignored' }, name);
  }
});

const OF_GATEWAYS: readonly [string, object, readonly string[]][] = [
  [
    'all of it',
    {
      hosts: ['shop.example'],
      gateways: ['ingress'],
      http: [{ route: [{ destination: { host: 'nobody' } }] }],
      tcp: 1,
    },
    ['spec.gateways'],
  ],
  [
    'an entry whose matches are',
    {
      hosts: ['payments'],
      gateways: ['ingress', 'mesh'],
      http: [
        { match: [{ gateways: ['ingress'] }], route: [{ destination: { host: 'nobody' } }], retries: 3 },
        { route: ROUTE },
      ],
    },
    [],
  ],
  [
    'a match of an entry',
    http({
      match: [{ gateways: ['ingress'], headers: { '@claims': { exact: 'a' } } }, { port: 80 }],
      route: ROUTE,
    }),
    [],
  ],
  [
    'an entry and a match for connections',
    {
      hosts: ['payments'],
      tls: [{ match: [{ gateways: ['ingress'], sniHosts: ['shop.example'] }] }],
      tcp: [{ match: [{ gateways: ['ingress'], sourceSubnet: 'x' }, { port: 80 }], route: ROUTE }],
    },
    [],
  ],
];

test('what is for gateways alone is theirs to judge', async t => {
  for (const [name, spec, said] of OF_GATEWAYS) {
    const result = translateVirtualService(kubeObject('VirtualService', spec), OPTIONS);
    t.equal(result.ok, true, name);
    t.same(
      result.diagnostics.map(({ field }) => field),
      said,
      name,
    );
  }
});
