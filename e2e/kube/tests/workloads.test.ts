import { test } from 'tap';
import { eventually } from '../eventually.ts';
import { exec, getField, kubectl, listObjects } from '../kubectl.ts';
import { authorizationPolicy, ECHO, echoPod, echoWorkload, pod, podSpec, service } from '../objects.ts';
import { nameOf, nodeNames, skip, testNamespace } from '../test-namespace.ts';

test('a StatefulSet behind a headless service: each pod by its own name', { skip }, async t => {
  const ns = await testNamespace(t, 'stateful');
  await ns.apply(
    service('db', { headless: true }),
    echoWorkload('db', { kind: 'StatefulSet', replicas: 2 }),
    pod('client'),
  );
  await ns.ready();
  for (const name of ['db-0', 'db-1']) {
    const url = `http://${name}.db.${ns.name}.svc.cluster.local:8080/`;
    await ns.reachable('client', url);
    t.equal((await ns.request('client', url)).seen?.hostname, name, url);
  }
});

test('jobs end: nothing is injected that would keep them', { skip }, async t => {
  const ns = await testNamespace(t, 'job');
  await ns.apply(service('server'), echoPod('server'), pod('client'));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const spec = podSpec({
    command: ['curl', '-sSf', '-m', '10', 'http://server/'],
    spec: { restartPolicy: 'Never' },
  });
  await ns.apply({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'once' },
    spec: { backoffLimit: 0, template: { spec } },
  });
  await eventually('the job ends', 30_000, async () => {
    const failed = await getField(ns.name, 'job', 'once', '.status.failed');
    if (failed !== '') throw new Error('it failed');
    return (await getField(ns.name, 'job', 'once', '.status.succeeded')) === '1' ? true : 'running';
  });
  t.match(
    await kubectl(['logs', '-n', ns.name, 'job/once']),
    /"hostname":"server"/,
    'its first request was answered',
  );
});

test('pods on the network of their host are left alone, and reached, and reach', { skip }, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'hostnet');
  const env = { PORT: '18080' };
  await ns.apply(
    service('server'),
    echoPod('server', { node: two }),
    pod('host', { node: one, hostNetwork: true }),
    pod('client', { node: one }),
    service('hostserver', { ports: [{ name: 'http', port: 80, targetPort: 18_080 }] }),
    pod('hostserver', { node: two, hostNetwork: true, command: ECHO, env }),
  );
  await ns.ready({ captured: false });
  await ns.captured('server', 'client');
  await ns.released('host', 'hostserver');
  await ns.reachable('host', `http://server.${ns.name}.svc.cluster.local/`);
  await ns.reachable('client', 'http://hostserver/');
  t.pass('both ways');
});

test('kubectl exec, logs and port-forward, and the API server from a pod', { skip }, async t => {
  const ns = await testNamespace(t, 'apiserver');
  await ns.apply(service('server'), echoPod('server'), pod('client'));
  await ns.ready();
  t.match(await ns.exec('server', 'echo', 'hello'), { status: 0, stdout: 'hello\n' }, 'exec');
  const secrets = '/var/run/secrets/kubernetes.io/serviceaccount';
  const call = `curl -sS -m 5 --cacert ${secrets}/ca.crt -H "authorization: Bearer $(cat ${secrets}/token)" https://kubernetes.default.svc/version`;
  t.match((await ns.exec('client', 'sh', '-c', call)).stdout, /"gitVersion"/, 'API server');
  const proxied = await kubectl(['get', '--raw', `/api/v1/namespaces/${ns.name}/pods/server:8080/proxy/x`]);
  t.match(proxied, /"path":"\/x"/, 'the API server’s proxy to a pod');
});

test('probes of every kind work under STRICT and a policy that allows nothing', { skip }, async t => {
  const ns = await testNamespace(t, 'probes');
  await ns.apply(authorizationPolicy('nothing', {}), {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default' },
    spec: { mtls: { mode: 'STRICT' } },
  });
  const probes: Readonly<Record<string, object>> = {
    http: { httpGet: { path: '/healthz', port: 8080 } },
    tcp: { tcpSocket: { port: 9000 } },
    exec: { exec: { command: ['true'] } },
  };
  const timing = { periodSeconds: 1, failureThreshold: 2, timeoutSeconds: 2 };
  for (const [name, probe] of Object.entries(probes)) {
    const container = {
      startupProbe: { ...probe, ...timing, failureThreshold: 20 },
      readinessProbe: { ...probe, ...timing },
      livenessProbe: { ...probe, ...timing },
    };
    await ns.apply(echoPod(name, { container }));
  }
  await ns.ready();
  // Longer than it takes a liveness probe to give up twice.
  await ns.exec('http', 'sleep', '6');
  await ns.ready();
  for (const p of await listObjects(ns.name, 'pods')) {
    const restarts = await getField(ns.name, 'pod', nameOf(p), '.status.containerStatuses[0].restartCount');
    t.equal(restarts, '0', `${nameOf(p)} was not restarted`);
  }
  const refused = await exec(ns.name, 'tcp', [
    'curl',
    '-sS',
    '-m',
    '3',
    `http://${await ns.podIp('http')}:8080/`,
  ]);
  t.not(refused.status, 0, 'and nobody else gets through');
});
