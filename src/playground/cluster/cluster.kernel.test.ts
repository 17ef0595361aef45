import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';
import { ClusterNetwork } from '../network/cluster-network.ts';
import { child, textMap } from '#shared/config/json-fields.ts';
import { parseManifest } from '../objects/kube-object.ts';
import { ObjectStore } from '../objects/object-store.ts';
import { waitUntil } from '../process/mesh-process.ts';
import { execProgram } from '../process/pod-exec.ts';
import { Program } from '../process/program.ts';
import { makeDirectories, stateLayout } from '../state-layout.ts';
import { Cluster } from './cluster.ts';
import { NodeCapture } from './node-capture.ts';

const skip = cannotMakeNetns();

const SERVER = `require('node:http').createServer((q, r) => r.end(process.env.GREETING)).listen(8080)`;
/** A bound for what never comes. */
const LONG_MS = 60_000;
const FETCH = `fetch(process.argv[1]).then(r => r.text()).then(t => console.log(t), e => console.log(e.cause.code))`;

function manifest(greeting: string): string {
  return `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient } }
---
apiVersion: v1
kind: Pod
metadata: { name: web-0, namespace: shop, labels: { app: web } }
spec:
  nodeName: node-b
  serviceAccountName: web
  containers:
    - name: web
      command: [node, -e, ${JSON.stringify(SERVER)}]
      env: [{ name: GREETING, value: ${greeting} }]
      ports: [{ containerPort: 8080 }]
---
apiVersion: v1
kind: Pod
metadata: { name: client-0, namespace: shop }
spec:
  nodeName: node-a
  containers: [{ name: client, command: [sleep, "1000"] }]
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: 8080 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: waypoint, namespace: shop }
spec: { gatewayClassName: ambient-waypoint }
`;
}

function setUp(t: Test, prefix: string) {
  const root = mkdtempSync('/dev/shm/ambient-test-');
  const layout = stateLayout(root);
  makeDirectories(layout);
  const network = new ClusterNetwork(prefix);
  network.up(['node-a', 'node-b']);
  const store = new ObjectStore(layout.objects, layout.staging);
  const problems: string[] = [];
  const clock = systemClock;
  const cluster = new Cluster({
    layout,
    store,
    network,
    capture: new NodeCapture(layout),
    clock,
    podProgram: (pod, place) => {
      const { name, namespace, env } = pod;
      const argv = name === 'waypoint-0' ? ['sleep', '1000'] : pod.command;
      const hostsPath = layout.hostsOf(`${namespace}/${name}`);
      return new Program({
        name,
        argv,
        env,
        cwd: '/',
        netnsFd: place.netnsFd,
        hostsPath,
        logPath: layout.logOf(name),
        clock,
      });
    },
    podGone: () => undefined,
    report: line => void problems.push(line),
  });
  t.teardown(async () => {
    await cluster.close();
    network.close();
    rmSync(root, { recursive: true });
  });
  const apply = (text: string): void => {
    for (const object of parseManifest(text, 'test')) store.apply(object);
  };
  const settle = (): Promise<void> =>
    waitUntil(
      clock,
      LONG_MS,
      () => cluster.unsettled().length === 0,
      () => cluster.unsettled().join('; '),
    );
  const get = (url: string): Promise<string> => {
    const pod = cluster.pod('shop/client-0');
    const options = {
      argv: ['node', '-e', FETCH, url],
      env: {},
      cwd: '/',
      netnsFd: pod.network.netnsFd,
      hostsPath: layout.hostsOf('shop/client-0'),
      clock,
    };
    return execProgram(options, LONG_MS).then(({ stdout, stderr }) => stdout.trim() + stderr);
  };
  return { layout, store, cluster, apply, settle, get, problems, clock };
}

/** Says, as a ztunnel would, how every pod of a node stands. */
function sayAll(directory: string, state: 'enrolled' | 'not_captured'): void {
  for (const file of readdirSync(directory).filter(name => /^[^.]*\.json$/.test(name))) {
    writeFileSync(
      join(directory, file.replace('.json', '.status.json')),
      JSON.stringify({ state, message: '' }),
    );
  }
}

test('objects become pods, services and endpoints', { skip }, async t => {
  const { layout, store, cluster, apply, settle, get, problems, clock } = setUp(t, 'amtest3');
  cluster.start();
  apply(manifest('hello'));
  await waitUntil(
    clock,
    LONG_MS,
    () => cluster.pods().size === 2 + 1,
    () => 'pods',
  );
  t.match(
    cluster.unsettled().join('; '),
    /web-0 is not ready: its traffic is not captured yet/,
    'a pod waits for its ztunnel',
  );
  sayAll(layout.podsOf('node-a'), 'not_captured');
  sayAll(layout.podsOf('node-b'), 'enrolled');
  // The waypoint's program stands in for the real one, and listens on nothing.
  store.remove({ kind: 'Gateway', namespace: 'shop', name: 'waypoint' });
  await waitUntil(
    clock,
    LONG_MS,
    () => cluster.pods().size === 2,
    () => 'the waypoint goes with its Gateway',
  );
  t.equal(store.get({ kind: 'Service', namespace: 'shop', name: 'waypoint' }), undefined);
  await settle();

  const web = store.get({ kind: 'Pod', namespace: 'shop', name: 'web-0' });
  t.match(web?.body['status'], {
    phase: 'Running',
    podIP: '10.244.2.3',
    conditions: [{ type: 'Ready', status: 'True' }, {}],
  });
  t.match(textMap(child(web?.body ?? {}, 'metadata'), 'annotations'), {
    'ambient.istio.io/redirection': 'enabled',
  });
  const slice = { kind: 'EndpointSlice', namespace: 'shop', name: 'web-playground-ipv4' };
  t.match(store.get(slice)?.body, {
    endpoints: [{ addresses: ['10.244.2.3'], nodeName: 'node-b' }],
    ports: [{ name: 'http', port: 8080 }],
  });
  for (const name of ['web', 'web.shop', 'web.shop.svc.cluster.local']) {
    t.equal(await get(`http://${name}/`), 'hello', `by the name ${name}`);
  }

  const before = cluster.pod('shop/web-0').uid;
  apply(manifest('hello'));
  await settle();
  t.equal(cluster.pod('shop/web-0').uid, before, 'the same manifest again changes nothing');
  store.remove({ kind: 'Gateway', namespace: 'shop', name: 'waypoint' });
  apply(manifest('goodbye').replace(/---\napiVersion: gateway[^]*/, ''));
  await waitUntil(
    clock,
    LONG_MS,
    () => cluster.pods().get('shop/web-0')?.uid !== before && cluster.pods().has('shop/web-0'),
    () => 'a new pod',
  );
  sayAll(layout.podsOf('node-b'), 'enrolled');
  await settle();
  t.equal(await get('http://web/'), 'goodbye', 'another program is another run of the pod');
  store.remove({ kind: 'Pod', namespace: 'shop', name: 'web-0' });
  await waitUntil(
    clock,
    LONG_MS,
    () => store.get(slice) === undefined,
    () => 'the slice goes with the last pod',
  );
  t.equal(await get('http://web/'), 'ECONNREFUSED', 'a service without pods refuses');
  t.same(problems, []);

  apply(
    'apiVersion: v1\nkind: Pod\nmetadata: { name: bad, namespace: shop }\nspec: { nodeName: node-x, containers: [{ name: a, command: [sleep] }] }',
  );
  await waitUntil(
    clock,
    LONG_MS,
    () => problems.length > 0,
    () => 'a problem',
  );
  t.match(problems[0], 'no node node-x; nodes: node-a, node-b');
});
