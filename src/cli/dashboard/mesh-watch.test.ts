import { type Test, test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { detailFrame } from './frames/detail-frame.ts';
import { graphFrame } from './frames/graph-frame.ts';
import {
  policiesFrame,
  problemsFrame,
  proxiesFrame,
  servicesFrame,
  workloadsFrame,
} from './frames/table-frames.ts';
import { MeshWatch } from './mesh-watch.ts';
import { FakeProxies } from './testing/fake-proxies.ts';
import { turns } from './testing/turns.ts';

const LABEL = { mesh: 'a mesh', cliOptions: '', isCluster: false };
const METRICS = '/stats/prometheus';
const ALL = { by: 'service', namespace: '', filter: '' } as const;

const pod = (name: string, service: string, policies: readonly string[] = []): object => ({
  uid: name,
  name,
  namespace: 'shop',
  node: 'node-a',
  tunnelProtocol: 'hbone',
  trustDomain: 'cluster.local',
  serviceAccount: name,
  status: 'healthy',
  workloadName: name,
  addresses: ['10.0.0.1'],
  services: { [`shop/${service}.shop.svc.cluster.local`]: [] },
  authorizationPolicies: policies,
});
const service = (name: string): object => ({
  name,
  namespace: 'shop',
  hostname: `${name}.shop.svc.cluster.local`,
  addresses: [{ ip: '10.96.0.1' }],
});
const DUMP = {
  version: '0.1.0',
  workloads: [pod('a', 'a'), pod('b', 'b', ['shop/deny-a'])],
  services: [service('a'), service('b')],
  policies: [
    { name: 'deny-a', namespace: 'shop', scope: 'workload_selector', action: 'deny', rules: [{}] },
    {
      name: 'everywhere',
      namespace: 'root',
      scope: 'global',
      action: 'allow',
      rules: [{}, {}],
      dryRun: true,
    },
  ],
  certificates: [
    {
      identity: 'spiffe://cluster.local/ns/shop/sa/a',
      state: 'Available',
      certChain: [
        { type: 'Leaf', valid: true, notBefore: '2025-12-31T12:00:00Z', notAfter: '2026-01-01T12:00:00Z' },
      ],
    },
  ],
};
const CONTROLLER = {
  '/config_dump': { version: '0.1.0' },
  '/debug/syncz': {
    clients: [
      {
        node: 'ztunnel~10.0.0.9~z-0.shop~shop.svc.cluster.local',
        version: '0.1.0',
        types: [{ type: 'x/istio.workload.Address', state: 'nack', lastNack: { reason: 'no name' } }],
      },
    ],
  },
  '/debug/waypoints': { waypoints: [] },
  '/debug/objects': {
    objects: [
      {
        key: 'HTTPRoute/shop/b',
        diagnostics: [{ severity: 'rejected', field: 'spec', message: 'is wrong', fix: 'mend it' }],
      },
    ],
  },
};

function opened(n: number): string {
  return `istio_tcp_connections_opened_total{reporter="source",source_workload="a",source_workload_namespace="shop",destination_workload="b",destination_workload_namespace="shop",destination_service_name="b",destination_service_namespace="shop",connection_security_policy="mutual_tls"} ${n}`;
}

interface Watched {
  readonly watch: MeshWatch;
  readonly proxies: FakeProxies;
  /** Time passes, and everything happens that is due. */
  readonly pass: (ms: number) => Promise<void>;
}

async function watched(t: Test, change: (proxies: FakeProxies) => void = () => undefined): Promise<Watched> {
  const clock = new FakeClock();
  const proxies = new FakeProxies()
    .add('controller', 'c', CONTROLLER)
    .add('ztunnel', 'z', { '/config_dump': DUMP, [METRICS]: opened(5) });
  change(proxies);
  const watch = new MeshWatch({ proxies, ask: proxies.ask, clock, intervalMs: 3_000 });
  t.teardown(() => watch.stop());
  watch.start();
  await turns();
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1_000) {
      clock.advance(Math.min(1_000, left));
      await turns();
    }
  };
  return { watch, proxies, pass };
}

test('frames of every view, of what the proxies say', async t => {
  const { pass, proxies, watch } = await watched(t);
  proxies.pages.set(`z ${METRICS}`, opened(11));
  await pass(3_000);
  const picture = watch.picture();
  const edge = {
    from: 'service/shop/a',
    to: 'service/shop/b',
    active: true,
    figures: { connectionsPerSecond: 2 },
  };
  t.match(graphFrame(picture, LABEL, ALL), {
    head: { mesh: 'a mesh', namespaces: ['shop'], warnings: [], errorCount: 2, windowSeconds: 3 },
    nodes: [{ id: 'service/shop/a' }, { id: 'service/shop/b' }],
    edges: [edge],
  });
  t.match(servicesFrame(picture, LABEL, ALL).rows, [
    { name: 'a', pods: 1, figures: { connectionsPerSecond: 0 } },
    { name: 'b', addresses: ['10.96.0.1'], figures: { connectionsPerSecond: 2 } },
  ]);
  t.match(workloadsFrame(picture, LABEL, ALL).rows, [{ name: 'a' }, { name: 'b', services: ['shop/b'] }]);
  t.match(proxiesFrame(picture, LABEL, ALL).rows, [
    { name: 'c', kind: 'controller', version: '0.1.0', error: '' },
    {
      name: 'z',
      controller: 'c',
      types: [{ type: 'address', state: 'nack', reason: 'no name' }],
      certificates: [{ valid: true, notAfterMs: Date.UTC(2026, 0, 1, 12) }],
    },
  ]);
  t.match(policiesFrame(picture, LABEL, ALL).rows, [
    { name: 'everywhere', dryRun: true, rules: 2, workloads: ['shop/a', 'shop/b'] },
    { name: 'deny-a', action: 'deny', workloads: ['shop/b'], services: [] },
  ]);
  t.match(problemsFrame(picture, LABEL, ALL).problems, [
    { level: 'Error', object: 'HTTPRoute shop/b', message: 'is wrong', fix: 'mend it' },
    { level: 'Error', object: 'ztunnel z.shop', field: 'address', message: 'has refused it: no name' },
  ]);
  const detail = detailFrame(picture, LABEL, { by: 'service', name: 'shop/b' });
  t.match(detail, {
    node: { name: 'b' },
    inbound: [edge],
    outbound: [],
    others: [{ name: 'a' }],
    problems: [{ object: 'HTTPRoute shop/b' }],
    history: [{ figures: { connectionsPerSecond: 2 } }],
  });
  t.equal(detailFrame(picture, LABEL, { by: 'service', name: 'shop/nope' }).node, null);
});

test('one that does not answer is a warning, is let be for a while, and comes back', async t => {
  const { pass, proxies, watch } = await watched(t, p => p.add('ztunnel', 'y'));
  t.match(watch.picture().warnings, ['ztunnel y: cannot reach y: it is silent']);
  t.equal(graphFrame(watch.picture(), LABEL, ALL).nodes.length, 2, 'the others are shown');
  const asked = (): number => proxies.asked.filter(a => a.startsWith('y ')).length;
  const before = asked();
  await pass(4_000);
  t.equal(asked(), before, 'not asked again at once');
  proxies.pages.set('y /config_dump', DUMP);
  proxies.pages.set(`y ${METRICS}`, '');
  await pass(20_000);
  t.same(watch.picture().warnings, []);
});

test('of a mesh that is gone the last picture stays, and is said to be old', async t => {
  const { pass, proxies, watch } = await watched(t);
  proxies.isGone = true;
  await pass(6_000);
  t.match(watch.picture().warnings, [/^what is shown is old: no mesh found/]);
  t.equal(graphFrame(watch.picture(), LABEL, ALL).nodes.length, 2);
  proxies.isGone = false;
  await pass(6_000);
  t.same(watch.picture().warnings, []);
});

test('a refusal in a log is there at once, with its policy, and the policy counts it', async t => {
  const line =
    '2025-12-31T23:59:59.000Z\terror\taccess\tconnection failed\tsrc.workload="a" src.namespace="shop" dst.workload="b" dst.namespace="shop" error="denied by shop/deny-a rule 0"';
  const { watch } = await watched(t, p => p.logs.set('z', [line]));
  const picture = watch.picture();
  t.match(problemsFrame(picture, LABEL, ALL), {
    head: { refusalCount: 1 },
    refusals: [{ kind: 'denied', source: 'shop/a', policy: 'shop/deny-a', rule: 0, proxy: 'z' }],
  });
  t.match(
    policiesFrame(picture, LABEL, ALL).rows.find(r => r.name === 'deny-a'),
    { refused: 1 },
  );
  t.equal(detailFrame(picture, LABEL, { by: 'service', name: 'shop/b' }).refusals.length, 1);
  t.equal(detailFrame(picture, LABEL, { by: 'workload', name: 'shop/a' }).refusals.length, 1);
});

test('of a namespace: its nodes, and those they talk with', async t => {
  const { pass, proxies, watch } = await watched(t);
  proxies.pages.set(
    `z ${METRICS}`,
    opened(6).replace('source_workload_namespace="shop"', 'source_workload_namespace="far"'),
  );
  await pass(3_000);
  const names = (namespace: string, filter = ''): string[] =>
    graphFrame(watch.picture(), LABEL, { by: 'service', namespace, filter }).nodes.map(n => n.id);
  t.same(names('far'), ['service/shop/b', 'workload/far/a']);
  t.same(names('nowhere'), []);
  t.same(names('', 'SHOP/B'), ['service/shop/b', 'workload/far/a'], 'and with a filter');
  const services = (namespace: string, filter: string): string[] =>
    servicesFrame(watch.picture(), LABEL, { namespace, filter }).rows.map(r => r.name);
  t.same([services('shop', ''), services('', 'a'), services('far', '')], [['a', 'b'], ['a'], []]);
});
