import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { createCertificateClient } from '#shared/discovery/certificate-client.ts';
import type { ControllerEndpoint } from '#shared/discovery/controller-channel.ts';
import { tokenReader, trustBundleReader } from '#shared/discovery/controller-credentials.ts';
import { LogLevels } from '#shared/observability/logger.ts';
import { createCsr } from '#shared/pki/csr.ts';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { type Controller, startController } from './app.ts';
import { readConfig } from './config.ts';
import { LoopbackClient } from './testing/loopback-controller.ts';
import { type AdminAnswer, askAdmin } from './testing/admin-socket.ts';

/** A controller in this process, over a directory of its own. */
class Lab {
  readonly directory: string;
  readonly socket: string;
  #controller: Controller | undefined;

  constructor(t: Test) {
    this.directory = mkdtempSync(join(tmpdir(), 'ambient-controller-'));
    this.socket = join(this.directory, 'admin.sock');
    // What the controller waits for does not keep a process alive once it stops.
    const alive = setInterval(() => undefined, 60_000);
    t.teardown(async () => {
      clearInterval(alive);
      await this.stop();
      rmSync(this.directory, { recursive: true });
    });
  }

  async start(port = 0): Promise<number> {
    const config = readConfig({
      CONFIG_DIR: this.directory,
      DATA_DIR: join(this.directory, 'data'),
      XDS_ADDRESS: '127.0.0.1:15012',
      ADMIN_ADDR: 'off',
      STATS_ADDR: 'off',
      READINESS_ADDR: 'off',
      ADMIN_UNIX_SOCKET: this.socket,
    });
    const discovery = { ip: '127.0.0.1', port };
    this.#controller = await startController({ ...config, discovery }, { levels: new LogLevels('error') });
    return this.#controller.port;
  }

  async stop(): Promise<void> {
    await this.#controller?.stop();
    this.#controller = undefined;
  }

  write(file: string, object: object): void {
    const staged = join(this.directory, `.${file}.tmp`);
    writeFileSync(staged, JSON.stringify(object));
    renameSync(staged, join(this.directory, file));
  }

  admin(method: 'GET' | 'POST', path: string): Promise<AdminAnswer> {
    return askAdmin(this.socket, method, path);
  }

  async endpoint(port: number, query: string): Promise<ControllerEndpoint> {
    const { body } = await this.admin('POST', `/token?${query}`);
    const path = join(this.directory, 'token');
    writeFileSync(path, body);
    return {
      address: `127.0.0.1:${port}`,
      trustBundle: trustBundleReader(join(this.directory, 'data', 'root-cert.pem')),
      token: tokenReader(path),
      clusterId: 'Kubernetes',
    };
  }
}

const ZTUNNEL = 'namespace=istio-system&serviceAccount=ztunnel&node=node-a';

function pod(name: string, ip: string, labels: Record<string, string> = { app: name }): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels, annotations: { 'ambient.istio.io/redirection': 'enabled' } },
    spec: { nodeName: 'node-a', serviceAccountName: name },
    status: { phase: 'Running', podIP: ip, conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function service(name: string, port: number | string = 80): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: {
      clusterIP: '10.96.0.1',
      selector: { app: name },
      ports: [{ name: 'http', port, targetPort: 8080 }],
    },
  };
}

/** Of the main thread, where Linux keeps it: ns on a processor, ns of waiting for one, and how often. */
const SCHEDSTAT = '/proc/self/schedstat';

/** How long this thread was ready to run and another one ran in its place: what a busy machine adds to everything. */
function waitedForProcessorMs(): number {
  return existsSync(SCHEDSTAT) ? Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[1]) / 1e6 : 0;
}

test('a file that is written is in every client within 100 ms, and a broken one changes nothing', async t => {
  const lab = new Lab(t);
  lab.write('pod.json', pod('orders', '10.0.0.1'));
  const port = await lab.start();
  const proxy = await new LoopbackClient(await lab.endpoint(port, ZTUNNEL)).start();
  t.equal(proxy.store.workloadByAddress('', '10.0.0.1')?.tunnelProtocol, 'hbone');

  const took: number[] = [];
  for (let i = 2; i < 12; i++) {
    const before = performance.now() - waitedForProcessorMs();
    lab.write('pod.json', pod('orders', `10.0.0.${i}`));
    await proxy.until(() => proxy.store.workloadByAddress('', `10.0.0.${i}`) !== undefined);
    took.push(performance.now() - waitedForProcessorMs() - before);
  }
  took.sort((a, b) => a - b);
  t.ok((took[5] ?? 1e9) < 100, `median ${took[5]?.toFixed(0)} ms`);

  lab.write('service.json', service('orders'));
  await proxy.until(() => proxy.store.endpoints('shop/orders.shop.svc.cluster.local').length === 1);
  lab.write('service.json', service('orders', 'eighty'));
  const labels = { 'istio.io/dataplane-mode': 'ambent' };
  lab.write('mode.json', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other', labels } });
  lab.write('other.json', pod('payments', '10.0.1.1'));
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.1.1') !== undefined);
  t.equal(proxy.store.service('shop/orders.shop.svc.cluster.local')?.ports[0]?.servicePort, 80);
  const { body } = await lab.admin('GET', '/debug/objects?state=stale');
  t.match(body, /Service\/shop\/orders/);
  t.match(body, /spec\.ports\[0\]\.port.*is not a port/s);

  const all = await lab.admin('GET', '/debug/objects');
  t.match(all.body, /Namespace\/\/other.*is no mode of this mesh/s, 'what has no effect is said too');

  rmSync(join(lab.directory, 'other.json'));
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.1.1') === undefined);
  await proxy.client.stop();
});

test('a controller that starts again serves the same versions, roots and tokens', async t => {
  const lab = new Lab(t);
  lab.write('a.json', pod('a', '10.0.0.1'));
  const port = await lab.start();
  const proxy = await new LoopbackClient(await lab.endpoint(port, ZTUNNEL)).start();
  const seen = proxy.deltas.length;
  await lab.stop();
  lab.write('b.json', pod('b', '10.0.0.2'));
  await lab.start(port);
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.2') !== undefined);
  t.same(
    proxy.deltas.slice(seen).flatMap(d => d.workloads.map(w => w.name)),
    ['b'],
    'only what changed',
  );
  await proxy.client.stop();
});

test('a node proxy has certificates for pods of its node, while they are there', async t => {
  const lab = new Lab(t);
  lab.write('orders.json', pod('orders', '10.0.0.1'));
  const port = await lab.start();
  const client = createCertificateClient(await lab.endpoint(port, ZTUNNEL));
  const identity = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');
  const key = await generateKey(softwareProvider, false);
  const request = {
    csrPem: await createCsr(key, identity),
    validitySeconds: 0,
    impersonatedIdentity: identity,
  };
  t.equal((await client.createCertificate(request)).length, 3);
  const stranger = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/payments');
  const other = {
    csrPem: await createCsr(key, stranger),
    validitySeconds: 0,
    impersonatedIdentity: stranger,
  };
  await t.rejects(client.createCertificate(other), /PERMISSION_DENIED/);
  const { body } = await lab.admin('GET', '/metrics');
  for (const line of [
    /^citadel_server_csr_count 2$/m,
    /^citadel_server_success_cert_issuance_count 1$/m,
    /^citadel_server_csr_sign_err_count\{error="PERMISSION_DENIED"\} 1$/m,
    /^citadel_server_root_cert_expiry_timestamp \d{10}/m,
    /^citadel_server_cert_chain_expiry_timestamp \d{10}/m,
  ])
    t.match(body, line);
});

test('what a controller measures of itself', async t => {
  const lab = new Lab(t);
  lab.write('service.json', service('orders', 'eighty'));
  const port = await lab.start();
  const proxy = await new LoopbackClient(await lab.endpoint(port, ZTUNNEL)).start();
  const { body } = await lab.admin('GET', '/metrics');
  for (const line of [
    /^istio_build\{component="pilot",tag="[\d.]+"\} 1$/m,
    /^ambient_ready 1$/m,
    /^leader_election_master_status\{name="ambient-controller-leader"\} 1$/m,
    /^ambient_rejected_objects\{kind="Service",state="rejected"\} 1$/m,
    // What the CA keeps lies in the same directory here, and is no object.
    /^ambient_source_problems 1$/m,
    /^ambient_xds_clients\{state="nack"\} 0$/m,
    /^pilot_proxy_convergence_time_count 0$/m,
    /^process_resident_memory_bytes \d/m,
  ])
    t.match(body, line);
  lab.write('service.json', service('orders'));
  await proxy.until(() => proxy.store.service('shop/orders.shop.svc.cluster.local') !== undefined);
  const later = await lab.admin('GET', '/metrics');
  t.match(later.body, /^ambient_rejected_objects\{kind="Service",state="rejected"\} 0$/m);
  await proxy.client.stop();
});

test('a root rotation waits for the proxies, and for leaves of the old root', async t => {
  const lab = new Lab(t);
  const port = await lab.start();
  const versions: string[] = [];
  const proxy = new LoopbackClient(await lab.endpoint(port, ZTUNNEL), {
    onTrust: trust => void versions.push(trust.version),
  });
  await proxy.start();
  const rotate = (step: string): ReturnType<Lab['admin']> => lab.admin('POST', `/ca/rotate?step=${step}`);
  t.match(await rotate('switch'), { status: 409, body: /switch needs phase prepared/ });
  t.match(await rotate('sideways'), { status: 400, body: /use prepare, switch or finish/ });
  t.match(await rotate('prepare'), { status: 200, body: 'prepared' });
  const roots = (): number =>
    readFileSync(join(lab.directory, 'data', 'root-cert.pem'), 'utf8').split('BEGIN').length - 1;
  t.equal(roots(), 2, 'the file has both roots');
  for (let state = ''; state !== 'switched\n'; state = (await rotate('switch')).body) {
    t.ok(versions.length < 4);
  }
  t.ok(versions.length >= 2, 'not before the proxy has confirmed both roots');
  while (versions.length < 3) await new Promise(resolve => setImmediate(resolve));
  t.equal(new Set(versions).size, 3, 'the proxy was told of each change');
  const status = parseJson((await lab.admin('GET', '/ca/status')).body);
  t.match(status, { phase: 'switched' });
  const old = isJsonObject(status) ? status['oldRootLeaves'] : undefined;
  // The controller's own leaf is not in the ledger: it has taken a new one already.
  t.equal(old, 0);
  t.match(await rotate('finish'), { status: 200, body: 'stable' });
  t.equal(roots(), 1);
  await proxy.client.stop();
});

test('join tokens are made on the unix socket alone, for names that are names', async t => {
  const lab = new Lab(t);
  await lab.start();
  t.match(await lab.admin('POST', '/token?namespace=a/b&serviceAccount=c'), {
    status: 400,
    body: /namespace|SPIFFE/,
  });
  t.match(await lab.admin('POST', '/token?namespace=a&serviceAccount=c&ttl=never'), {
    status: 400,
    body: /ttl/,
  });
  t.match(await lab.admin('GET', '/debug/syncz'), { status: 200, body: /clients/ });
  t.match(await lab.admin('GET', '/ready'), { status: 200 });
  t.match(await lab.admin('GET', '/metrics'), { status: 200, body: /pilot_xds 0/ });
  t.match(await lab.admin('GET', '/config_dump'), { status: 200, body: /workloads/ });
});
