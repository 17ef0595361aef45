import { test } from 'tap';
import { bindCanary, type CanaryRequest } from './bind-canary.ts';
import type { Waypoint } from './waypoint.ts';

const CLUSTER = { clusterId: 'c', clusterDomain: 'cluster.local', trustDomain: 'td', network: '' };

function waypoint(namespace: string, name: string, more: Partial<Waypoint> = {}): [string, Waypoint] {
  return [
    `${namespace}/${name}`,
    {
      name,
      namespace,
      waypointFor: 'service',
      hboneMtlsPort: 15_008,
      allowedNamespaces: { from: 'Same' },
      ...more,
    },
  ];
}

const WAYPOINTS = new Map([
  waypoint('shop', 'wp'),
  waypoint('shop', 'next', { hboneMtlsPort: 15_009 }),
  waypoint('shop', 'other'),
  waypoint('shop', 'pods', { waypointFor: 'workload' }),
  waypoint('infra', 'next', { allowedNamespaces: { from: 'All' } }),
  waypoint('infra', 'closed'),
]);

type Texts = Readonly<Record<string, string>>;
/** By what is left of `istio.io/use-waypoint`: '', '-namespace', '-canary', '-canary-namespace'. */
interface Asked {
  readonly labels?: Texts;
  readonly weight?: string;
}

function meta({ labels = {}, weight }: Asked): CanaryRequest['own'] {
  return {
    labels: Object.fromEntries(Object.entries(labels).map(([key, v]) => [`istio.io/use-waypoint${key}`, v])),
    annotations: weight === undefined ? {} : { 'istio.io/use-waypoint-canary-weight': weight },
  };
}

function bound(own: Asked, ofNamespace: Asked = {}): ReturnType<typeof bindCanary> {
  const request = { namespace: 'shop', own: meta(own), ofNamespace: meta(ofNamespace) };
  return bindCanary(request, { waypoint: (ns, name) => WAYPOINTS.get(`${ns}/${name}`) }, CLUSTER);
}

const OWN = { '': 'wp', '-canary': 'next' };

test('which canary a service has, with which share', t => {
  const rows: readonly [sentence: string, own: Asked, namespace: Asked, expected: string | undefined][] = [
    ['the labels of its own', { labels: OWN, weight: '20' }, {}, 'shop/next 20'],
    ['no weight is a weight of 0: it is there, and gets nothing yet', { labels: OWN }, {}, 'shop/next 0'],
    ['a weight of 100', { labels: OWN, weight: '100' }, {}, 'shop/next 100'],
    [
      'one of another namespace that allows it',
      { labels: { ...OWN, '-canary-namespace': 'infra' }, weight: '5' },
      {},
      'infra/next 5',
    ],
    [
      'the namespace of the waypoint is not that of the canary',
      { labels: { '': 'next', '-namespace': 'infra', '-canary': 'wp' }, weight: '5' },
      {},
      'shop/wp 5',
    ],
    ['those of its namespace', {}, { labels: OWN, weight: '30' }, 'shop/next 30'],
    [
      'a canary of its own where the waypoint is that of its namespace',
      { labels: { '-canary': 'other' }, weight: '10' },
      { labels: OWN, weight: '30' },
      'shop/other 10',
    ],
    [
      'a share of its own of the canary of its namespace',
      { weight: '10' },
      { labels: OWN, weight: '30' },
      'shop/next 10',
    ],
    [
      'a canary of its own with the share of its namespace',
      { labels: { '-canary': 'other' } },
      { labels: OWN, weight: '30' },
      'shop/other 30',
    ],
    [
      'who has a waypoint of its own has no canary of the namespace',
      { labels: { '': 'wp' }, weight: '10' },
      { labels: OWN, weight: '30' },
      undefined,
    ],
    [
      'nor the share of the namespace',
      { labels: OWN },
      { labels: { '': 'wp', '-canary': 'other' }, weight: '30' },
      'shop/next 0',
    ],
    ['none', { labels: { '-canary': 'none' } }, { labels: OWN, weight: '30' }, undefined],
    ['an empty label', { labels: { '-canary': '' } }, { labels: OWN, weight: '30' }, undefined],
    ['a canary without a waypoint', { labels: { '-canary': 'next' }, weight: '5' }, {}, undefined],
    ['no waypoint is wanted', { labels: { '': 'none', '-canary': 'next' }, weight: '5' }, {}, undefined],
    ['the waypoint is not there', { labels: { '': 'lost', '-canary': 'next' }, weight: '5' }, {}, undefined],
    [
      'the waypoint does not allow it',
      { labels: { '': 'closed', '-namespace': 'infra', '-canary': 'next' }, weight: '5' },
      {},
      undefined,
    ],
  ];
  for (const [sentence, own, ofNamespace, expected] of rows) {
    const canary = bound(own, ofNamespace);
    const shown = canary.kind === 'bound' ? `${canary.namespace}/${canary.name} ${canary.weight}` : undefined;
    t.equal(shown, expected, sentence);
    t.not(canary.kind, 'refused', sentence);
  }
  t.match(bound({ labels: OWN, weight: '20' }), {
    address: {
      kind: 'hostname',
      namespace: 'shop',
      hostname: 'next.shop.svc.cluster.local',
      hboneMtlsPort: 15_009,
    },
  });
  t.end();
});

test('a canary that cannot be one is refused with the reason, and the waypoint takes everything', t => {
  const rows: readonly [sentence: string, own: Asked, reason: string, message: RegExp][] = [
    [
      'one that is not there',
      { labels: { '': 'wp', '-canary': 'lost' }, weight: '5' },
      'WaypointIsNotReady',
      /^canary: there is no waypoint shop\/lost/,
    ],
    [
      'one that does not allow the namespace',
      { labels: { '': 'wp', '-canary': 'closed', '-canary-namespace': 'infra' }, weight: '5' },
      'AttachmentDenied',
      /^canary: waypoint infra\/closed does not allow namespace shop/,
    ],
    [
      'one for another kind of traffic',
      { labels: { '': 'wp', '-canary': 'pods' }, weight: '5' },
      'UnsupportedTrafficType',
      /^canary: waypoint shop\/pods is for workload traffic/,
    ],
    [
      'the waypoint itself',
      { labels: { '': 'wp', '-canary': 'wp' }, weight: 'much' },
      'CanarySameAsPrimary',
      /^canary: shop\/wp is the waypoint itself/,
    ],
    ...['101', '-1', '0.5', 'much', '', '20%', '1e1'].map(
      weight =>
        [
          `a weight of ${JSON.stringify(weight)}`,
          { labels: { '': 'wp', '-canary': 'lost' }, weight },
          'CanaryInvalidWeight',
          /^canary: .* must be an integer in \[0,100\]/,
        ] as const,
    ),
  ].map(row => [...row] as [string, Asked, string, RegExp]);
  for (const [sentence, own, reason, message] of rows) {
    const canary = bound(own);
    t.match(canary, { kind: 'refused', reason, message }, sentence);
    if (canary.kind === 'refused')
      t.match(canary.message, /all connections go to waypoint shop\/wp$/, sentence);
  }
  t.end();
});
