import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { echoPod, echoWorkload, pod, service } from '../objects.ts';
import { skip, type TestNamespace, testNamespace } from '../test-namespace.ts';

const EFFECT_DEADLINE_MS = 15_000;
const ANNOTATION = 'ambient.istio.io/dns-capture';
/** What nobody answers is given up soon. */
const SOON = ['-m', '3'];

/** Hosts that no name server knows, with one server; the mesh gives them their addresses. */
function serviceEntry(name: string, hosts: readonly string[], serverIp: string): JsonObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name },
    spec: {
      hosts,
      exportTo: ['.'],
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 }],
      endpoints: [{ address: serverIp }],
    },
  };
}

/** By the pod's own resolver library (c-ares), whole names alone: what it finds, or its error. */
async function resolve(ns: TestNamespace, method: string, name: string): Promise<string> {
  const program = `require('dns').promises.${method}('${name}').then(r => console.log(JSON.stringify(r)), e => console.log(e.code))`;
  return (await ns.exec('client', 'node', '-e', program)).stdout.trim();
}

async function answeredBy(ns: TestNamespace, url: string): Promise<string> {
  const { seen, error } = await ns.request('client', url, ...SOON);
  return seen?.hostname ?? error;
}

function until(ns: TestNamespace, what: string, url: string, wanted: RegExp): Promise<number> {
  return eventually(what, EFFECT_DEADLINE_MS, async () => {
    const got = await answeredBy(ns, url);
    return wanted.test(got) ? true : got;
  });
}

test('a pod whose dns is captured reaches hosts of ServiceEntries by name, and everything else as before', {
  skip,
}, async t => {
  const outside = await testNamespace(t, 'outside', { meshed: false });
  const ns = await testNamespace(t, 'dns');
  await outside.apply(echoPod('server'));
  await outside.ready({ captured: false });
  const ip = await outside.podIp('server');
  await ns.apply(
    serviceEntry('one', ['api.example.com'], ip),
    serviceEntry('all', ['*.wild.example.com'], ip),
    service('orders'),
    echoPod('orders'),
    service('db', { headless: true }),
    echoWorkload('db', { kind: 'StatefulSet', replicas: 2 }),
    pod('client'),
  );
  await ns.ready();
  await ns.reachable('client', 'http://orders/');
  t.match(await answeredBy(ns, 'http://api.example.com/'), /resolve host/, 'off: no name server knows it');

  const annotate = (value: string): Promise<string> =>
    kubectl(['annotate', '--overwrite', '-n', ns.name, 'pod', 'client', `${ANNOTATION}${value}`]);
  await annotate('=true');
  await until(ns, 'a host of a ServiceEntry is found', 'http://api.example.com/', /^server$/);
  t.equal(await answeredBy(ns, 'http://any.wild.example.com/'), 'server', 'and one below a wildcard');
  t.match(await resolve(ns, 'resolve4', 'api.example.com'), /^\["240\.240\./);
  t.equal(await answeredBy(ns, 'http://orders/'), 'orders', 'a Service, by its short name');

  const cluster = `${ns.name}.svc.cluster.local`;
  const [ready, pods] = await Promise.all([
    resolve(ns, 'resolve4', `db.${cluster}`),
    Promise.all(['db-0', 'db-1'].map(name => ns.podIp(name))),
  ]);
  t.same(
    pods.filter(one => !ready.includes(one)),
    [],
    `a headless Service: ${ready}`,
  );
  for (const name of ['db-0', 'db-1'])
    t.equal(await answeredBy(ns, `http://${name}.db.${cluster}:8080/`), name, 'each pod of a StatefulSet');
  t.match(await resolve(ns, 'resolveSrv', `_http._tcp.db.${cluster}`), /db-0.*db-1|db-1.*db-0/, 'SRV');
  t.match(await resolve(ns, 'resolve4', 'nobody.invalid'), /ENOTFOUND|ESERVFAIL/, 'a name that nobody has');
  const tcp = await ns.exec('client', 'node', '-e', TCP_QUERY);
  t.match(tcp.stdout, /^answered \d+ bytes\n$/, `over TCP: ${tcp.stderr}`);

  await annotate('=false');
  await until(ns, 'off again', 'http://api.example.com/', /resolve host/);
  t.equal(await answeredBy(ns, 'http://orders/'), 'orders');
});

/** `kubernetes.default.svc.cluster.local`, of the pod's name server. */
const TCP_QUERY = `
  const { getServers } = require('dns');
  const name = Buffer.concat([...'kubernetes.default.svc.cluster.local'.split('.').map(l => Buffer.from([l.length, ...Buffer.from(l)])), Buffer.from([0, 0, 1, 0, 1])]);
  const query = Buffer.concat([Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), name]);
  const socket = require('net').connect(53, getServers()[0], () => socket.write(Buffer.concat([Buffer.from([0, query.length]), query])));
  socket.once('data', d => { console.log('answered', d.length, 'bytes'); socket.destroy(); });
  socket.on('error', e => { console.log(e.message); process.exit(1); });`;
