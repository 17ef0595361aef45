import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectionPath, objectPath } from '#shared/kube/resource.ts';
import { CONFIG_MAPS } from '#shared/kube/core-resources.ts';
import { LoopbackClient } from '../../src/controller/testing/loopback-controller.ts';
import { createPod } from '../../src/controller/testing/service-account.ts';
import { AUTHORIZATION_POLICIES } from '../../src/controller/testing/authorization-policies.ts';
import { ClusterLab } from '../../src/controller/testing/cluster-lab.ts';
import { installOpenCrd } from '../../src/controller/testing/crds.ts';

/**
 * What a controller costs and how fast it is, by number of workloads: `node e2e/controller/scale.ts BUNDLE 10 500 2000`.
 * Against a real API server; the controller is the bundle in a process of its own, as a pod runs it; one proxy takes
 * everything. Prints a table.
 */
const PODS_PER_SERVICE = 10;
const NAMESPACES = 20;
const ROUNDS = 30;
const PARALLEL = 16;
const READY_MS = 60_000;

const [bundle = '', ...sizes] = process.argv.slice(2);
const cleanUps: (() => unknown)[] = [];
const lab = await ClusterLab.start({ teardown: (fn: () => unknown) => void cleanUps.push(fn) });
await installOpenCrd(lab.client, AUTHORIZATION_POLICIES);
console.log(
  '| workloads | ready after (s) | RSS idle (MB) | policy to proxy p50 / p99 (ms) | pod to proxy p50 / p99 (ms) |',
);
console.log('| --- | --- | --- | --- | --- |');
try {
  let made = 0;
  for (const size of sizes.map(Number)) {
    await addWorkloads(made, size);
    made = size;
    await measure(size);
  }
} finally {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
}

async function measure(size: number): Promise<void> {
  const before = performance.now();
  const port = 20_000 + (process.pid % 10_000);
  const controller = startBundle(port);
  try {
    const endpoint = {
      address: `127.0.0.1:${port}`,
      trustBundle: () => trustBundle,
      token: () => token,
      clusterId: 'Kubernetes',
    };
    const token = await lab.ztunnelToken('n1');
    await untilReady(port + 1);
    const readyS = (performance.now() - before) / 1000;
    const trustBundle = await readBundle();
    const proxy = await new LoopbackClient(endpoint, { node: 'n1' }).start();
    await sleep(3000);
    const rss = rssMb(controller);
    const policy = await policyTimes(proxy);
    const pods = await podTimes(proxy, size);
    console.log(`| ${size} | ${readyS.toFixed(1)} | ${rss.toFixed(0)} | ${policy} | ${pods} |`);
    await proxy.client.stop();
  } finally {
    controller.kill('SIGTERM');
    await new Promise(resolve => controller.once('exit', resolve));
  }
}

/** The pod's view of its cluster: service account files where a pod has them, in a mount namespace of its own. */
function startBundle(port: number): ChildProcess {
  const files = mkdtempSync(join(tmpdir(), 'ambient-scale-'));
  cleanUps.push(() => rmSync(files, { recursive: true, force: true }));
  writeFileSync(join(files, 'token'), lab.server.token);
  writeFileSync(join(files, 'ca.crt'), lab.server.caPem);
  writeFileSync(join(files, 'namespace'), 'istio-system');
  const account = '/run/secrets/kubernetes.io/serviceaccount';
  const script = `mount -t tmpfs tmpfs /run && mkdir -p ${account} && cp ${files}/* ${account} && exec "$0" "$1"`;
  return spawn('unshare', ['--mount', 'sh', '-c', script, process.execPath, bundle], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      SOURCE: 'kubernetes',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: new URL(lab.server.url).port,
      POD_NAME: 'scale',
      POD_NAMESPACE: 'istio-system',
      XDS_ADDRESS: `127.0.0.1:${port}`,
      READINESS_ADDR: `127.0.0.1:${port + 1}`,
      ADMIN_ADDR: 'off',
      STATS_ADDR: 'off',
    },
  });
}

async function untilReady(port: number): Promise<void> {
  for (const deadline = performance.now() + READY_MS; performance.now() < deadline; await sleep(50)) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz/ready`).catch(() => undefined);
    if (answer?.status === 200) return;
  }
  throw new Error('the controller is not ready');
}

async function readBundle(): Promise<string> {
  for (;;) {
    try {
      const path = objectPath(CONFIG_MAPS, 'default', 'ambient-ca-root-cert');
      const { data } = await lab.client.request({ path });
      if (typeof data === 'object' && data !== null && 'root-cert.pem' in data)
        return String(data['root-cert.pem']);
    } catch {
      // Not written yet.
    }
    await sleep(50);
  }
}

/** From the API server's answer to the policy in the proxy's store. */
async function policyTimes(proxy: LoopbackClient): Promise<string> {
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const name = `p${round}`;
    const path = collectionPath(AUTHORIZATION_POLICIES, 'app-0');
    const body = {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name, namespace: 'app-0' },
      spec: {
        selector: { matchLabels: { app: 'svc-0' } },
        action: 'DENY',
        rules: [{ from: [{ source: { namespaces: ['nobody'] } }] }],
      },
    };
    took.push(
      await effect(
        () => lab.client.request({ method: 'POST', path, body }),
        () => proxy.store.policy(`app-0/${name}`) !== undefined,
        proxy,
      ),
    );
    await lab.client.request({ method: 'DELETE', path: objectPath(AUTHORIZATION_POLICIES, 'app-0', name) });
    await proxy.until(() => proxy.store.policy(`app-0/${name}`) === undefined);
  }
  return percentiles(took);
}

async function podTimes(proxy: LoopbackClient, size: number): Promise<string> {
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const ip = `10.200.${Math.floor(size / 250)}.${round + 1}`;
    const make = () =>
      createPod(lab.client, {
        namespace: 'app-0',
        name: `late-${size}-${round}`,
        serviceAccount: 'default',
        node: 'n1',
        ip,
        labels: { app: 'svc-0' },
      });
    took.push(await effect(make, () => proxy.store.workloadByAddress('', ip) !== undefined, proxy));
  }
  return percentiles(took);
}

/** A push may be faster than the answer: then nobody waited. */
async function effect(
  act: () => Promise<unknown>,
  done: () => boolean,
  proxy: LoopbackClient,
): Promise<number> {
  let doneAt = Number.POSITIVE_INFINITY;
  const waiting = proxy.until(done).then(() => (doneAt = performance.now()));
  await act();
  const answeredAt = performance.now();
  await waiting;
  return Math.max(0, doneAt - answeredAt);
}

function percentiles(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
  return `${at(0.5)} / ${at(0.99)}`;
}

async function addWorkloads(from: number, to: number): Promise<void> {
  const work: (() => Promise<unknown>)[] = [];
  for (let i = from; i < to; i++) {
    const namespace = `app-${Math.floor(i / PODS_PER_SERVICE) % NAMESPACES}`;
    const service = Math.floor(i / PODS_PER_SERVICE);
    const app = `svc-${service}`;
    if (i % PODS_PER_SERVICE === 0) {
      await ensure('/api/v1/namespaces', { metadata: { name: namespace } }, 'Namespace');
      work.push(() =>
        ensure(
          `/api/v1/namespaces/${namespace}/services`,
          {
            metadata: { name: app, namespace },
            spec: { selector: { app }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
          },
          'Service',
        ),
      );
    }
    const pod = {
      namespace,
      name: `${app}-${i}`,
      serviceAccount: app,
      node: `n${(i % 2) + 1}`,
      ip: `10.${100 + Math.floor(i / 65_000)}.${Math.floor(i / 250) % 250}.${(i % 250) + 1}`,
      labels: { app, 'pod-template-hash': '6d4cf56db6' },
      annotations: { 'ambient.istio.io/redirection': 'enabled' },
    };
    work.push(() => createPod(lab.client, pod));
  }
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      for (let next = work.shift(); next !== undefined; next = work.shift()) await next();
    }),
  );
}

async function ensure(path: string, object: object, kind: string): Promise<void> {
  await lab.client
    .request({ method: 'POST', path, body: { apiVersion: 'v1', kind, ...object } })
    .catch((error: unknown) => {
      if (!(error instanceof Error && error.message.includes('already exists'))) throw error;
    });
}

function rssMb(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}
