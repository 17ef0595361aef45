import { test } from 'tap';
import { goldenPairs, kubeObject, servicesOf } from '../golden-pairs.ts';
import { translateVirtualService } from './virtual-service.ts';

const OPTIONS = {
  services: servicesOf({ 'shop/payments': [80], 'shop/orders': [80, 8080] }),
  clusterDomain: 'cluster.local',
};

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateVirtualService(object, OPTIONS)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const ROUTE = [{ destination: { host: 'payments' } }];
const http = (fields: object): object => ({ hosts: ['payments'], http: [fields] });
const match = (fields: object): object => http({ match: [fields], route: ROUTE });
const retries = (fields: object): object => http({ retries: fields, route: ROUTE });

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['no hosts', { http: [] }, 'spec.hosts', /is required/],
  ['a misspelt field', { ...http({ route: ROUTE }), htpp: [] }, 'spec.htpp', /no field of this object/],
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
  ['a delegate', http({ route: ROUTE, delegate: {} }), 'spec.http[0].delegate', /not supported/],
  [
    'a match on source labels',
    match({ sourceLabels: {} }),
    'spec.http[0].match[0].sourceLabels',
    /not supported/,
  ],
  [
    'a match on the source namespace',
    match({ sourceNamespace: 'a' }),
    'spec.http[0].match[0].sourceNamespace',
    /not supported/,
  ],
  [
    'a match on a gateway',
    match({ gateways: ['ingress'] }),
    'spec.http[0].match[0].gateways',
    /names gateways/,
  ],
  [
    'a match on the scheme',
    match({ scheme: { exact: 'https' } }),
    'spec.http[0].match[0].scheme',
    /not supported/,
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
    'an authority matched by prefix',
    match({ authority: { prefix: 'a' } }),
    'spec.http[0].match[0].authority.prefix',
    /only be matched exactly/,
  ],
  [
    'a method matched by prefix',
    match({ method: { prefix: 'P' } }),
    'spec.http[0].match[0].method.prefix',
    /only be matched exactly/,
  ],
  [
    'a regex rewrite',
    http({ route: ROUTE, rewrite: { uriRegexRewrite: {} } }),
    'spec.http[0].rewrite.uriRegexRewrite',
    /not supported/,
  ],
  [
    'a redirect with a variable',
    http({ redirect: { uri: '%PREFIX()%' } }),
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
    'a direct response of bytes',
    http({ directResponse: { status: 200, body: { bytes: 'AA==' } } }),
    'spec.http[0].directResponse.body.bytes',
    /not supported/,
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
  ['a wildcard host', { hosts: ['*'] }, 'spec.hosts', /wildcard hosts are not supported/, /name each/],
  [
    'gateways without the mesh',
    { hosts: ['payments'], gateways: ['a'] },
    'spec.gateways',
    /nothing is routed/,
    /add "mesh"/,
  ],
  ['tcp routes', { hosts: ['payments'], tcp: [] }, 'spec.tcp', /no effect/, /remove it/],
  ['fault injection', http({ route: ROUTE, fault: {} }), 'spec.http[0].fault', /no effect/, /remove it/],
  ['mirroring', http({ route: ROUTE, mirror: {} }), 'spec.http[0].mirror', /no effect/, /remove it/],
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
];

test('what is ignored is said', async t => {
  for (const [name, spec, field, message, fix] of IGNORED) {
    const result = translateVirtualService(kubeObject('VirtualService', spec), OPTIONS);
    t.equal(result.ok, true, name);
    t.match(result.diagnostics[0], { field, message, fix, severity: 'ignored' }, name);
  }
});
