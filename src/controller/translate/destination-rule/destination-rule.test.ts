import { test } from 'tap';
import { effectivePolicy } from '#shared/route/effective-policy.ts';
import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { goldenPairs, kubeObject, servicesOf } from '../../testing/golden-pairs.ts';
import { translateDestinationRule } from './destination-rule.ts';
import { effectiveRule } from './effective-rule.ts';

const OPTIONS = { services: servicesOf({ 'shop/payments': [80] }), clusterDomain: 'cluster.local' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateDestinationRule(object, OPTIONS)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const policy = (fields: object): object => ({ host: 'payments', trafficPolicy: fields });

const balancer = (fields: object): object => policy({ loadBalancer: fields });
const locality = (fields: object): object => balancer({ localityLbSetting: fields });
const LOCALITY = 'spec.trafficPolicy.loadBalancer.localityLbSetting';

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['no host', {}, 'spec.host', /is required/],
  ['a misspelt field', { host: 'payments', subset: [] }, 'spec.subset', /no field of this object/],
  [
    'a workload selector of another form',
    { host: 'payments', workloadSelector: { labels: { app: 'a' } } },
    'spec.workloadSelector.labels',
    /no field of this object/,
  ],
  [
    'a subset without a name',
    { host: 'payments', subsets: [{ labels: {} }] },
    'spec.subsets[0].name',
    /is required/,
  ],
  [
    'a subset named twice',
    { host: 'payments', subsets: [{ name: 'a' }, { name: 'a' }] },
    'spec.subsets',
    /"a" twice/,
  ],
  [
    'labels that are no strings',
    { host: 'payments', subsets: [{ name: 'a', labels: { v: 1 } }] },
    'spec.subsets[0].labels.v',
    /must be a string/,
  ],
  ['"*" and more', { host: 'payments', exportTo: ['*', '.'] }, 'spec.exportTo', /holds "\*" and more/],
  ['a wildcard in the middle', { host: 'a.*.b' }, 'spec.host', /no whole first label/],
  [
    'a port twice',
    policy({ portLevelSettings: [{ port: { number: 80 } }, { port: { number: 80 } }] }),
    'spec.trafficPolicy.portLevelSettings',
    /port 80 twice/,
  ],
  [
    'port settings without a port',
    policy({ portLevelSettings: [{}] }),
    'spec.trafficPolicy.portLevelSettings[0].port',
    /is required/,
  ],
  [
    'simple and consistent hashing',
    balancer({ simple: 'RANDOM', consistentHash: { useSourceIp: true } }),
    'spec.trafficPolicy.loadBalancer.simple',
    /cannot be together/,
  ],
  [
    'a hash of nothing',
    balancer({ consistentHash: {} }),
    'spec.trafficPolicy.loadBalancer.consistentHash.httpHeaderName',
    /only one of them/,
  ],
  [
    'a hash of two things',
    balancer({ consistentHash: { useSourceIp: true, httpHeaderName: 'x-user' } }),
    'spec.trafficPolicy.loadBalancer.consistentHash.httpHeaderName',
    /only one of them/,
  ],
  [
    'a ring and a table',
    balancer({ consistentHash: { useSourceIp: true, ringHash: {}, maglev: {} } }),
    'spec.trafficPolicy.loadBalancer.consistentHash.maglev',
    /cannot be together/,
  ],
  [
    'a table whose size is no prime',
    balancer({ consistentHash: { useSourceIp: true, maglev: { tableSize: 1000 } } }),
    'spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize',
    /no prime/,
  ],
  [
    'warm-up without its time',
    balancer({ warmup: {} }),
    'spec.trafficPolicy.loadBalancer.warmup.duration',
    /is required/,
  ],
  [
    'an aggression below 1',
    balancer({ warmup: { duration: '1s', aggression: 0.5 } }),
    'spec.trafficPolicy.loadBalancer.warmup.aggression',
    /from 1 to 1000/,
  ],
  [
    'shares that do not add up',
    locality({ distribute: [{ from: 'a', to: { a: 50 } }] }),
    `${LOCALITY}.distribute[0].to`,
    /adds up to 50/,
  ],
  [
    'a locality that is none',
    locality({ distribute: [{ from: 'a/*/c/d', to: { a: 100 } }] }),
    `${LOCALITY}.distribute[0].from`,
    /no locality/,
  ],
  [
    'a failover to itself',
    locality({ failover: [{ from: 'a', to: 'a' }] }),
    `${LOCALITY}.failover`,
    /to itself/,
  ],
  [
    'shares and a failover',
    locality({ distribute: [{ from: 'a', to: { a: 100 } }], failover: [{ from: 'a', to: 'b' }] }),
    `${LOCALITY}.distribute`,
    /cannot be together/,
  ],
  [
    "a priority by the client's label",
    locality({ failoverPriority: ['version'] }),
    `${LOCALITY}.failoverPriority`,
    /label of the client/,
  ],
  [
    'an interval of 0',
    policy({ outlierDetection: { interval: '0s' } }),
    'spec.trafficPolicy.outlierDetection.interval',
    /1ms at least/,
  ],
  [
    'the older consecutiveErrors',
    policy({ outlierDetection: { consecutiveErrors: 5 } }),
    'spec.trafficPolicy.outlierDetection.consecutiveErrors',
    /not supported/,
  ],
  [
    'an error status that is none',
    policy({ outlierDetection: { outlierDetectionHttpErrorCodes: [4290] } }),
    'spec.trafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes',
    /list of status codes/,
  ],
  [
    'HTTP/2 and the protocol of the client',
    policy({ connectionPool: { http: { h2UpgradePolicy: 'UPGRADE', useClientProtocol: true } } }),
    'spec.trafficPolicy.connectionPool.http.useClientProtocol',
    /cannot be together/,
  ],
  [
    'mutual TLS without a certificate',
    policy({ tls: { mode: 'MUTUAL' } }),
    'spec.trafficPolicy.tls.clientCertificate',
    /is required with MUTUAL/,
  ],
  [
    'a certificate without its key',
    policy({ tls: { mode: 'MUTUAL', clientCertificate: '/a' } }),
    'spec.trafficPolicy.tls.privateKey',
    /goes together/,
  ],
  [
    'a certificate that is not shown',
    policy({ tls: { mode: 'SIMPLE', clientCertificate: '/a', privateKey: '/b' } }),
    'spec.trafficPolicy.tls.clientCertificate',
    /no meaning with SIMPLE/,
  ],
  [
    'a credential of another namespace',
    policy({ tls: { mode: 'SIMPLE', credentialName: 'other/a' } }),
    'spec.trafficPolicy.tls.credentialName',
    /no name of a Secret/,
  ],
  [
    'a credential without TLS',
    policy({ tls: { mode: 'DISABLE', credentialName: 'a' } }),
    'spec.trafficPolicy.tls.credentialName',
    /no meaning with DISABLE/,
  ],
  [
    'a credential and files',
    policy({ tls: { mode: 'SIMPLE', credentialName: 'a', caCertificates: '/a' } }),
    'spec.trafficPolicy.tls.caCertificates',
    /cannot be together/,
  ],
  [
    'a revocation list without TLS',
    policy({ tls: { mode: 'ISTIO_MUTUAL', caCrl: '/a' } }),
    'spec.trafficPolicy.tls.caCrl',
    /no meaning with ISTIO_MUTUAL/,
  ],
  [
    'a revocation list of a file and a credential',
    policy({ tls: { mode: 'SIMPLE', credentialName: 'a', caCrl: '/a' } }),
    'spec.trafficPolicy.tls.caCrl',
    /cannot be together with credentialName/,
  ],
  [
    'an unknown load balancer',
    policy({ loadBalancer: { simple: 'FASTEST' } }),
    'spec.trafficPolicy.loadBalancer.simple',
    /not one of/,
  ],
  [
    'a connect timeout of 0',
    policy({ connectionPool: { tcp: { connectTimeout: '0s' } } }),
    'spec.trafficPolicy.connectionPool.tcp.connectTimeout',
    /longer than 0/,
  ],
  [
    'a connection count that is none',
    policy({ connectionPool: { tcp: { maxConnections: -1 } } }),
    'spec.trafficPolicy.connectionPool.tcp.maxConnections',
    /whole number/,
  ],
  [
    'a retry budget over 100 %',
    policy({ retryBudget: { percent: 120 } }),
    'spec.trafficPolicy.retryBudget.percent',
    /must be a number from 0 to 100/,
  ],
  [
    'an algorithm and reports',
    balancer({ simple: 'RANDOM', backendUtilization: {} }),
    'spec.trafficPolicy.loadBalancer.simple',
    /cannot be together with backendUtilization/,
  ],
  [
    'a hash and reports',
    balancer({ backendUtilization: {}, consistentHash: { useSourceIp: true } }),
    'spec.trafficPolicy.loadBalancer.backendUtilization',
    /cannot be together with consistentHash/,
  ],
  [
    'a misspelt field of reports',
    balancer({ backendUtilization: { blackoutPeriod: '10s' } }),
    'spec.trafficPolicy.loadBalancer.backendUtilization.blackoutPeriod',
    /no field of this object/,
  ],
  [
    'a period that is none',
    balancer({ backendUtilization: { weightStabilizationPeriod: '10' } }),
    'spec.trafficPolicy.loadBalancer.backendUtilization.weightStabilizationPeriod',
    /not a duration/,
  ],
  [
    'a penalty below 0',
    balancer({ backendUtilization: { errorUtilizationPenaltyPercent: -1 } }),
    'spec.trafficPolicy.loadBalancer.backendUtilization.errorUtilizationPenaltyPercent',
    /whole number from 0/,
  ],
  [
    'metrics that are no list',
    balancer({ backendUtilization: { metricNamesForComputingUtilization: 'cpu_utilization' } }),
    'spec.trafficPolicy.loadBalancer.backendUtilization.metricNamesForComputingUtilization',
    /list/,
  ],
  [
    'zones and localities',
    balancer({ zoneAwareLbSetting: {}, localityLbSetting: {} }),
    'spec.trafficPolicy.loadBalancer.zoneAwareLbSetting',
    /cannot be together with localityLbSetting/,
  ],
  [
    'a zone among the labels of zones',
    balancer({ zoneAwareLbSetting: { failoverPriority: ['topology.kubernetes.io/zone'] } }),
    'spec.trafficPolicy.loadBalancer.zoneAwareLbSetting.failoverPriority',
    /names the zone, which counts anyway/,
  ],
  [
    'PINGs without an interval',
    policy({ connectionPool: { http: { http2KeepAlive: { timeout: '5s' } } } }),
    'spec.trafficPolicy.connectionPool.http.http2KeepAlive.interval',
    /is required/,
  ],
  [
    'PINGs without a pause',
    policy({ connectionPool: { http: { http2KeepAlive: { interval: '0s', timeout: '5s' } } } }),
    'spec.trafficPolicy.connectionPool.http.http2KeepAlive.interval',
    /1ms at least/,
  ],
  [
    'a share of failures over 100',
    policy({ outlierDetection: { failurePercentageThreshold: 101 } }),
    'spec.trafficPolicy.outlierDetection.failurePercentageThreshold',
    /from 0 to 100/,
  ],
  ['a tunnel to nowhere', policy({ tunnel: {} }), 'spec.trafficPolicy.tunnel.targetHost', /is required/],
  [
    'a tunnel without a port',
    policy({ tunnel: { targetHost: 'a.example' } }),
    'spec.trafficPolicy.tunnel.targetPort',
    /is required/,
  ],
  [
    'a tunnel to what is no host',
    policy({ tunnel: { targetHost: 'a b', targetPort: 443 } }),
    'spec.trafficPolicy.tunnel.targetHost',
    /no host name/,
  ],
  [
    'a tunnel to a wildcard',
    policy({ tunnel: { targetHost: '*.a.example', targetPort: 443 } }),
    'spec.trafficPolicy.tunnel.targetHost',
    /no host name/,
  ],
  [
    'a tunnel of another method',
    policy({ tunnel: { protocol: 'GET', targetHost: 'a.example', targetPort: 443 } }),
    'spec.trafficPolicy.tunnel.protocol',
    /not one of the values/,
  ],
  [
    'a version of the PROXY protocol that there is not',
    policy({ proxyProtocol: { version: 'V3' } }),
    'spec.trafficPolicy.proxyProtocol.version',
    /not one of the values/,
  ],
  [
    'the PROXY protocol of a port',
    policy({ portLevelSettings: [{ port: { number: 80 }, proxyProtocol: { version: 'V1' } }] }),
    'spec.trafficPolicy.portLevelSettings[0].proxyProtocol',
    /no field of this object/,
  ],
  [
    'an interval of a budget that is too short',
    policy({ retryBudget: { budgetInterval: '10ms' } }),
    'spec.trafficPolicy.retryBudget.budgetInterval',
    /must be 0, or from 1s to 1h/,
  ],
  [
    'authorities of a Secret and of a file',
    policy({ tls: { mode: 'SIMPLE', caCertCredentialName: 'a', caCertificates: '/ca' } }),
    'spec.trafficPolicy.tls.caCertificates',
    /cannot be together with caCertCredentialName/,
  ],
  [
    'authorities of a Secret where none are asked',
    policy({ tls: { mode: 'ISTIO_MUTUAL', caCertCredentialName: 'a' } }),
    'spec.trafficPolicy.tls.caCertCredentialName',
    /has no meaning with ISTIO_MUTUAL/,
  ],
];

test('a wrong DestinationRule is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateDestinationRule(kubeObject('DestinationRule', spec), OPTIONS);
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { object: 'DestinationRule shop/it', field, message, fix: /./ }, name);
  }
});

const IGNORED: readonly [string, object, string, RegExp][] = [
  ['a host without a service', { host: 'nobody' }, 'spec.host', /the rule has no effect/],
  ['a wildcard that matches nothing', { host: '*.nowhere' }, 'spec.host', /no service that/],
  [
    'pass-through balancing',
    balancer({ simple: 'PASSTHROUGH' }),
    'spec.trafficPolicy.loadBalancer.simple',
    /at random/,
  ],
  [
    'warm-up of a balancer that does not warm up',
    balancer({ simple: 'RANDOM', warmup: { duration: '10s' } }),
    'spec.trafficPolicy.loadBalancer.warmup',
    /no effect with this/,
  ],
  [
    'warm-up of a balancer that goes by reports',
    balancer({ backendUtilization: {}, warmup: { duration: '10s' } }),
    'spec.trafficPolicy.loadBalancer.warmup',
    /no effect with this/,
  ],
  [
    'weights that are looked at all the time',
    balancer({ backendUtilization: { weightUpdatePeriod: '10ms' } }),
    'spec.trafficPolicy.loadBalancer.backendUtilization.weightUpdatePeriod',
    /less than 100ms/,
  ],
  [
    'weights that expire at once',
    balancer({ backendUtilization: { weightExpirationPeriod: '0s' } }),
    'spec.trafficPolicy.loadBalancer.backendUtilization.weightExpirationPeriod',
    /expires every weight at once/,
  ],
  [
    'a metric no report has',
    balancer({ backendUtilization: { metricNamesForComputingUtilization: ['queue', 'eps'] } }),
    'spec.trafficPolicy.loadBalancer.backendUtilization.metricNamesForComputingUtilization',
    /names queue, which no report has/,
  ],
  [
    'local origin failures that are not told apart',
    policy({ outlierDetection: { consecutiveLocalOriginFailures: 3 } }),
    'spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures',
    /no effect without/,
  ],
  [
    'no retry that may always be under way',
    policy({ retryBudget: { minRetryConcurrency: 0 } }),
    'spec.trafficPolicy.retryBudget.minRetryConcurrency',
    /of 0 is 3, as in Istio/,
  ],
];

test('what is ignored is said', async t => {
  for (const [name, spec, field, message] of IGNORED) {
    const result = translateDestinationRule(kubeObject('DestinationRule', spec), OPTIONS);
    t.equal(result.ok, true, name);
    t.match(result.diagnostics[0], { field, message, severity: 'ignored', fix: /./ }, name);
  }
});

const ROUND_ROBIN = { loadBalancer: { simple: 'ROUND_ROBIN' } };
const MAX_7 = { connectionPool: { tcp: { maxConnections: 7 } } };
const WORKLOADS = [
  { uid: 'a', labels: { version: 'v1' } },
  { uid: 'b', labels: { version: 'v2', track: 'canary' } },
  { uid: 'c', labels: { version: 'v2' } },
];

function effective(spec: object, port: number, subset?: string): TrafficPolicy {
  const result = translateDestinationRule(
    kubeObject('DestinationRule', { host: 'payments', ...spec }),
    OPTIONS,
  );
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  const rule = effectiveRule(result.value.trafficPolicy, result.value.subsets, WORKLOADS);
  return effectivePolicy(rule, port, subset);
}

test('what a subset and a port inherit', async t => {
  const port80 = { portLevelSettings: [{ port: { number: 80 }, outlierDetection: {} }] };
  const subset = (trafficPolicy?: object): object[] => [{ name: 'v1', trafficPolicy }];
  const service = { ...ROUND_ROBIN, ...MAX_7 };
  const both = { loadBalancer: { kind: 'round_robin' }, maxConnections: 7 };
  t.match(effective({ trafficPolicy: service }, 80), both);
  t.match(effective({ trafficPolicy: service, subsets: subset() }, 80, 'v1'), both, 'without a policy all');
  t.match(
    effective({ trafficPolicy: service, subsets: subset({ loadBalancer: { simple: 'RANDOM' } }) }, 80, 'v1'),
    { loadBalancer: { kind: 'random' }, maxConnections: 7 },
    'a subset inherits what it does not set',
  );
  t.match(
    effective({ trafficPolicy: { ...service, ...port80, retryBudget: { percent: 5 } } }, 80),
    {
      loadBalancer: undefined,
      maxConnections: undefined,
      outlierDetection: {},
      retryConcurrency: { ratio: 0.05 },
    },
    'a port inherits nothing it could set itself',
  );
  t.match(effective({ trafficPolicy: { ...service, ...port80 } }, 81), both, 'other ports are not touched');
  t.match(
    effective({ trafficPolicy: { ...service, ...port80 }, subsets: subset(MAX_7) }, 80, 'v1'),
    { loadBalancer: undefined, maxConnections: 7, outlierDetection: {} },
    "a subset overrides the settings of the service's port",
  );
  t.match(
    effective({ trafficPolicy: service, subsets: subset({ ...MAX_7, ...port80 }) }, 80, 'v1'),
    { loadBalancer: undefined, maxConnections: undefined, outlierDetection: {} },
    "a subset's port has the last word",
  );
  t.match(
    effective({ trafficPolicy: { ...service, ...port80 }, subsets: subset() }, 80, 'v1'),
    { maxConnections: undefined, outlierDetection: {} },
    "a subset without a policy has that of the service's port",
  );
});

const CONCURRENCIES: readonly [string, object, object][] = [
  ["Istio's defaults", {}, { ratio: 0.2, minimum: 3, intervalMs: 0 }],
  [
    'values of its own',
    { percent: 12.5, minRetryConcurrency: 7, budgetInterval: '30s' },
    { ratio: 0.125, minimum: 7, intervalMs: 30_000 },
  ],
  [
    'only those that may always be',
    { percent: 0, budgetInterval: '0s' },
    { ratio: 0, minimum: 3, intervalMs: 0 },
  ],
];

test('the retries that may be under way', async t => {
  for (const [name, retryBudget, expected] of CONCURRENCIES)
    t.same(effective({ trafficPolicy: { retryBudget } }, 80).retryConcurrency, expected, name);
  const own = [{ name: 'v1', labels: {}, trafficPolicy: { retryBudget: { minRetryConcurrency: 9 } } }];
  const of = (name: string | undefined): unknown =>
    effective({ trafficPolicy: { retryBudget: {} }, subsets: own }, 80, name).retryConcurrency?.minimum;
  t.equal(of(undefined), 3);
  t.equal(of('v1'), 9, 'of a subset');
});

test('the header that connections begin with', async t => {
  const port80 = { portLevelSettings: [{ port: { number: 80 }, outlierDetection: {} }] };
  const subsets = [
    { name: 'v1', trafficPolicy: { proxyProtocol: {} } },
    { name: 'v2', trafficPolicy: MAX_7 },
  ];
  const of = (trafficPolicy: object, subset?: string): unknown =>
    effective({ trafficPolicy, subsets }, 80, subset).proxyProtocol;
  const v2 = { proxyProtocol: { version: 'V2' } };
  t.equal(of({}), undefined);
  t.equal(of({ proxyProtocol: {} }), 'v1', "Istio's default");
  t.equal(of(v2), 'v2');
  t.equal(of({ ...v2, ...port80 }), 'v2', 'a port cannot set it, and keeps it');
  t.equal(of(v2, 'v1'), 'v1', 'of a subset');
  t.equal(of(v2, 'v2'), 'v2', 'of a subset that does not set it');
});

const TUNNELS: readonly (readonly [string, object, unknown])[] = [
  [
    "CONNECT is Istio's default",
    { targetHost: 'a.example', targetPort: 443 },
    { method: 'CONNECT', target: 'a.example:443' },
  ],
  [
    'an address',
    { protocol: 'POST', targetHost: '10.0.0.1', targetPort: 80 },
    { method: 'POST', target: '10.0.0.1:80' },
  ],
  [
    'an address of IPv6',
    { protocol: 'CONNECT', targetHost: '2001:DB8:0::1', targetPort: 80 },
    { method: 'CONNECT', target: '[2001:db8::1]:80' },
  ],
];

test('what a forward proxy is asked for', async t => {
  for (const [name, tunnel, expected] of TUNNELS)
    t.same(effective({ trafficPolicy: { tunnel } }, 80).tunnel, expected, name);
  const to = (targetHost: string): object => ({ tunnel: { targetHost, targetPort: 443 } });
  const subsets = [
    { name: 'own', trafficPolicy: to('b.example') },
    { name: 'none', trafficPolicy: MAX_7 },
  ];
  const of = (subset: string | undefined): unknown =>
    effective(
      { trafficPolicy: { ...to('a.example'), portLevelSettings: [{ port: { number: 80 } }] }, subsets },
      80,
      subset,
    ).tunnel?.target;
  t.equal(of(undefined), 'a.example:443', 'a port cannot set it, and keeps it');
  t.equal(of('own'), 'b.example:443', 'of a subset');
  t.equal(of('none'), 'a.example:443', 'of a subset that does not set it');
});

test('zone awareness that is turned off is none', async t => {
  const off = { loadBalancer: { zoneAwareLbSetting: { enabled: false } } };
  t.equal(effective({ trafficPolicy: off }, 80).locality, undefined);
  const on = { loadBalancer: { zoneAwareLbSetting: {} } };
  t.match(effective({ trafficPolicy: on }, 80).locality, { zoneAware: { minEndpoints: 6, percent: 100 } });
});

test('labels become the workloads that have them', async t => {
  const members = (labels: Record<string, string>): readonly string[] | undefined => {
    const subset = { name: 's', labels: new Map(Object.entries(labels)), trafficPolicy: undefined };
    return effectiveRule(undefined, [subset], WORKLOADS).subsets[0]?.workloads;
  };
  t.same(members({ version: 'v2' }), ['b', 'c'], 'the workloads with the label');
  t.same(members({ version: 'v2', track: 'canary' }), ['b'], 'with all labels');
  t.same(members({}), ['a', 'b', 'c'], 'no label is every workload');
  t.same(members({ version: 'v3' }), [], 'there may be none');
  const failoverPriority = ['topology.kubernetes.io/region', 'version=v2'];
  const { locality: ranked } = effective(locality({ failoverPriority }), 80);
  t.same(ranked?.failoverPriority, [{ kind: 'region' }, { kind: 'workloads', workloads: ['b', 'c'] }]);
});
