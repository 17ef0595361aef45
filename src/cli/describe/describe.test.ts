import { test } from 'tap';
import { decodeConfigDump } from '../config-dump.ts';
import { objectsOf } from '../testing/cluster-snapshot.ts';
import { captureFact } from './api-facts.ts';
import { describePod } from './describe-pod.ts';
import { describeService } from './describe-service.ts';
import { inEvaluationOrder, verdictOf } from './description.ts';
import type { MeshFacts } from './mesh-facts.ts';

const policy = (
  name: string,
  action: string,
  dryRun = false,
): ReturnType<typeof inEvaluationOrder>[number] => ({
  name,
  action,
  scope: 'namespace',
  dryRun,
});

test('policies are shown in the order in which they are evaluated', t => {
  const shown = inEvaluationOrder([policy('a', 'allow'), policy('d', 'deny'), policy('c', 'custom')]);
  t.same(
    shown.map(p => p.name),
    ['c', 'd', 'a'],
  );
  t.end();
});

test('what is left over is told', t => {
  t.match(verdictOf([]), /whatever gets here is allowed/);
  t.match(verdictOf([policy('d', 'deny')]), /no DENY policy matches is allowed/);
  t.match(verdictOf([policy('d', 'deny'), policy('a', 'allow')]), /no ALLOW policy matches is denied/);
  t.match(verdictOf([policy('a', 'allow', true)]), /whatever gets here is allowed/, 'a dry run has no say');
  t.end();
});

/** [sentence, labels and annotations of pod and namespace, what is said] */
const CAPTURE: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'captured by its namespace',
    'annotations: { ambient.istio.io/redirection: enabled }',
    'ambient',
    /^captured: label .* of namespace shop is ambient$/,
  ],
  [
    'left out by its own label',
    'labels: { istio.io/dataplane-mode: none }',
    'ambient',
    /^not captured: label .* of the pod is none$/,
  ],
  ['under way', 'annotations: { ambient.istio.io/redirection: pending }', 'ambient', /^capture is under way/],
  [
    'not asked for',
    'annotations: {}',
    'null',
    /^not captured: neither the pod nor its namespace has the label/,
  ],
];

test('whether a pod is captured, and which label says so', t => {
  for (const [sentence, metadata, mode, message] of CAPTURE) {
    const [pod, namespace] = objectsOf(
      `kind: Pod\nmetadata: { name: p, namespace: shop, ${metadata} }\n---\nkind: Namespace\nmetadata: { name: shop, labels: { ${mode === 'null' ? '' : `istio.io/dataplane-mode: ${mode}`} } }`,
    );
    t.match(pod && captureFact(pod, namespace).value, message, sentence);
  }
  t.end();
});

const SHOP = decodeConfigDump({
  workloads: [
    {
      uid: 'p',
      name: 'p',
      namespace: 'shop',
      node: 'n1',
      tunnelProtocol: 'hbone',
      trustDomain: 'cluster.local',
      serviceAccount: 'p',
      status: 'unhealthy',
      services: { 'shop/s.shop.svc.cluster.local': [] },
    },
  ],
  services: [
    {
      name: 's',
      namespace: 'shop',
      hostname: 's.shop.svc.cluster.local',
      waypoint: { kind: 'hostname', namespace: 'shop', hostname: 'w.shop.svc.cluster.local' },
    },
  ],
});
const FACTS: MeshFacts = {
  workloads: SHOP.workloads,
  services: SHOP.services,
  ztunnels: new Map(),
  waypoints: new Map(),
  objectStates: new Map(),
};

test('what could not be asked is said to be unknown, never taken for "no policy"', t => {
  const { hops, facts } = describePod('shop/p', FACTS, undefined);
  const last = hops.at(-1);
  t.equal(last?.policies, undefined);
  t.match(last?.facts, [{ name: 'not known', value: 'policies: no ztunnel of node n1 answered' }]);
  t.match(facts.find(f => f.name === 'certificate')?.value, /not known/);
  t.end();
});

test("whether a pod's dns is captured, as its ztunnel tells", t => {
  for (const [dns, expected] of [
    [new Map([['shop/p', true]]), 'answered by ztunnel, or handed on by it'],
    [new Map([['shop/p', false]]), 'left alone'],
    [new Map(), undefined],
  ] as const) {
    const ztunnel = { name: 'z', certificates: [], policies: new Map(), dns };
    const { facts } = describePod('shop/p', { ...FACTS, ztunnels: new Map([['n1', ztunnel]]) }, undefined);
    t.equal(facts.find(({ name }) => name === 'dns')?.value, expected);
  }
  t.end();
});

test('what keeps connections from working is told', t => {
  const { warnings } = describeService('shop/s', FACTS);
  t.match(warnings.join('\n'), /no healthy endpoint/);
  t.match(warnings.join('\n'), /waypoint shop\/w has no ready pod: connections are refused/);
  const denied = (hostname: string) => ({ kind: 'hostname', namespace: 'infra', hostname });
  const other = decodeConfigDump({
    services: [
      {
        name: 's',
        namespace: 'shop',
        hostname: 's.shop.svc.cluster.local',
        waypoint: denied('w.attachment-denied.infra.svc.cluster.local'),
      },
    ],
  });
  const told = describeService('shop/s', { ...FACTS, services: other.services }).warnings.join('\n');
  t.match(told, /waypoint infra\/w does not allow namespace shop: .*allowedRoutes of its Gateway/);
  t.notMatch(told, /no ready pod/);
  t.match(
    describePod('shop/p', FACTS, undefined).warnings.join('\n'),
    /its own address pass no waypoint[^]*not healthy/,
  );
  t.end();
});

test('the canary of a waypoint is shown with its share', t => {
  const gateway = (name: string) => ({
    kind: 'hostname',
    namespace: 'shop',
    hostname: `${name}.shop.svc.cluster.local`,
  });
  const rows: readonly [sentence: string, weights: readonly number[], expected: string][] = [
    ['none', [], 'shop/w'],
    ['a share', [80, 20], 'shop/w; canary shop/next gets 20% of connections'],
    ['nothing yet', [100, 0], 'shop/w; canary shop/next gets 0% of connections'],
    ['weights that are none', [0, 0], 'shop/w'],
  ];
  for (const [sentence, weights, expected] of rows) {
    const weightedWaypoints = weights.map((weight, i) => ({
      destination: gateway(i === 0 ? 'w' : 'next'),
      weight,
    }));
    const service = {
      name: 's',
      namespace: 'shop',
      hostname: 's.shop.svc.cluster.local',
      waypoint: gateway('w'),
    };
    const { services } = decodeConfigDump({ services: [{ ...service, weightedWaypoints }] });
    const { facts } = describeService('shop/s', { ...FACTS, services });
    t.equal(facts.find(({ name }) => name === 'waypoint')?.value, expected, sentence);
  }
  t.end();
});

test('where a service is known that is not known everywhere', t => {
  for (const [visibility, expected] of [
    ['public', undefined],
    ['namespace', 'shop'],
    [['bank', 'shop'], 'bank, shop'],
    [['~'], 'no namespace'],
  ] as const) {
    const one = { name: 's', namespace: 'shop', hostname: 's.shop.svc.cluster.local', visibility };
    const { facts } = describeService('shop/s', {
      ...FACTS,
      services: decodeConfigDump({ services: [one] }).services,
    });
    t.equal(facts.find(({ name }) => name === 'known in')?.value, expected, String(visibility));
  }
  t.end();
});

test('how endpoints are found that nobody lists', t => {
  const dumped = (fields: object) =>
    decodeConfigDump({ services: [{ name: 'vendor', namespace: 'shop', ...fields }] });
  const hostname = '*.vendor.test';
  const addresses = [{ ip: '203.0.113.0', prefixLength: 24 }];
  const waypoint = { kind: 'hostname', namespace: 'shop', hostname: 'w.shop.svc.cluster.local' };
  const found = dumped({ hostname, addresses, waypoint });
  const key = `shop/${hostname}`;
  const names = Array.from({ length: 7 }, (_, i) => `${i}.vendor.test`);
  const asked = (endpoints: readonly string[]): MeshFacts => ({
    ...FACTS,
    services: found.services,
    waypoints: new Map([
      [
        'shop/w.shop.svc.cluster.local',
        {
          name: 'w',
          readyPods: 1,
          pods: 1,
          error: undefined,
          policies: new Map(),
          routes: new Map([[key, { endpointsByHost: true }]]),
          endpoints: new Map([[key, endpoints]]),
        },
      ],
    ]),
  });
  const said = (facts: MeshFacts): string | undefined =>
    describeService('shop/vendor', facts).facts.find(f => f.name === 'endpoints')?.value;
  t.match(said(asked([])), /^found by the waypoint for each host that is asked for; known now: none$/);
  t.match(said(asked(names)), /known now: 0.vendor.test, .*4.vendor.test and 2 more$/);
  const { facts, warnings } = describeService('shop/vendor', asked([]));
  t.same(warnings, []);
  t.match(facts, [{}, { name: 'addresses', value: '203.0.113.0/24' }]);
  const passed = dumped({ hostname, addresses, loadBalancing: { mode: 'passthrough' } });
  t.equal(said({ ...FACTS, services: passed.services }), 'the address that the client dials');
  t.match(
    describeService('shop/vendor', { ...FACTS, services: found.services }).warnings[0],
    /no healthy endpoint/,
    'without an answer of its waypoint nothing is known of it',
  );
  t.end();
});
