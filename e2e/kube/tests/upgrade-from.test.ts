import { existsSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { eventually } from '../eventually.ts';
import { waypoint } from '../gateway-objects.ts';
import { install } from '../installation.ts';
import { getField, kubectl } from '../kubectl.ts';
import { type LoadReport, loadReport } from '../load-report.ts';
import { echoPod, echoWorkload, pod, service } from '../objects.ts';
import {
  MESH_NAMESPACE,
  nodeNames,
  skip as noCluster,
  type TestNamespace,
  testNamespace,
} from '../test-namespace.ts';

/** What `npm run image:from -- REF` writes. */
const FROM = 'dist-image/from';
const VERSION = `${FROM}/version.json`;
const skip =
  noCluster ||
  (process.env['E2E_GATEWAY_API'] === undefined &&
    'needs the definitions of Gateway API: GATEWAY_API_CRDS') ||
  (!existsSync(VERSION) && 'needs another version, and its image on the nodes: npm run image:from -- REF');
const PROGRAMMED = '.status.conditions[?(@.type=="Programmed")].status';

async function rolledOut(...what: readonly string[]): Promise<void> {
  for (const one of what)
    await kubectl(['rollout', 'status', '-n', MESH_NAMESPACE, one, '--timeout=120s'], { timeoutMs: 150_000 });
}

async function installVersion(values: readonly string[], charts?: string): Promise<void> {
  await install(values, charts);
  await rolledOut('daemonset/ztunnel', 'deployment/ambient-controller');
}

function otherTag(): string {
  const version = parseJson(readFileSync(VERSION, 'utf8'));
  if (!isJsonObject(version) || typeof version['tag'] !== 'string') throw new Error(`${VERSION}: no tag`);
  return version['tag'].split(':').at(-1) ?? '';
}

async function setUp(ns: TestNamespace): Promise<void> {
  const [one = '', two = one] = await nodeNames();
  await ns.apply(
    service('server'),
    service('routed'),
    echoPod('server', { node: two }),
    echoWorkload('routed', { replicas: 2 }),
    pod('client', { node: one }),
    waypoint('waypoint'),
  );
  await eventually('the waypoint is programmed', 60_000, async () => {
    const status = await getField(ns.name, 'gateway', 'waypoint', PROGRAMMED);
    return status === 'True' ? true : `Programmed is ${status}`;
  });
  await ns.label('service', 'routed', 'istio.io/use-waypoint=waypoint');
  await ns.ready();
  for (const name of ['server', 'routed']) await ns.reachable('client', `http://${name}/`);
}

/** What clients see while the mesh is changed by `change`. */
async function watched(ns: TestNamespace, change: () => Promise<void>): Promise<Record<string, LoadReport>> {
  const loads = {
    'new connections': ns.load('client', '--seconds=50', '--rate=40', '--fresh', 'http://server/'),
    // The grace of the one that ends is 30 s from when the next one is ready.
    'a connection that is kept': ns.load('client', '--seconds=25', '--stream', 'server:9000'),
    'requests through a waypoint': ns.load('client', '--seconds=50', '--rate=40', 'http://routed/'),
  };
  await change();
  const reports: Record<string, LoadReport> = {};
  for (const [what, load] of Object.entries(loads)) reports[what] = loadReport(await load.done);
  return reports;
}

test('from another version to this one, back, and again: no request fails, none is cut within its grace', {
  skip,
}, async t => {
  const from = [`global.image.tag=${otherTag()}`];
  const here = ['global.image.tag='];
  t.teardown(() => installVersion(here));
  await installVersion(from, `${FROM}/charts`);
  const ns = await testNamespace(t, 'upgrade-from');
  await setUp(ns);
  for (const [name, change] of [
    ['upgrade', () => installVersion(here)],
    ['back', () => installVersion(from, `${FROM}/charts`)],
    ['again', () => installVersion(here)],
  ] as const)
    for (const [what, report] of Object.entries(await watched(ns, change)))
      t.equal(report.failed, 0, `${name}: ${what}: ${report.ok} and ${JSON.stringify(report.failures)}`);
});
