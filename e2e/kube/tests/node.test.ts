import { test } from 'tap';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { eventually } from '../eventually.ts';
import { install } from '../installation.ts';
import { getField, kubectl, listObjects } from '../kubectl.ts';
import { NodeFiles } from '../node-files.ts';
import { authorizationPolicy, echoPod, pod, service, serviceAccount } from '../objects.ts';
import {
  MESH_NAMESPACE,
  nameOf,
  nodeNames,
  skip,
  type TestNamespace,
  testNamespace,
} from '../test-namespace.ts';

const CNI_DIRECTORY = '/etc/cni/net.d';
const PLUGIN_DIRECTORY = '/opt/cni/bin';
const PLUGIN = 'ambient-cni';
const REPAIR_DEADLINE_MS = 15_000;
const TAINT = 'ambient.mesh/not-ready';

const taintsOf = (node: string): Promise<string> => getField('', 'node', node, '.spec.taints[*].key');

async function killZtunnel(node: string): Promise<void> {
  const pods = await listObjects(MESH_NAMESPACE, 'pods', 'app.kubernetes.io/name=ztunnel');
  const [victim] = pods.filter(p => isJsonObject(p['spec']) && p['spec']['nodeName'] === node);
  await kubectl(['delete', 'pod', '-n', MESH_NAMESPACE, nameOf(victim ?? {}), '--grace-period=0', '--force']);
}

/** What another network's installer writes knows nothing of us. */
function withoutPlugin(conflist: string): string {
  const list = parseJson(conflist);
  if (!isJsonObject(list) || !Array.isArray(list['plugins'])) throw new Error(`no list: ${conflist}`);
  const plugins: readonly unknown[] = list['plugins'];
  return JSON.stringify({ ...list, plugins: plugins.filter(p => isJsonObject(p) && p['type'] !== PLUGIN) });
}

test('another CNI writes its list anew: the plugin is chained again, and the next pod is captured', {
  skip,
}, async t => {
  const [node = ''] = await nodeNames();
  const files = await NodeFiles.open(node, CNI_DIRECTORY);
  const names = (await files.list()).filter(name => name.endsWith('.conflist')).toSorted();
  const name = names[0] ?? '';
  const chained = await files.read(name);
  t.match(chained, PLUGIN);
  await files.write(name, withoutPlugin(chained));
  const took = await eventually('the plugin is in the chain', REPAIR_DEADLINE_MS, async () =>
    (await files.read(name)).includes(PLUGIN) ? true : 'not yet',
  );
  t.comment(`after ${took.toFixed(0)} ms`);
  t.same(parseJson(await files.read(name)), parseJson(chained), 'as it was');
  const ns = await testNamespace(t, 'cnilist');
  await ns.apply(service('server'), echoPod('server', { node }), pod('client', { node }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
});

test('somebody removes the executable of the plugin: it comes back, and pods start again', {
  skip,
}, async t => {
  const [node = ''] = await nodeNames();
  const files = await NodeFiles.open(node, PLUGIN_DIRECTORY);
  t.ok((await files.list()).includes(PLUGIN));
  await files.remove(PLUGIN);
  const took = await eventually('the executable is there', REPAIR_DEADLINE_MS, async () =>
    (await files.list()).includes(PLUGIN) ? true : 'not yet',
  );
  t.comment(`after ${took.toFixed(0)} ms`);
  const ns = await testNamespace(t, 'cniplugin');
  await ns.apply(service('server'), echoPod('server', { node }), pod('client', { node }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
});

test('a node whose ztunnel is gone takes no pods until it has one again', { skip }, async t => {
  const [, node = ''] = await nodeNames();
  // What ztunnel itself needs has to tolerate it; of that there is nothing on this node.
  await install(['controller.nodeTaint.enabled=true']);
  t.teardown(() => install(['controller.nodeTaint.enabled=false']));
  await eventually('no node is tainted', REPAIR_DEADLINE_MS, async () =>
    (await taintsOf(node)).includes(TAINT) ? 'it is' : true,
  );
  await killZtunnel(node);
  await eventually('the node is tainted', REPAIR_DEADLINE_MS, async () =>
    (await taintsOf(node)).includes(TAINT) ? true : 'it is not',
  );
  await kubectl(['rollout', 'status', '-n', MESH_NAMESPACE, 'daemonset/ztunnel', '--timeout=60s']);
  await eventually('the node is free again', REPAIR_DEADLINE_MS, async () =>
    (await taintsOf(node)).includes(TAINT) ? 'tainted' : true,
  );
  t.pass('it was closed meanwhile');
});

/** Pods one after the other with the same address: what gives addresses is told which one is next. */
async function podWithAddress(
  ns: TestNamespace,
  files: NodeFiles,
  ip: string,
  make: () => Promise<void>,
  name: string,
): Promise<boolean> {
  const parts = ip.split('.');
  const before = [...parts.slice(0, 3), String(Number(parts[3]) - 1)].join('.');
  await files.write('last_reserved_ip.0', before);
  await make();
  await ns.ready();
  return (await ns.podIp(name)) === ip;
}

test('an address that another pod had: neither its identity nor its connections are taken for the new one’s', {
  skip,
}, async t => {
  const [one = '', two = one] = await nodeNames();
  const networks = await NodeFiles.open(two, '/var/lib/cni/networks');
  const [network = ''] = await networks.list();
  const files = await NodeFiles.open(two, `/var/lib/cni/networks/${network}`);
  if (!(await files.list()).includes('last_reserved_ip.0')) {
    t.comment('addresses are not given by host-local');
    return;
  }
  const ns = await testNamespace(t, 'reused');
  const named = (name: string) => echoPod(name, { node: two, serviceAccount: name });
  await ns.apply(serviceAccount('old'), serviceAccount('new'), service('old'), service('new'));
  await ns.apply(
    named('old'),
    echoPod('guarded', { node: one }),
    service('guarded'),
    pod('client', { node: one }),
  );
  const principals = [`cluster.local/ns/${ns.name}/sa/old`];
  await ns.apply(
    authorizationPolicy('old-only', { rules: [{ from: [{ source: { principals } }] }] }, 'guarded'),
  );
  await ns.ready();
  await ns.reachable('client', 'http://old/');
  await ns.reachable('old', 'http://guarded/');
  const ip = await ns.podIp('old');

  await ns.delete('pod', 'old');
  const isReused = await podWithAddress(ns, files, ip, () => ns.apply(named('new')), 'new');
  if (!isReused) {
    t.comment(`${ip} was given to somebody else meanwhile`);
    return;
  }
  await ns.reachable('client', 'http://new/');
  const answers = await Promise.all(Array.from({ length: 10 }, () => ns.request('client', 'http://new/')));
  t.same(
    answers.map(({ status, seen }) => `${status} ${seen?.hostname}`),
    answers.map(() => '200 new'),
    'every request reaches the new pod, whose identity its ztunnel proves',
  );
  const refused = await ns.request('new', 'http://guarded/');
  t.not(refused.status, 200, 'and it has none of the rights of who had the address before');
});
