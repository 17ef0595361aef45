import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'tap';
import { stringify } from 'yaml';
import { kubeObject } from '../testing/golden-pairs.ts';
import { gatewaySpecOf } from './gateway-spec.ts';
import { renderWaypoint } from './render-waypoint.ts';
import {
  DEFAULT_WAYPOINT_OPTIONS,
  parseWaypointOptions,
  type WaypointTemplate,
} from './waypoint-template.ts';

const TEMPLATE: WaypointTemplate = {
  image: 'ambient-mesh:1',
  xdsAddress: 'istiod.istio-system.svc:15012',
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  trustDomain: 'cluster.local',
  network: '',
  logLevel: 'info',
  logFormat: 'text',
  options: DEFAULT_WAYPOINT_OPTIONS,
};

function rendered(infrastructure: object | undefined, template: Partial<WaypointTemplate> = {}): string {
  const object = kubeObject('Gateway', { gatewayClassName: 'ambient-waypoint', infrastructure });
  const spec = gatewaySpecOf({ ...object, body: { metadata: { uid: 'u-1' } } });
  if (spec === undefined) throw new Error('no Gateway');
  const manifests = renderWaypoint(spec, { ...TEMPLATE, ...template });
  return manifests.map(manifest => stringify(manifest.object, { lineWidth: 120 })).join('---\n');
}

function golden(name: string, actual: string): string {
  const file = new URL(`./testdata/${name}.yaml`, import.meta.url);
  if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(file, actual);
  return readFileSync(file, 'utf8');
}

test('a waypoint as it is made by default', async t => {
  const actual = rendered(undefined);
  t.equal(actual, golden('default', actual));
});

test('a waypoint with everything that can be set', async t => {
  const options = parseWaypointOptions(
    JSON.stringify({
      imagePullPolicy: 'Never',
      imagePullSecrets: [{ name: 'registry' }],
      autoscaling: { minReplicas: 3, maxReplicas: 9, targetCpuPercent: 60 },
      resources: { requests: { cpu: '1' } },
      env: { WORKER_THREADS: '2', LOG_LEVEL: 'debug', NODE_NAME: 'fixed' },
      podAnnotations: { note: 'of all', 'prometheus.io/scrape': 'true' },
      nodeSelector: { disk: 'fast' },
      tolerations: [{ key: 'edge', operator: 'Exists' }],
      priorityClassName: 'high',
      terminationGracePeriodSeconds: 120,
    }),
    problem => t.fail(problem),
  );
  const infrastructure = {
    labels: { team: 'a', 'gateway.istio.io/managed': 'x' },
    annotations: { note: 'b' },
  };
  const actual = rendered(infrastructure, { options, network: 'net-1' });
  t.equal(actual, golden('everything', actual));
});

const WRONG: readonly [string, string, RegExp][] = [
  ['no JSON', '{', /no JSON object/],
  ['a list', '[]', /no JSON object/],
  ['an unknown field', '{"replica": 1}', /"replica", which is none of .*replicas/],
  ['a number of replicas that is none', '{"replicas": "2"}', /replicas is "2"; it must be a whole number/],
  ['a pull policy that is none', '{"imagePullPolicy": "Sometimes"}', /one of Always, IfNotPresent, Never/],
  [
    'more at least than at most',
    '{"autoscaling": {"minReplicas": 9}}',
    /maxReplicas 5 is less than minReplicas/,
  ],
  ['a variable that is no text', '{"env": {"A": 1}}', /env.A must be .* put numbers in quotes/],
  ['a variable whose name is none', '{"env": {"a b": "1"}}', /env.a b must be a name/],
  [
    'an annotation that is no text',
    '{"podAnnotations": {"prometheus.io/scrape": true}}',
    /podAnnotations.prometheus.io\/scrape must be a string/,
  ],
  [
    'tolerations that are no list',
    '{"tolerations": {}}',
    /tolerations is \{\}; it must be a list of objects/,
  ],
];

test('a wrong WAYPOINT_TEMPLATE', async t => {
  for (const [name, text, message] of WRONG) {
    const problems: string[] = [];
    parseWaypointOptions(text, problem => problems.push(problem));
    t.match(problems[0], message, name);
  }
});
