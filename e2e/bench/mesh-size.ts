import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { MeshResource } from '#shared/discovery/mesh-resource.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { endpointOf, service, workload } from '#shared/testing/topology.ts';
import {
  type LoopbackController,
  startController,
} from '../../src/controller/testing/loopback-controller.ts';
import { bundleTier } from './bundle.ts';
import { Daemon } from './command.ts';
import { nodeFlags } from './node-flags.ts';

const PROTO = fileURLToPath(new URL('../../src/shared/discovery/proto', import.meta.url));
const SIZES = [10, 500, 2_000];
const PODS_PER_SERVICE = 4;
/** A pod is told of when it is made, when it has an address and when it is ready. */
const VERSIONS_PER_POD = 3;
/** A cluster that grows in haste. */
const BETWEEN_CHANGES_MS = 3;
const READY_TRIES = 600;
const POLL_MS = 50;
/** Longer than proxies wait before they tidy up after a burst. */
const SETTLE_MS = 45_000;
const WAYPOINT_ID = parseSpiffeId('spiffe://cluster.local/ns/default/sa/waypoint');
const COLUMNS = ['ztunnel, grown', 'ztunnel, started', 'waypoint, grown', 'waypoint, started'];

type Tier = 'ztunnel' | 'waypoint';

/**
 * What an idle proxy with one traffic thread holds, MiB, by size of the mesh, and in brackets without what it maps of files: one that was there while the mesh grew pod by
 * pod, and one that starts into it. Told by the discovery of a real controller.
 */
export async function benchMeshSize(log: (line: string) => void): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ambient-mesh-size-'));
  const controller = await startController();
  const place = new Place(controller, directory);
  try {
    await place.build();
    const growing = [await place.start('ztunnel'), await place.start('waypoint')];
    const rows: string[] = [];
    let made = 0;
    for (const size of SIZES) {
      log(`${size} workloads`);
      for (; made < size; made++) await addPod(controller, made);
      const fresh = [await place.start('ztunnel'), await place.start('waypoint')];
      await sleep(SETTLE_MS);
      const inOrder = [growing[0], fresh[0], growing[1], fresh[1]];
      rows.push(`| ${size} | ${inOrder.map(daemon => memoryOf(daemon)).join(' | ')} |`);
      await Promise.all(fresh.map(daemon => daemon.stop()));
    }
    return [`| workloads | ${COLUMNS.join(' | ')} |`, '| --- | --- | --- | --- | --- |', ...rows].join('\n');
  } finally {
    await place.close();
    await controller.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Where proxies are built and run, each in a directory and on an address of its own. */
class Place {
  readonly #controller: LoopbackController;
  readonly #directory: string;
  readonly #entries = new Map<Tier, string>();
  readonly #daemons: Daemon[] = [];

  constructor(controller: LoopbackController, directory: string) {
    this.#controller = controller;
    this.#directory = directory;
  }

  async build(): Promise<void> {
    for (const tier of ['ztunnel', 'waypoint'] as const) {
      const entry = await bundleTier(tier, ['main.ts', 'workers/worker-main.ts'], this.#directory);
      cpSync(PROTO, join(this.#directory, tier, 'proto'), { recursive: true });
      this.#entries.set(tier, entry);
    }
  }

  /** Ready, and told of everything. */
  async start(tier: Tier): Promise<Daemon> {
    const number = this.#daemons.length + 1;
    const own = join(this.#directory, String(number));
    mkdirSync(own);
    const env = await this.#environment(tier, own, `127.77.1.${number}`);
    const daemon = new Daemon(process.execPath, [...nodeFlags(), this.#entries.get(tier) ?? ''], env);
    this.#daemons.push(daemon);
    for (let tries = 0; tries < READY_TRIES && daemon.isRunning; tries++) {
      if (/\bready\b/.test(daemon.said)) return daemon;
      await sleep(POLL_MS);
    }
    throw new Error(`a ${tier} did not come up: ${daemon.said.trim()}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#daemons.map(daemon => daemon.stop()));
  }

  async #environment(tier: Tier, own: string, ip: string): Promise<NodeJS.ProcessEnv> {
    const { ca, port, tokens } = this.#controller;
    const [roots, token] = [join(own, 'roots.pem'), join(own, 'token')];
    writeFileSync(roots, ca.trust.bundle.pem);
    const waypointToken = (): Promise<string> => tokens.create({ identity: WAYPOINT_ID, ttlMs: 60_000 });
    writeFileSync(token, await (tier === 'ztunnel' ? this.#controller.nodeToken() : waypointToken()));
    const common = {
      PATH: process.env['PATH'],
      XDS_ADDRESS: `127.0.0.1:${port}`,
      XDS_ROOT_CA: roots,
      TOKEN_PATH: token,
      FAKE_CA: 'true',
      STATE_DIR: join(own, 'state'),
      ADMIN_ADDR: 'off',
      STATS_ADDR: 'off',
      READINESS_ADDR: 'off',
    };
    return tier === 'ztunnel'
      ? {
          ...common,
          PROXY_MODE: 'dedicated',
          PROXY_WORKLOAD_INFO: 'default/bench/bench',
          LISTEN_IP: ip,
          ZTUNNEL_WORKER_THREADS: '1',
        }
      : {
          ...common,
          INSTANCE_IP: ip,
          HBONE_ADDR: `${ip}:15008`,
          GATEWAY_NAME: 'waypoint',
          WORKER_THREADS: '1',
        };
  }
}

async function addPod({ store }: LoopbackController, n: number): Promise<void> {
  const group = Math.floor(n / PODS_PER_SERVICE);
  const of = service(`app-${group}`, { vip: `10.96.${group >> 8}.${group & 255}` });
  for (let version = 0; version < VERSIONS_PER_POD; version++) {
    const pod = workload(`${of.name}-7d9c5b8f66-${n}`, {
      serviceAccount: of.name,
      canonicalName: of.name,
      workloadName: of.name,
      node: `node-${n % 20}`,
      addresses: version > 0 ? [`10.200.${n >> 8}.${n & 255}`] : [],
      services: endpointOf(of),
      status: version < VERSIONS_PER_POD - 1 ? 'unhealthy' : 'healthy',
    });
    const resources: MeshResource[] = [{ kind: 'workload', workload: pod }];
    if (version === 0) resources.push({ kind: 'service', service: of });
    store.publish(resources);
    await sleep(BETWEEN_CHANGES_MS);
  }
}

function memoryOf(daemon: Daemon | undefined): string {
  const status = readFileSync(`/proc/${daemon?.pid}/status`, 'utf8');
  const mib = (field: string): string =>
    (Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024).toFixed(0);
  return `${mib('VmRSS')} (${mib('RssAnon')})`;
}
