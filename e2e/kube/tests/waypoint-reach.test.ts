import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { eventually } from '../eventually.ts';
import { waypoint } from '../gateway-objects.ts';
import { getField } from '../kubectl.ts';
import { authorizationPolicy, echoPod, pod, service, serviceAccount } from '../objects.ts';
import { skip as noCluster, type TestNamespace, testNamespace } from '../test-namespace.ts';

/** Whose traffic passes a waypoint, and what it holds there, where several namespaces and kinds of objects meet. */

const skip =
  noCluster ||
  (process.env['E2E_GATEWAY_API'] === undefined && 'needs the definitions of Gateway API: GATEWAY_API_CRDS');
const PROGRAMMED_DEADLINE_MS = 60_000;
const EFFECT_DEADLINE_MS = 10_000;

async function programmed(ns: TestNamespace): Promise<void> {
  const path = '.status.conditions[?(@.type=="Programmed")].status';
  await eventually(`the waypoint of ${ns.name} programmed`, PROGRAMMED_DEADLINE_MS, async () => {
    const status = await getField(ns.name, 'gateway', 'waypoint', path);
    return status === 'True' ? true : `Programmed is ${status || 'not set'}`;
  });
}

async function answers(ns: TestNamespace, client: string, url: string, wanted: number): Promise<void> {
  await eventually(`${wanted} for ${client} at ${url}`, EFFECT_DEADLINE_MS, async () => {
    const { error, status } = await ns.request(client, url);
    return status === wanted ? true : `status ${status} ${error}`;
  });
}

/** Who may only read, told to the one waypoint. */
function readers(target: JsonObject, principal: string): JsonObject {
  return authorizationPolicy('readers', {
    targetRefs: [target],
    action: 'ALLOW',
    rules: [
      {
        from: [{ source: { principals: [principal] } }],
        to: [{ operation: { methods: ['GET'] } }],
      },
    ],
  });
}

const OF_WAYPOINT = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' };

test('a waypoint of another namespace: taken where it allows that, refused where not', { skip }, async t => {
  const infra = await testNamespace(t, 'infra');
  const ns = await testNamespace(t, 'tenant', {
    labels: { 'istio.io/use-waypoint': 'waypoint', 'istio.io/use-waypoint-namespace': infra.name },
  });
  await infra.apply(waypoint('waypoint'));
  await ns.apply(service('server'), echoPod('server'), pod('client'));
  await programmed(infra);
  await ns.ready();
  const bound = '.status.conditions[?(@.type=="istio.io/WaypointBound")].reason';
  await eventually('the Service says that it is denied', EFFECT_DEADLINE_MS, async () => {
    const reason = await getField(ns.name, 'service', 'server', bound);
    return reason === 'AttachmentDenied' ? true : `reason ${reason}`;
  });
  t.equal((await ns.request('client', 'http://server/')).status, 0, 'and is not reached around it');

  const listener = { name: 'mesh', port: 15008, protocol: 'HBONE' };
  await infra.apply({
    ...waypoint('waypoint'),
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ ...listener, allowedRoutes: { namespaces: { from: 'All' } } }],
    },
  });
  await answers(ns, 'client', 'http://server/', 200);
  await infra.apply(readers(OF_WAYPOINT, `cluster.local/ns/${ns.name}/sa/nobody`));
  await answers(ns, 'client', 'http://server/', 403);
  await infra.apply(readers(OF_WAYPOINT, `cluster.local/ns/${ns.name}/sa/default`));
  await answers(ns, 'client', 'http://server/', 200);
  t.equal((await ns.request('client', 'http://server/', '-X', 'POST')).status, 403);
});

test('a namespace that allows nothing: neither through the waypoint nor around it', { skip }, async t => {
  const ns = await testNamespace(t, 'deny-all', { labels: { 'istio.io/use-waypoint': 'waypoint' } });
  await ns.apply(waypoint('waypoint'), service('server'), echoPod('server'));
  await ns.apply(serviceAccount('reader'), pod('reader', { serviceAccount: 'reader' }), pod('other'));
  await programmed(ns);
  await ns.ready();
  const around = `http://${await ns.podIp('server')}:8080/`;
  for (const url of ['http://server/', around]) await ns.reachable('reader', url);
  await ns.apply(authorizationPolicy('nothing', {}));
  await answers(ns, 'reader', 'http://server/', 403);
  await answers(ns, 'reader', around, 0);
  await ns.apply(
    authorizationPolicy(
      'reader',
      { rules: [{ from: [{ source: { principals: [`cluster.local/ns/${ns.name}/sa/reader`] } }] }] },
      'server',
    ),
  );
  for (const url of ['http://server/', around]) await answers(ns, 'reader', url, 200);
  t.equal((await ns.request('other', 'http://server/')).status, 403);
  t.equal((await ns.request('other', around)).status, 0);
});

function serviceEntry(name: string, labels: JsonObject, spec: JsonObject): JsonObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, labels },
    spec: {
      hosts: [`${name}.example`],
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 }],
      ...spec,
    },
  };
}

test('hosts of ServiceEntries: pods of the mesh, and servers outside through a waypoint for egress', {
  skip,
}, async t => {
  const outside = await testNamespace(t, 'world', { meshed: false });
  const egress = await testNamespace(t, 'egress', { labels: { 'istio.io/use-waypoint': 'waypoint' } });
  const ns = await testNamespace(t, 'shop', { labels: { 'istio.io/use-waypoint': 'waypoint' } });
  await outside.apply(echoPod('vendor'));
  await egress.apply(waypoint('waypoint'));
  await ns.apply(waypoint('waypoint'), echoPod('legacy'), pod('client'));
  await outside.ready({ captured: false });
  for (const one of [egress, ns]) await programmed(one);
  await ns.ready();

  const pods = { addresses: ['240.7.8.1'], workloadSelector: { labels: { app: 'legacy' } }, exportTo: ['.'] };
  await ns.apply(serviceEntry('legacy', {}, pods));
  await ns.apply(
    authorizationPolicy('clients', { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] }, 'legacy'),
  );
  await answers(ns, 'client', 'http://240.7.8.1/', 200);
  t.equal(
    (await ns.request('client', 'http://240.7.8.1/', '-X', 'POST')).status,
    403,
    'by the policy of the pods',
  );

  const endpoints = [{ address: await outside.podIp('vendor') }];
  await egress.apply(
    serviceEntry('vendor', {}, { addresses: ['240.7.8.2'], endpoints, location: 'MESH_EXTERNAL' }),
  );
  await answers(ns, 'client', 'http://240.7.8.2/', 200);
  const entry = { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'vendor' };
  await egress.apply(readers(entry, `cluster.local/ns/${ns.name}/sa/default`));
  await eventually('the policy of the entry holds', EFFECT_DEADLINE_MS, async () => {
    const { status } = await ns.request('client', 'http://240.7.8.2/', '-X', 'POST');
    return status === 403 ? true : `status ${status}`;
  });
  t.equal((await ns.request('client', 'http://240.7.8.2/')).seen?.hostname, 'vendor');
});

test('subsets: a header chooses the version, by VirtualService and DestinationRule', { skip }, async t => {
  const ns = await testNamespace(t, 'subsets', { labels: { 'istio.io/use-waypoint': 'waypoint' } });
  await ns.apply(waypoint('waypoint'), pod('client'), service('server', { app: 'all' }));
  for (const version of ['v1', 'v2'])
    await ns.apply(echoPod(version, { labels: { app: 'all', version }, env: { VERSION: version } }));
  await programmed(ns);
  await ns.ready();
  const subset = (name: string): JsonObject => ({ name, labels: { version: name } });
  const to = (name: string): JsonObject => ({ route: [{ destination: { host: 'server', subset: name } }] });
  await ns.apply({
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'server' },
    spec: { host: 'server', subsets: [subset('v1'), subset('v2')] },
  });
  await ns.apply({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'server' },
    spec: {
      hosts: ['server'],
      http: [{ match: [{ headers: { 'x-canary': { exact: 'yes' } } }], ...to('v2') }, to('v1')],
    },
  });
  const versions = async (...curl: readonly string[]): Promise<readonly unknown[]> => {
    const seen = [];
    for (let i = 0; i < 10; i++)
      seen.push((await ns.request('client', 'http://server/', ...curl)).seen?.version);
    return [...new Set(seen)];
  };
  await eventually('everybody gets v1', EFFECT_DEADLINE_MS, async () => {
    const seen = await versions();
    return seen.length === 1 && seen[0] === 'v1' ? true : `versions ${seen.join(', ')}`;
  });
  t.same(await versions('-H', 'x-canary: yes'), ['v2']);
});
