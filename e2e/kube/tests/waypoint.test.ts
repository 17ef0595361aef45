import { test } from 'tap';
import { eventually } from '../eventually.ts';
import { backends, httpRoute, marked, waypoint } from '../gateway-objects.ts';
import { getField } from '../kubectl.ts';
import { loadReport } from '../load-report.ts';
import { authorizationPolicy, echoPod, echoWorkload, pod, service, serviceAccount } from '../objects.ts';
import { skip as noCluster, type TestNamespace, testNamespace } from '../test-namespace.ts';

const skip =
  noCluster ||
  (process.env['E2E_GATEWAY_API'] === undefined && 'needs the definitions of Gateway API: GATEWAY_API_CRDS');
const PROGRAMMED_DEADLINE_MS = 60_000;
const EFFECT_DEADLINE_MS = 10_000;
const CONDITION = '.status.conditions[?(@.type=="Programmed")].status';

async function programmed(ns: TestNamespace, name: string): Promise<void> {
  await eventually(`Gateway ${name} programmed`, PROGRAMMED_DEADLINE_MS, async () => {
    const status = await getField(ns.name, 'gateway', name, CONDITION);
    return status === 'True' ? true : `Programmed is ${status || 'not set'}`;
  });
}

/** Headers of the answer as well. */
async function passed(ns: TestNamespace, url = 'http://server/'): Promise<string> {
  const { text, error } = await ns.request('client', url, '-D', '-', '-o', '/dev/null');
  return /^x-passed: (.*)$/m.exec(text)?.[1]?.trim() ?? error;
}

function until(what: string, probe: () => Promise<true | string>): Promise<number> {
  return eventually(what, EFFECT_DEADLINE_MS, probe);
}

test('a waypoint comes, is changed, and goes, and no request fails', { skip }, async t => {
  const ns = await testNamespace(t, 'waypoint');
  await ns.apply(service('server'), echoWorkload('server', { replicas: 2 }), pod('client'));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const load = ns.load('client', '--seconds=30', '--rate=40', 'http://server/');

  await ns.apply(waypoint('waypoint'));
  await programmed(ns, 'waypoint');
  await ns.label('namespace', ns.name, 'istio.io/use-waypoint=waypoint');
  await ns.apply(
    httpRoute('server', { filters: [marked('one')], backendRefs: backends({ name: 'server' }) }),
  );
  await until('requests pass the waypoint', async () =>
    (await passed(ns)) === 'one' ? true : await passed(ns),
  );
  await ns.apply(
    httpRoute('server', { filters: [marked('two')], backendRefs: backends({ name: 'server' }) }),
  );
  const took = await until('the route changes', async () =>
    (await passed(ns)) === 'two' ? true : 'not yet',
  );
  t.comment(`a changed route is in effect after ${took.toFixed(0)} ms, kubectl included`);

  await ns.label('namespace', ns.name, 'istio.io/use-waypoint-');
  await until('requests go around it again', async () => ((await passed(ns)) === '' ? true : 'not yet'));
  await ns.delete('gateway', 'waypoint');
  await eventually('its Deployment is gone', 30_000, async () => {
    const left = await getField(ns.name, 'deployment', '--ignore-not-found', '.items[*].metadata.name');
    return left.includes('waypoint') ? left : true;
  });
  const report = loadReport(await load.done);
  t.equal(report.failed, 0, JSON.stringify(report));
});

test('a canary gets its share', { skip }, async t => {
  const ns = await testNamespace(t, 'canary', { labels: { 'istio.io/use-waypoint': 'waypoint' } });
  await ns.apply(waypoint('waypoint'), pod('client'), service('server', { app: 'v1' }));
  for (const version of ['v1', 'v2'])
    await ns.apply(service(version), echoPod(version, { env: { VERSION: version } }));
  await ns.apply(
    httpRoute('server', { backendRefs: backends({ name: 'v1', weight: 80 }, { name: 'v2', weight: 20 }) }),
  );
  await programmed(ns, 'waypoint');
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const loop = `for (let i = 0; i < 300; i++) { const r = await fetch('http://server/'); process.stdout.write((await r.json()).version + '\\n'); }`;
  const { stdout } = await ns.exec('client', 'node', '--input-type=module', '-e', loop);
  const share = stdout.split('\n').filter(line => line === 'v2').length / 300;
  t.ok(share > 0.12 && share < 0.28, `20 % of the requests, and these are ${(share * 100).toFixed(1)} %`);
});

test('L7 policy at the waypoint: by path and method, for the caller that is named', { skip }, async t => {
  const ns = await testNamespace(t, 'l7', { labels: { 'istio.io/use-waypoint': 'waypoint' } });
  await ns.apply(serviceAccount('reader'), waypoint('waypoint'), service('server'), echoPod('server'));
  await ns.apply(pod('reader', { serviceAccount: 'reader' }), pod('other'));
  await programmed(ns, 'waypoint');
  await ns.ready();
  for (const client of ['reader', 'other']) await ns.reachable(client, 'http://server/');
  await ns.apply(
    authorizationPolicy('read-public', {
      targetRefs: [{ group: '', kind: 'Service', name: 'server' }],
      action: 'ALLOW',
      rules: [
        {
          from: [{ source: { principals: [`cluster.local/ns/${ns.name}/sa/reader`] } }],
          to: [{ operation: { methods: ['GET'], paths: ['/public/*'] } }],
        },
      ],
    }),
  );
  await until('the policy holds', async () => {
    const { status } = await ns.request('other', 'http://server/public/x');
    return status === 403 ? true : `status ${status}`;
  });
  t.equal((await ns.request('reader', 'http://server/public/x')).status, 200);
  t.equal((await ns.request('reader', 'http://server/private')).status, 403);
  t.equal((await ns.request('reader', 'http://server/public/x', '-X', 'POST')).status, 403);
});

test('a waypoint for workloads: pods that are dialled by their addresses are behind it as well', {
  skip,
}, async t => {
  const ns = await testNamespace(t, 'workloads-wp', { labels: { 'istio.io/use-waypoint': 'waypoint' } });
  await ns.apply(waypoint('waypoint', { 'istio.io/waypoint-for': 'all' }), service('server'));
  await ns.apply(
    serviceAccount('reader'),
    echoPod('server'),
    pod('reader', { serviceAccount: 'reader' }),
    pod('other'),
  );
  await programmed(ns, 'waypoint');
  await ns.ready();
  const url = `http://${await ns.podIp('server')}:8080`;
  for (const client of ['reader', 'other']) await ns.reachable(client, `${url}/`);
  const from = [{ source: { principals: [`cluster.local/ns/${ns.name}/sa/reader`] } }];
  const to = [{ operation: { methods: ['GET'], paths: ['/public/*'] } }];
  await ns.apply(authorizationPolicy('read-public', { action: 'ALLOW', rules: [{ from, to }] }, 'server'));
  await until('the policy holds', async () => {
    const { status } = await ns.request('other', `${url}/public/x`);
    return status === 403 ? true : `status ${status}`;
  });
  for (const host of [url, 'http://server']) {
    t.equal((await ns.request('reader', `${host}/public/x`)).status, 200, host);
    t.equal((await ns.request('reader', `${host}/private`)).status, 403, host);
    t.equal((await ns.request('reader', `${host}/public/x`, '-X', 'POST')).status, 403, host);
  }
});

test('a waypoint that does not exist: refused, and it is said where one looks', { skip }, async t => {
  const ns = await testNamespace(t, 'bogus');
  await ns.apply(service('server'), echoPod('server'), pod('client'));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  await ns.label('service', 'server', 'istio.io/use-waypoint=nobody');
  await until('a condition of the Service tells', async () => {
    const path = '.status.conditions[?(@.type=="istio.io/WaypointBound")].status';
    const status = await getField(ns.name, 'service', 'server', path);
    return status === 'False' ? true : `WaypointBound is ${status || 'not set'}`;
  });
  await ns.label('service', 'server', 'istio.io/use-waypoint-');
  await ns.reachable('client', 'http://server/');
});
