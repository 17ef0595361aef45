import { test } from 'tap';
import { ambientctl, output } from '../ambientctl.ts';
import { kubectl, listObjects } from '../kubectl.ts';
import { loadReport } from '../load-report.ts';
import { echoPod, pod, service } from '../objects.ts';
import { MESH_NAMESPACE, nodeNames, skip, testNamespace } from '../test-namespace.ts';
import { watchWire } from '../wire.ts';

test('an uninstallation releases every pod, and a second installation takes them again', {
  skip,
}, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'uninstall');
  await ns.apply(service('server'), echoPod('server', { node: two }), pod('client', { node: one }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const load = ns.load('client', '--seconds=20', '--rate=50', '--fresh', 'http://server/');
  const removed = await ambientctl('uninstall --timeout 120');
  t.equal(removed.status, 0, removed.err);
  t.match(removed.err, new RegExp(`still on namespace .*${ns.name}`), 'it is said what is left');
  const report = loadReport(await load.done);
  t.equal(report.failed, 0, `meanwhile: ${JSON.stringify(report)}`);
  await ns.released();
  t.same(
    await listObjects(
      MESH_NAMESPACE,
      'daemonsets,deployments,jobs,services,serviceaccounts',
      'app.kubernetes.io/part-of=ambient-mesh',
    ),
    [],
  );
  t.notMatch(await kubectl(['get', 'clusterroles,clusterrolebindings', '-o', 'name']), /ztunnel|ambient/);
  const ip = await ns.podIp('server');
  const wire = await watchWire(two, `host ${ip}`, async () =>
    ns.reachable('client', 'http://server/in-plain-text'),
  );
  t.match(wire.text, /in-plain-text/);
  await ns.apply(service('after'), echoPod('after'));
  await ns.ready({ captured: false });
  await ns.reachable('client', 'http://after/');
  t.pass('pods start without the CNI plugin');

  t.match(await output(t, 'install --wait --timeout 120'), /release ambient installed/);
  await ns.captured();
  await ns.reachable('client', 'http://after/');
});
