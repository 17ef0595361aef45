import { type Test, test } from 'tap';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { children, text } from '#shared/config/json-fields.ts';
import { ambientctl, output } from '../ambientctl.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { echoPod, pod, service } from '../objects.ts';
import { MESH_NAMESPACE, nodeNames, skip, type TestNamespace, testNamespace } from '../test-namespace.ts';

async function shop(t: Test, name: string): Promise<TestNamespace> {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, name);
  await ns.apply(service('server'), echoPod('server', { node: two }), pod('client', { node: one }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  return ns;
}

/** What must hold whatever else runs in the cluster. */
const MUST_HOLD = [
  'api-reachable',
  'controller-ready',
  'leases',
  'crds',
  'versions',
  'ztunnel-on-every-node',
  'cni-chain',
  'proxy-tokens',
  'certificates-held',
  'certificates-renewed',
  'roots-agree',
  'root-config-maps',
];

test('check finds the mesh sound', { skip }, async t => {
  await shop(t, 'ctl-check');
  const { out } = await ambientctl('check -o json');
  const answer = parseJson(out);
  const checks = isJsonObject(answer) ? children(answer, 'checks') : [];
  for (const id of MUST_HOLD) {
    const found = checks.find(check => text(check, 'id') === id);
    t.match(found, { outcome: { state: 'ok' } }, id);
  }
});

test('a cluster of this kind is found ready for an installation', { skip }, async t => {
  const answer = parseJson(await output(t, 'check --pre -o json'));
  const checks = isJsonObject(answer) ? children(answer, 'checks') : [];
  t.match(
    checks.find(check => text(check, 'id') === 'api-reachable'),
    { outcome: { state: 'ok' } },
  );
});

test('what the proxies know is read by port-forward', { skip }, async t => {
  const ns = await shop(t, 'ctl-dump');
  t.match(await output(t, 'version'), /controller +ambient-controller-\S+ +\d[^]*ztunnel +ztunnel-\S+ +\d/);
  t.match(await output(t, `zc workloads -n ${ns.name}`), /server +10\.[\d.]+ +\S+ +None +HBONE/);
  t.match(await output(t, `zc services -n ${ns.name}`), /server +10\.[\d.]+ +None +1\/1/);
  t.match(await output(t, 'zc certificates'), new RegExp(`ns/${ns.name}/sa/default +Leaf +Available +true`));
  t.match(await output(t, `authz check ${ns.name}/server --from ${ns.name}/client`), /^ALLOWED/);
  t.match(await output(t, `logs ${ns.name}/server --tail 5`), /\S/);
});

test('every proxy is synced, as the controllers see it', { skip }, async t => {
  await eventually('all proxies synced', 15_000, async () => {
    const out = await output(t, `proxy-status -n ${MESH_NAMESPACE}`);
    return /ztunnel-\S+/.test(out) && !/not connected|stale|nack/.test(out) ? true : out;
  });
});

test('describe tells what a connection passes', { skip }, async t => {
  const ns = await shop(t, 'ctl-describe');
  const described = await output(t, `describe pod ${ns.name}/server`);
  t.match(described, /mesh: +captured: label istio.io\/dataplane-mode of namespace \S+ is ambient/);
  t.match(described, /mTLS: PERMISSIVE/);
  t.match(await output(t, `describe service ${ns.name}/server`), /endpoints: +1\/1 healthy/);
  t.match(await output(t, `describe namespace ${ns.name}`), /captured: +2\/2 pods/);
});

test('namespaces are added and removed while they run', { skip }, async t => {
  const ns = await testNamespace(t, 'ctl-namespace', { meshed: false });
  await ns.apply(pod('client'));
  await ns.ready({ captured: false });
  await output(t, `namespace add ${ns.name}`);
  await ns.captured();
  t.match(await output(t, 'namespace list'), new RegExp(`${ns.name} +ambient +1/1`));
  await output(t, `namespace remove ${ns.name}`);
  await ns.released();
});

const noGatewayApi =
  skip ||
  (process.env['E2E_GATEWAY_API'] === undefined && 'needs the definitions of Gateway API: GATEWAY_API_CRDS');

test('a waypoint is applied, watched, and deleted', { skip: noGatewayApi }, async t => {
  const ns = await shop(t, 'ctl-waypoint');
  const generated = await output(t, `waypoint generate -n ${ns.name} --name generated`);
  await kubectl(['apply', '--dry-run=server', '-f', '-'], { input: generated });
  const applied = await output(t, `waypoint apply -n ${ns.name} --enroll-namespace --wait`);
  t.match(applied, /is ready/);
  t.match(await output(t, `waypoint list -n ${ns.name}`), /waypoint +default +service +True/);
  t.match(await output(t, `waypoint status -n ${ns.name}`), /True +Programmed/);
  await ns.reachable('client', 'http://server/');
  const watched = ambientctl(`tap server -n ${ns.name} --limit 1 --duration 20s`);
  let hasSeen = false;
  void watched.then(() => (hasSeen = true));
  await eventually('a request is seen by the tap', 25_000, async () => {
    await ns.request('client', 'http://server/tapped');
    return hasSeen || 'not yet';
  });
  t.match(
    (await watched).out,
    /req id=\S+ src=client dst=server\.\S+ tls=true :method=GET :authority=server :path=\/tapped/,
  );
  t.match(
    await output(t, `describe service ${ns.name}/server`),
    /waypoint \S+\/waypoint: service \S+\/server asks for it/,
  );
  t.match((await ambientctl(`waypoint delete waypoint -n ${ns.name}`)).err, /is used by namespace/);
  await ns.label('namespace', ns.name, 'istio.io/use-waypoint-');
  t.match(await output(t, `waypoint delete waypoint -n ${ns.name}`), /deleted/);
});
