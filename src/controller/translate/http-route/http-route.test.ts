import { test } from 'tap';
import { goldenPairs, kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import type { ReferenceGrant } from '../reference-grant/reference-grant.ts';
import { translateHttpRoute } from './http-route.ts';

const PORTS = {
  'shop/payments': [80, 8080],
  'shop/payments-v1': [80],
  'shop/payments-v2': [80],
  'bank/ledger': [80],
  'bank/audit': [80],
};
const ENTRIES = { 'shop/vendor': ['api.vendor.test', '*.eu.vendor.test'], 'bank/rates': ['rates.test'] };
const SERVICES = servicesOf(PORTS, [], ENTRIES);

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateHttpRoute(object, SERVICES)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const MIRROR = { name: 'payments-v1', port: 80 };
const PARENT = { group: '', kind: 'Service', name: 'payments' };
const ENTRY = { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'vendor' };
const HOST = { group: 'networking.istio.io', kind: 'Hostname', name: 'api.vendor.test', port: 443 };
const rule = (fields: object): object => ({ parentRefs: [PARENT], rules: [fields] });
const filter = (fields: object): object => rule({ filters: [fields] });

const CHECK = { protocol: 'HTTP', backendRef: { name: 'payments-v2', port: 80 }, http: {} };
const auth = (fields: object): object =>
  filter({ type: 'ExternalAuth', externalAuth: { ...CHECK, ...fields } });
const AUTH = 'spec.rules[0].filters[0].externalAuth';

const session = (sessionPersistence: object): object => rule({ sessionPersistence });

const REJECTED: readonly [string, object, string, RegExp][] = [
  [
    'a session of a rule that is wrong',
    session({ cookieConfig: { lifetimeType: 'Permanent' } }),
    'spec.rules[0].sessionPersistence.absoluteTimeout',
    /is required for a permanent cookie/,
  ],
  ['a misspelt field', { parentRefs: [PARENT], rulez: [] }, 'spec.rulez', /no field of this object/],
  ['a field of the wrong type', rule({ matches: 'all' }), 'spec.rules[0].matches', /must be a list/],
  ['an item of the wrong type', rule({ matches: ['all'] }), 'spec.rules[0].matches[0]', /must be an object/],
  [
    'a parent without a name',
    { parentRefs: [{ kind: 'Service', group: '' }] },
    'spec.parentRefs[0].name',
    /is required/,
  ],
  [
    'a host name in a namespace',
    rule({ backendRefs: [{ ...HOST, namespace: 'bank' }] }),
    'spec.rules[0].backendRefs[0].namespace',
    /no meaning for a Hostname/,
  ],
  [
    'two rules of one name',
    { parentRefs: [PARENT], rules: [{ name: 'a' }, { name: 'a' }] },
    'spec.rules[1].name',
    /another rule of this route/,
  ],
  [
    'a path that is not absolute',
    rule({ matches: [{ path: { value: 'orders' } }] }),
    'spec.rules[0].matches[0].path.value',
    /no absolute path/,
  ],
  [
    'a path no request can have',
    rule({ matches: [{ path: { type: 'Exact', value: '/a/../b' } }] }),
    'spec.rules[0].matches[0].path.value',
    /can never match/,
  ],
  [
    'a pattern with lookahead',
    rule({ matches: [{ path: { type: 'RegularExpression', value: '/a(?=b)' } }] }),
    'spec.rules[0].matches[0].path.value',
    /lookahead is no part of RE2/,
  ],
  [
    'an unknown path type',
    rule({ matches: [{ path: { type: 'Glob' } }] }),
    'spec.rules[0].matches[0].path.type',
    /not one of/,
  ],
  [
    'an unknown method',
    rule({ matches: [{ method: 'get' }] }),
    'spec.rules[0].matches[0].method',
    /not one of/,
  ],
  [
    'a header that is no header name',
    rule({ matches: [{ headers: [{ name: 'a b', value: 'c' }] }] }),
    'spec.rules[0].matches[0].headers[0].name',
    /no header name/,
  ],
  [
    'a filter of an unknown type',
    filter({ type: 'Compress' }),
    'spec.rules[0].filters[0].type',
    /not one of/,
  ],
  [
    'an external authorization of no protocol',
    auth({ protocol: undefined }),
    `${AUTH}.protocol`,
    /is required/,
  ],
  [
    'an external authorization of another protocol',
    auth({ protocol: 'SOAP' }),
    `${AUTH}.protocol`,
    /not one of/,
  ],
  [
    'an external authorization by nobody',
    auth({ backendRef: undefined }),
    `${AUTH}.backendRef`,
    /is required/,
  ],
  ['HTTP without http', auth({ http: undefined }), `${AUTH}.http`, /is required with protocol HTTP/],
  ['HTTP with grpc', auth({ grpc: {} }), `${AUTH}.grpc`, /does not go with protocol HTTP/],
  [
    'gRPC without grpc',
    auth({ protocol: 'GRPC', http: undefined }),
    `${AUTH}.grpc`,
    /is required with protocol GRPC/,
  ],
  ['gRPC with http', auth({ protocol: 'GRPC', grpc: {} }), `${AUTH}.http`, /does not go with protocol GRPC/],
  ['a path with a query', auth({ http: { path: '/a?b' } }), `${AUTH}.http.path`, /is no path/],
  [
    'a header of the check that is none',
    auth({ http: { allowedHeaders: ['a b'] } }),
    `${AUTH}.http.allowedHeaders`,
    /no header name/,
  ],
  [
    'a body longer than may be',
    auth({ forwardBody: { maxSize: 65_536 } }),
    `${AUTH}.forwardBody.maxSize`,
    /whole number from 0 to 65535/,
  ],
  [
    'an external authorization of a backend',
    rule({ backendRefs: [{ ...MIRROR, filters: [{ type: 'ExternalAuth', externalAuth: CHECK }] }] }),
    'spec.rules[0].backendRefs[0].filters',
    /only change headers/,
  ],
  [
    'an extension without its reference',
    filter({ type: 'ExtensionRef' }),
    'spec.rules[0].filters[0].extensionRef',
    /is required for this type/,
  ],
  [
    'a mirror without a backend',
    filter({ type: 'RequestMirror', requestMirror: {} }),
    'spec.rules[0].filters[0].requestMirror.backendRef',
    /is required/,
  ],
  [
    'a mirror of a percentage and a fraction',
    filter({
      type: 'RequestMirror',
      requestMirror: { backendRef: MIRROR, percent: 1, fraction: { numerator: 1 } },
    }),
    'spec.rules[0].filters[0].requestMirror.fraction',
    /together with percent/,
  ],
  [
    'a mirror of more than everything',
    filter({
      type: 'RequestMirror',
      requestMirror: { backendRef: MIRROR, fraction: { numerator: 3, denominator: 2 } },
    }),
    'spec.rules[0].filters[0].requestMirror.fraction.numerator',
    /more than the denominator/,
  ],
  [
    'an origin that is none',
    filter({ type: 'CORS', cors: { allowOrigins: ['example.com'] } }),
    'spec.rules[0].filters[0].cors.allowOrigins',
    /no origin/,
  ],
  [
    'a filter without its body',
    filter({ type: 'URLRewrite' }),
    'spec.rules[0].filters[0].urlRewrite',
    /is required for this type/,
  ],
  [
    'a filter that changes framing',
    filter({
      type: 'RequestHeaderModifier',
      requestHeaderModifier: { set: [{ name: 'Content-Length', value: '1' }] },
    }),
    'spec.rules[0].filters[0].requestHeaderModifier.set',
    /belongs to the proxy/,
  ],
  [
    'a header value that splits the message',
    filter({
      type: 'RequestHeaderModifier',
      requestHeaderModifier: { set: [{ name: 'x', value: 'a\r\nb: c' }] },
    }),
    'spec.rules[0].filters[0].requestHeaderModifier.set',
    /control characters/,
  ],
  [
    'the same filter twice',
    rule({
      filters: [
        { type: 'URLRewrite', urlRewrite: {} },
        { type: 'URLRewrite', urlRewrite: {} },
      ],
    }),
    'spec.rules[0].filters[1].type',
    /comes twice/,
  ],
  [
    'a redirect with a rewrite',
    rule({
      filters: [
        { type: 'URLRewrite', urlRewrite: {} },
        { type: 'RequestRedirect', requestRedirect: {} },
      ],
    }),
    'spec.rules[0].filters',
    /both a RequestRedirect and a URLRewrite/,
  ],
  [
    'a redirect with backends',
    rule({
      filters: [{ type: 'RequestRedirect', requestRedirect: {} }],
      backendRefs: [{ name: 'payments-v1', port: 80 }],
    }),
    'spec.rules[0].backendRefs',
    /cannot be together/,
  ],
  [
    'a redirect of a strange status',
    filter({ type: 'RequestRedirect', requestRedirect: { statusCode: 304 } }),
    'spec.rules[0].filters[0].requestRedirect.statusCode',
    /no status a redirect/,
  ],
  [
    'a prefix replaced where none is matched',
    rule({
      matches: [{ path: { type: 'Exact', value: '/a' } }],
      filters: [
        {
          type: 'URLRewrite',
          urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/b' } },
        },
      ],
    }),
    'spec.rules[0].filters[0].urlRewrite.path.replacePrefixMatch',
    /PathPrefix only/,
  ],
  [
    'a path change without its value',
    filter({ type: 'URLRewrite', urlRewrite: { path: { type: 'ReplaceFullPath' } } }),
    'spec.rules[0].filters[0].urlRewrite.path.type',
    /does not go with/,
  ],
  [
    'a backend filter that is none',
    rule({
      backendRefs: [{ name: 'payments-v1', port: 80, filters: [{ type: 'URLRewrite', urlRewrite: {} }] }],
    }),
    'spec.rules[0].backendRefs[0].filters',
    /only change headers/,
  ],
  [
    'a negative weight',
    rule({ backendRefs: [{ name: 'payments-v1', port: 80, weight: -1 }] }),
    'spec.rules[0].backendRefs[0].weight',
    /whole number/,
  ],
  [
    'a port out of range',
    rule({ backendRefs: [{ name: 'payments-v1', port: 65536 }] }),
    'spec.rules[0].backendRefs[0].port',
    /whole number from 1 to 65535/,
  ],
  [
    'a malformed duration',
    rule({ timeouts: { request: '10 seconds' } }),
    'spec.rules[0].timeouts.request',
    /no.* duration/,
  ],
  [
    'a try longer than the request',
    rule({ timeouts: { request: '1s', backendRequest: '2s' } }),
    'spec.rules[0].timeouts.backendRequest',
    /longer than request/,
  ],
  [
    'a retry code that is none',
    rule({ retry: { codes: [200] } }),
    'spec.rules[0].retry.codes',
    /from 400 to 599/,
  ],
];

test('a wrong HTTPRoute is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateHttpRoute(kubeObject('HTTPRoute', spec), SERVICES);
    t.equal(result.ok, false, name);
    t.match(
      result.diagnostics.find(one => one.severity === 'rejected'),
      { object: 'HTTPRoute shop/it', field, message, severity: 'rejected', fix: /./ },
      name,
    );
  }
});

const IGNORED: readonly [string, object, string, RegExp][] = [
  [
    'a rule that leads nowhere',
    { parentRefs: [PARENT], rules: [{ matches: [{ path: { value: '/a' } }] }] },
    'spec.rules[0].backendRefs',
    /is empty: requests of the rule are answered with 500/,
  ],
  [
    'a parent that does not exist',
    { parentRefs: [{ ...PARENT, name: 'nope' }] },
    'spec.parentRefs[0].name',
    /there is no Service/,
  ],
  [
    'a parent port that does not exist',
    { parentRefs: [{ ...PARENT, port: 81 }] },
    'spec.parentRefs[0].port',
    /no such port/,
  ],
  [
    'a ServiceEntry that does not exist',
    { parentRefs: [{ ...ENTRY, name: 'nope' }] },
    'spec.parentRefs[0].name',
    /there is no ServiceEntry shop\/nope/,
  ],
  [
    'a port that a ServiceEntry has not',
    { parentRefs: [{ ...ENTRY, port: 80 }] },
    'spec.parentRefs[0].port',
    /ServiceEntry shop\/vendor has no such port/,
  ],
  [
    'a host that nobody knows',
    rule({ backendRefs: [{ ...HOST, name: 'nobody.test' }] }),
    'spec.rules[0].backendRefs[0].name',
    /no Service or ServiceEntry of host nobody.test/,
  ],
  [
    'a host without a port',
    rule({ backendRefs: [{ ...HOST, port: undefined }] }),
    'spec.rules[0].backendRefs[0].port',
    /a host needs a port/,
  ],
  [
    'a port that a host has not',
    rule({ backendRefs: [{ ...HOST, port: 80 }] }),
    'spec.rules[0].backendRefs[0].port',
    /host api.vendor.test has no such port/,
  ],
  [
    'a Service of another namespace by its host name, without a grant',
    rule({ backendRefs: [{ ...HOST, name: 'ledger.bank.svc.cluster.local', port: 80 }] }),
    'spec.rules[0].backendRefs[0].namespace',
    /may not be referred to from namespace shop/,
  ],
  [
    'a section that is no port of a Service',
    { parentRefs: [{ ...PARENT, sectionName: 'http' }] },
    'spec.parentRefs[0].sectionName',
    /Service shop\/payments has no port of this name/,
  ],
  [
    'a section that is another port than the one that is named',
    { parentRefs: [{ ...PARENT, port: 8080, sectionName: 'port-80' }] },
    'spec.parentRefs[0].sectionName',
    /Service shop\/payments has no port 8080 of this name/,
  ],
  [
    'a section that is no port of a ServiceEntry',
    { parentRefs: [{ ...ENTRY, sectionName: 'http' }] },
    'spec.parentRefs[0].sectionName',
    /ServiceEntry shop\/vendor has no port of this name/,
  ],
  [
    'host names',
    { parentRefs: [PARENT], hostnames: ['a'] },
    'spec.hostnames',
    /no meaning for a route attached to a Service/,
  ],
  [
    'a backend of another kind',
    rule({ backendRefs: [{ kind: 'Bucket', name: 'b' }] }),
    'spec.rules[0].backendRefs[0].kind',
    /share of requests is refused/,
  ],
  [
    'a backend that does not exist',
    rule({ backendRefs: [{ name: 'nope', port: 80 }] }),
    'spec.rules[0].backendRefs[0].name',
    /there is no Service shop\/nope/,
  ],
  [
    'a backend port that does not exist',
    rule({ backendRefs: [{ name: 'payments-v1', port: 81 }] }),
    'spec.rules[0].backendRefs[0].port',
    /no such port/,
  ],
  [
    'a backend in another namespace without a grant',
    rule({ backendRefs: [{ name: 'ledger', namespace: 'bank', port: 80 }] }),
    'spec.rules[0].backendRefs[0].namespace',
    /may not be referred to from namespace shop/,
  ],
  [
    'a backend without a port',
    rule({ backendRefs: [{ name: 'payments-v1' }] }),
    'spec.rules[0].backendRefs[0].port',
    /needs a port/,
  ],
];

test('what is ignored is said', async t => {
  for (const [name, spec, field, message] of IGNORED) {
    const result = translateHttpRoute(kubeObject('HTTPRoute', spec), SERVICES);
    t.equal(result.ok, true, name);
    const found = result.diagnostics.find(one => one.field === field);
    t.match(found, { message, severity: 'ignored', fix: /./ }, name);
  }
});

const LEDGER = { name: 'ledger', namespace: 'bank', port: 80 };
const GRANT: ReferenceGrant = {
  from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' }],
  to: [{ group: '', kind: 'Service', name: 'ledger' }],
};

/** The one backend of the one rule of each attachment, and what ResolvedRefs says. */
function backends(spec: object, lookup = SERVICES): [(string | undefined)[], string[]] {
  const result = translateHttpRoute(kubeObject('HTTPRoute', spec), lookup);
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  const { attachments, faults } = result.value;
  const services = attachments.map(({ rules }) => rules[0]?.rule.backends[0]?.service);
  return [services, faults.map(({ reason }) => reason)];
}

test('a backend in another namespace needs a grant there, unless it is the parent itself', async t => {
  const toLedger = rule({ backendRefs: [LEDGER] });
  t.same(backends(toLedger), [[undefined], ['RefNotPermitted']]);
  const key = 'bank/ledger.bank.svc.cluster.local';
  t.same(backends(toLedger, servicesOf(PORTS, [GRANT])), [[key], []]);
  const consumer = { parentRefs: [{ ...PARENT, name: 'ledger', namespace: 'bank' }] };
  t.same(backends({ ...consumer, rules: [{ backendRefs: [LEDGER] }] }), [[key], []], 'the parent itself');
  const both = { parentRefs: [PARENT, ...consumer.parentRefs], rules: [{ backendRefs: [LEDGER] }] };
  t.same(backends(both), [[undefined, key], ['RefNotPermitted']], 'for each parent by itself');
  const audit = { parentRefs: consumer.parentRefs, rules: [{ backendRefs: [{ ...LEDGER, name: 'audit' }] }] };
  t.same(
    backends(audit),
    [[undefined], ['RefNotPermitted']],
    'another Service of the namespace of the parent',
  );
});

test('what ResolvedRefs says of each kind of reference that leads nowhere', async t => {
  const reasons = (backend: object): string[] => backends(rule({ backendRefs: [backend] }))[1];
  t.same(reasons({ name: 'payments-v1', port: 80 }), []);
  t.same(reasons({ name: 'nope', port: 80 }), ['BackendNotFound']);
  t.same(reasons({ name: 'payments-v1', port: 81 }), ['BackendNotFound']);
  t.same(reasons({ kind: 'Bucket', name: 'b' }), ['InvalidKind']);
  t.same(
    reasons({ ...LEDGER, name: 'nope' }),
    ['RefNotPermitted'],
    'it does not tell that it does not exist',
  );
});

test('parents: each Service with its port, and whose callers the route is for', async t => {
  const bank = { ...PARENT, name: 'ledger', namespace: 'bank' };
  const parentRefs = [{ ...PARENT, port: 80 }, bank, { ...PARENT, name: 'nope' }, { name: 'gateway' }];
  const result = translateHttpRoute(kubeObject('HTTPRoute', { parentRefs, rules: [{}] }), SERVICES);
  t.equal(result.ok, true);
  if (!result.ok) return;
  t.match(result.value.attachments, [
    { service: 'shop/payments.shop.svc.cluster.local', port: 80, consumer: undefined },
    { service: 'bank/ledger.bank.svc.cluster.local', port: undefined, consumer: 'shop' },
  ]);
  t.same(
    result.value.parents.map(({ reason, ref }) => [ref.name, reason]),
    [
      ['payments', 'Accepted'],
      ['ledger', 'Accepted'],
      ['nope', 'NoMatchingParent'],
    ],
    'a parent of another kind is left to whoever it belongs to',
  );
});

test('a section of a Service, and of a ServiceEntry, is a port by its name', async t => {
  const ports = (...parentRefs: object[]): unknown => {
    const spec = { parentRefs, rules: [{ backendRefs: [{ name: 'payments', port: 80 }] }] };
    const result = translateHttpRoute(kubeObject('HTTPRoute', spec), SERVICES);
    t.same(result.diagnostics, []);
    return result.ok && result.value.attachments.map(({ port }) => port);
  };
  t.same(ports({ ...PARENT, sectionName: 'port-8080' }, PARENT), [8080, undefined]);
  t.same(ports({ ...PARENT, sectionName: 'port-80', port: 80 }), [80], 'which may be named by both');
  t.same(ports({ ...ENTRY, sectionName: 'port-443' }), [443, 443]);
});

test('a ServiceEntry as the parent stands for each of its hosts; others are whose callers the route is for', async t => {
  const rates = { ...ENTRY, name: 'rates', namespace: 'bank', port: 443 };
  const spec = { parentRefs: [ENTRY, rates], rules: [{ backendRefs: [HOST] }] };
  const result = translateHttpRoute(kubeObject('HTTPRoute', spec), SERVICES);
  t.match(result, {
    ok: true,
    value: {
      attachments: [
        { service: 'shop/api.vendor.test', port: undefined, consumer: undefined },
        { service: 'shop/*.eu.vendor.test', port: undefined, consumer: undefined },
        { service: 'bank/rates.test', port: 443, consumer: 'shop' },
      ],
      faults: [],
    },
    diagnostics: [],
  });
});

test('a backend by host name: outside of the cluster without a grant, a Service with one', async t => {
  const to = (name: string, port: number): object => rule({ backendRefs: [{ ...HOST, name, port }] });
  t.same(backends(to('API.vendor.test', 443)), [['shop/api.vendor.test'], []]);
  t.same(backends(to('rates.test', 443)), [['bank/rates.test'], []]);
  const key = 'bank/ledger.bank.svc.cluster.local';
  t.same(backends(to('ledger.bank.svc.cluster.local', 80)), [[undefined], ['RefNotPermitted']]);
  t.same(backends(to('ledger.bank.svc.cluster.local', 80), servicesOf(PORTS, [GRANT])), [[key], []]);
  const own = 'payments.shop.svc.cluster.local';
  t.same(backends(to(own, 80)), [[`shop/${own}`], []], 'of the own namespace without');
});

test('mirrors: several, all or a share of requests', async t => {
  const share = (more: object): unknown => {
    const mirror = { type: 'RequestMirror', requestMirror: { backendRef: MIRROR, ...more } };
    const result = translateHttpRoute(kubeObject('HTTPRoute', rule({ filters: [mirror, mirror] })), SERVICES);
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
    const [first, second] = result.value.attachments[0]?.rules[0]?.rule.filters ?? [];
    t.same(first, second);
    return first;
  };
  const service = 'shop/payments-v1.shop.svc.cluster.local';
  t.match(share({}), { kind: 'mirror', mirror: { service, port: 80, percent: 100 } });
  t.match(share({ percent: 5 }), { mirror: { percent: 5 } });
  t.match(share({ fraction: { numerator: 1, denominator: 1000 } }), { mirror: { percent: 0.1 } });
  t.match(share({ fraction: { numerator: 7 } }), { mirror: { percent: 7 } });
  const lost = filter({ type: 'RequestMirror', requestMirror: { backendRef: LEDGER } });
  const result = translateHttpRoute(kubeObject('HTTPRoute', lost), SERVICES);
  t.match(result, { ok: true, value: { faults: [{ reason: 'RefNotPermitted' }] } });
  if (result.ok)
    t.match(result.value.attachments[0]?.rules[0]?.rule.filters, [{ mirror: { service: undefined } }]);
});

test('CORS', async t => {
  const cors = {
    allowOrigins: ['https://*.example.com', 'https://a.org:8443', '*'],
    allowMethods: ['GET'],
    maxAge: 60,
  };
  const result = translateHttpRoute(kubeObject('HTTPRoute', filter({ type: 'CORS', cors })), SERVICES);
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  t.match(result.value.attachments[0]?.rules[0]?.rule.filters, [
    {
      kind: 'cors',
      cors: {
        allowOrigins: [
          { kind: 'wildcard', value: 'https://*.example.com' },
          { kind: 'exact', value: 'https://a.org:8443' },
          { kind: 'wildcard', value: '*' },
        ],
        allowMethods: ['GET'],
        maxAgeMs: 60_000,
        allowCredentials: false,
        unmatchedPreflights: 'answer',
      },
    },
  ]);
});

const CHECKED: readonly [string, object, object][] = [
  [
    'HTTP: some headers there, all of the answer’s',
    { http: { path: 'check/', allowedHeaders: ['X-A'] } },
    {
      protocol: 'http',
      service: 'shop/payments-v2.shop.svc.cluster.local',
      port: 80,
      pathPrefix: '/check',
      requestHeaders: [{ kind: 'exact', value: 'x-a' }],
      headersToUpstream: [{ kind: 'any' }],
      failOpen: false,
      statusOnError: 403,
      maxBodyBytes: 0,
    },
  ],
  [
    'HTTP: some headers of the answer',
    { http: { allowedResponseHeaders: ['x-user'] } },
    { pathPrefix: '', headersToUpstream: [{ kind: 'exact', value: 'x-user' }] },
  ],
  ['a path that climbs is sanitized', { http: { path: '/a/../%63heck' } }, { pathPrefix: '/check' }],
  [
    'gRPC: all headers',
    { protocol: 'GRPC', http: undefined, grpc: {} },
    { protocol: 'grpc', requestHeaders: [], headersToUpstream: [] },
  ],
  [
    'gRPC: some headers',
    { protocol: 'GRPC', http: undefined, grpc: { allowedHeaders: ['x-a'] } },
    { requestHeaders: [{ kind: 'exact', value: 'x-a' }] },
  ],
  [
    'a body, no longer than it says',
    { forwardBody: { maxSize: 100 } },
    { maxBodyBytes: 100, allowPartialBody: false },
  ],
];

test('ExternalAuth is an authorizer of the rule', async t => {
  for (const [name, fields, authorizer] of CHECKED) {
    const result = translateHttpRoute(kubeObject('HTTPRoute', auth(fields)), SERVICES);
    const filters = [{ kind: 'external_authorization', authorizer }];
    t.match(
      result,
      { ok: true, value: { faults: [], attachments: [{ rules: [{ rule: { filters } }] }] } },
      name,
    );
  }
});

const CORS = { type: 'CORS', cors: { allowOrigins: ['https://a.example'] } };
const HEADERS = { type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['x'] } };
const EXTENSION = { type: 'ExtensionRef', extensionRef: { group: 'example.net', kind: 'Magic', name: 'm' } };
const asks = (backendRef: object): object => ({
  type: 'ExternalAuth',
  externalAuth: { ...CHECK, backendRef },
});
const UNRESOLVED: readonly [string, object, string, RegExp][] = [
  ['an extension nobody knows', EXTENSION, 'InvalidKind', /example.net\/Magic m is no filter of this mesh/],
  [
    'an authorizer that is not there',
    asks({ name: 'nope', port: 80 }),
    'BackendNotFound',
    /no Service shop\/nope/,
  ],
  [
    'an authorizer without that port',
    asks({ name: 'payments', port: 81 }),
    'BackendNotFound',
    /no such port/,
  ],
  ['an authorizer of another kind', asks({ kind: 'Bucket', name: 'b' }), 'InvalidKind', /kind Bucket/],
  [
    'an authorizer of another namespace without its consent',
    asks({ name: 'ledger', namespace: 'bank', port: 80 }),
    'RefNotPermitted',
    /may not be referred to/,
  ],
];

test('a filter that is not resolved is not skipped: its rule answers with an error, other rules go on', async t => {
  const backendRefs = [{ name: 'payments', port: 80 }];
  for (const [name, unresolved, reason, message] of UNRESOLVED) {
    const rules = [
      { filters: [HEADERS, CORS, unresolved], backendRefs },
      { filters: [HEADERS], backendRefs },
    ];
    const result = translateHttpRoute(kubeObject('HTTPRoute', { parentRefs: [PARENT], rules }), SERVICES);
    t.match(
      result,
      {
        ok: true,
        value: {
          faults: [{ reason, message }],
          attachments: [
            {
              rules: [
                { rule: { filters: [{ kind: 'cors' }], backends: [{ service: undefined, weight: 1 }] } },
                { rule: { filters: [{ kind: 'request_headers' }], backends: [{ service: /payments/ }] } },
              ],
            },
          ],
        },
      },
      name,
    );
    const [first] = result.ok ? (result.value.attachments[0]?.rules ?? []) : [];
    t.equal(first?.rule.filters.length, 1, `${name}: nothing else of the rule is done`);
  }
  const granted = servicesOf(PORTS, [GRANT]);
  const spec = rule({ filters: [asks({ name: 'ledger', namespace: 'bank', port: 80 })] });
  const result = translateHttpRoute(kubeObject('HTTPRoute', spec), granted);
  t.match(result, {
    ok: true,
    value: {
      faults: [],
      attachments: [{ rules: [{ rule: { filters: [{ kind: 'external_authorization' }] } }] }],
    },
  });
});

test('an extension of a backend refuses the share of that backend; several may be asked for', async t => {
  const backendRefs = [
    { name: 'payments-v1', port: 80, filters: [EXTENSION, EXTENSION] },
    { name: 'payments-v2', port: 80 },
  ];
  const result = translateHttpRoute(kubeObject('HTTPRoute', rule({ backendRefs })), SERVICES);
  const backends = [
    { service: undefined, weight: 1 },
    { service: /payments-v2/, weight: 1 },
  ];
  t.match(result, { ok: true, value: { attachments: [{ rules: [{ rule: { backends } }] }] } });
});
