import { test } from 'tap';
import type { LocalityPolicy } from '#shared/route/traffic-policy.ts';
import { workload } from '#shared/testing/topology.ts';
import type { LoadBalancing, Workload } from '#shared/workload/workload.ts';
import { matchesLocality } from './locality-match.ts';
import { type LevelOptions, makeLevels } from './locality.ts';

const place = (region: string, zone = '', subzone = ''): Workload['locality'] => ({ region, zone, subzone });
const HERE = { network: 'n1', node: 'node-a', clusterId: 'c1', locality: place('r1', 'z1', 's1') };
const POLICY: LocalityPolicy = {
  enabled: true,
  distribute: [],
  failover: [],
  failoverPriority: [],
  zoneAware: undefined,
};
const ZONE_AWARE: LocalityPolicy = { ...POLICY, zoneAware: { minEndpoints: 1, percent: 100 } };
const FAILOVER: LoadBalancing = {
  routingPreference: ['zone'],
  mode: 'failover',
  healthPolicy: 'only_healthy',
};

/** One pod in each of these places, named for it. */
const PODS: Readonly<Record<string, Partial<Workload>>> = {
  subzone: { locality: place('r1', 'z1', 's1'), node: 'node-b' },
  zone: { locality: place('r1', 'z1', 's2') },
  region: { locality: place('r1', 'z2') },
  next: { locality: place('r2', 'z1') },
  far: { locality: place('r3', 'z1') },
};

/** Levels as text: `a b | c`, parts of one level with their weights as `70:a 30:b`. */
function levels(over: Partial<LevelOptions>, pods = PODS): string {
  const endpoints = Object.entries(pods).map(([name, fields]) => ({
    workload: workload(name, { network: 'n1', clusterId: 'c1', ...fields }),
  }));
  const made = makeLevels(endpoints, {
    policy: undefined,
    loadBalancing: undefined,
    place: HERE,
    detectsOutliers: false,
    ...over,
  });
  const names = (part: (typeof made)[number][number]): string =>
    part.endpoints.map(({ workload: w }) => w.name).join(' ');
  return made
    .map(parts =>
      parts.length === 1
        ? parts.map(names).join('')
        : parts.map(p => `${Math.round(p.weight * 100)}:${names(p)}`).join(' , '),
    )
    .join(' | ');
}

test('who is near, by which words', t => {
  const rows: readonly (readonly [string, Partial<LevelOptions>, string])[] = [
    ['nothing said: all alike', {}, 'subzone zone region next far'],
    [
      'outlier detection: Istio ranks by locality',
      { detectsOutliers: true },
      'subzone | zone | region | next far',
    ],
    [
      'without a known place of its own it does not',
      { detectsOutliers: true, place: { ...HERE, locality: place('') } },
      'subzone zone region next far',
    ],
    ['a policy without outlier detection ranks nothing', { policy: POLICY }, 'subzone zone region next far'],
    [
      'turned off',
      { policy: { ...POLICY, enabled: false }, detectsOutliers: true },
      'subzone zone region next far',
    ],
    [
      'the region that takes over comes before the others',
      { policy: { ...POLICY, failover: [{ from: 'r1', to: 'r3' }] }, detectsOutliers: true },
      'subzone | zone | region | far | next',
    ],
    [
      'of another region it does not',
      { policy: { ...POLICY, failover: [{ from: 'r9', to: 'r3' }] }, detectsOutliers: true },
      'subzone | zone | region | next far',
    ],
    ['the service prefers its zone', { loadBalancing: FAILOVER }, 'subzone zone | region next far'],
    ['strictly', { loadBalancing: { ...FAILOVER, mode: 'strict' } }, 'subzone zone'],
    [
      'a preference of the service wins over the default of outlier detection',
      { loadBalancing: FAILOVER, detectsOutliers: true },
      'subzone zone | region next far',
    ],
    [
      'priorities by place and by label: the first that differs ends the count',
      {
        policy: {
          ...POLICY,
          failoverPriority: [
            { kind: 'region' },
            {
              kind: 'workloads',
              workloads: ['Kubernetes//Pod/default/region', 'Kubernetes//Pod/default/far'],
            },
            { kind: 'zone' },
          ],
        },
      },
      'region | subzone zone | next far',
    ],
    [
      'distribution: percents of localities, the others get nothing',
      {
        policy: {
          ...POLICY,
          distribute: [
            { from: 'r9/*', to: [{ locality: '*', percent: 100 }] },
            {
              from: 'r1/z1/*',
              to: [
                { locality: 'r1/z1/*', percent: 70 },
                { locality: 'r1/z2', percent: 30 },
              ],
            },
          ],
        },
      },
      '7000:subzone zone , 3000:region',
    ],
    [
      'distribution to nobody who is there',
      { policy: { ...POLICY, distribute: [{ from: '*', to: [{ locality: 'r8', percent: 100 }] }] } },
      '',
    ],
    [
      'zone aware: two of the region’s three endpoints, half of the clients: everything stays',
      { policy: ZONE_AWARE, place: { ...HERE, zoneShare: 0.5 } },
      'subzone zone | region | next far',
    ],
    [
      'zone aware: two of three endpoints for all of the clients: two thirds stay',
      { policy: ZONE_AWARE, place: { ...HERE, zoneShare: 1 } },
      '67:subzone zone , 33:region | next far',
    ],
    [
      'zone aware for half of the requests only',
      {
        policy: { ...ZONE_AWARE, zoneAware: { minEndpoints: 1, percent: 50 } },
        place: { ...HERE, zoneShare: 0.8 },
      },
      '75:subzone zone , 25:region | next far',
    ],
    [
      'zone aware with too few endpoints in the region: its zones are alike, it still comes first',
      { policy: { ...POLICY, zoneAware: { minEndpoints: 4, percent: 100 } } },
      'subzone zone region | next far',
    ],
    [
      'zone aware: the region that takes over comes before the others',
      {
        policy: { ...ZONE_AWARE, failover: [{ from: 'r1', to: 'r3' }] },
        place: { ...HERE, zoneShare: 0.5 },
      },
      'subzone zone | region | far | next',
    ],
    [
      'zone aware: labels come before regions',
      {
        policy: {
          ...ZONE_AWARE,
          failoverPriority: [{ kind: 'workloads', workloads: ['Kubernetes//Pod/default/far'] }],
        },
        place: { ...HERE, zoneShare: 0.5 },
      },
      'far | subzone zone region | next',
    ],
  ];
  for (const [sentence, over, expected] of rows) t.equal(levels(over), expected, sentence);
  t.equal(levels({}, {}), '', 'no endpoint, no level');
  t.end();
});

test('a locality is written with slashes, from the left', t => {
  const at = place('r1', 'z1', 's1');
  for (const pattern of ['r1', 'r1/z1', 'r1/z1/s1', 'r1/*', '*', 'r1/*/s1'])
    t.ok(matchesLocality(pattern, at), pattern);
  for (const pattern of ['r2', 'r1/z2', 'r1/z1/s2', 'z1', 'r1/z1/s1/x'])
    t.notOk(matchesLocality(pattern, at), pattern);
  t.end();
});
