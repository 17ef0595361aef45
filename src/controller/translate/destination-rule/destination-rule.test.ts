import { test } from 'tap';
import { goldenPairs, kubeObject, servicesOf } from '../golden-pairs.ts';
import { resolveSubset, translateDestinationRule } from './destination-rule.ts';

const OPTIONS = { services: servicesOf({ 'shop/payments': [80] }), clusterDomain: 'cluster.local' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateDestinationRule(object, OPTIONS)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const policy = (fields: object): object => ({ host: 'payments', trafficPolicy: fields });

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['no host', {}, 'spec.host', /is required/],
  ['a misspelt field', { host: 'payments', subset: [] }, 'spec.subset', /no field of this object/],
  [
    'a workload selector',
    { host: 'payments', workloadSelector: {} },
    'spec.workloadSelector',
    /not supported/,
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
    policy({ connectionPool: { tcp: { maxConnections: 0 } } }),
    'spec.trafficPolicy.connectionPool.tcp.maxConnections',
    /whole number/,
  ],
  [
    'a retry budget over 100 %',
    policy({ retryBudget: { percent: 120 } }),
    'spec.trafficPolicy.retryBudget.percent',
    /whole number from 0 to 100/,
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
  ['outlier detection', policy({ outlierDetection: {} }), 'spec.trafficPolicy.outlierDetection', /no effect/],
  [
    'a consistent hash',
    policy({ loadBalancer: { consistentHash: {} } }),
    'spec.trafficPolicy.loadBalancer.consistentHash',
    /no effect/,
  ],
  ['a TLS mode', policy({ tls: { mode: 'ISTIO_MUTUAL' } }), 'spec.trafficPolicy.tls', /no effect/],
  [
    'port level settings',
    policy({ portLevelSettings: [] }),
    'spec.trafficPolicy.portLevelSettings',
    /no effect/,
  ],
  [
    'pass-through balancing',
    policy({ loadBalancer: { simple: 'PASSTHROUGH' } }),
    'spec.trafficPolicy.loadBalancer.simple',
    /at random/,
  ],
];

test('what is ignored is said', async t => {
  for (const [name, spec, field, message] of IGNORED) {
    const result = translateDestinationRule(kubeObject('DestinationRule', spec), OPTIONS);
    t.equal(result.ok, true, name);
    t.match(result.diagnostics[0], { field, message, severity: 'ignored', fix: /./ }, name);
  }
});

test('resolveSubset', async t => {
  const workloads = [
    { uid: 'a', labels: { version: 'v1' } },
    { uid: 'b', labels: { version: 'v2', track: 'canary' } },
    { uid: 'c', labels: { version: 'v2' } },
  ];
  const members = (labels: Record<string, string>): readonly string[] =>
    resolveSubset({ name: 's', labels: new Map(Object.entries(labels)), trafficPolicy: undefined }, workloads)
      .workloads;
  t.same(members({ version: 'v2' }), ['b', 'c'], 'the workloads with the label');
  t.same(members({ version: 'v2', track: 'canary' }), ['b'], 'with all labels');
  t.same(members({}), ['a', 'b', 'c'], 'no label is every workload');
  t.same(members({ version: 'v3' }), [], 'there may be none');
});
