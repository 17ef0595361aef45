import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleTier } from './bundle.ts';
import type { Daemon } from './command.ts';
import { type Contender, whenReady } from './contender.ts';
import { nodeFlags } from './node-flags.ts';
import type { OurOptions } from './suite.ts';
import type { Namespace, Topology } from './topology.ts';

const PROTO = fileURLToPath(new URL('../../src/shared/discovery/proto', import.meta.url));
const READY_TRIES = 600;

/**
 * The real ztunnel as it is shipped, one process for each end, each with one pod that it captures in the kernel. What a
 * controller would tell comes from a file.
 */
export async function ztunnelPair(
  topology: Topology,
  directory: string,
  { workers, engine }: OurOptions,
): Promise<Contender> {
  const entry = await bundleTier('ztunnel', ['main.ts', 'workers/worker-main.ts'], directory);
  cpSync(PROTO, join(directory, 'ztunnel', 'proto'), { recursive: true });
  const mesh = join(directory, 'mesh.json');
  const pods = [podOf('client', topology.client), podOf('server', topology.server)];
  writeFileSync(mesh, JSON.stringify({ workloads: pods.map(workloadOf), services: [], policies: [] }));
  const start = (pod: Pod): Daemon => {
    const podSource = podDirectory(directory, pod);
    const env = {
      PATH: process.env['PATH'],
      POD_SOURCE_DIR: podSource,
      LOCAL_XDS_PATH: mesh,
      FAKE_CA: 'true',
      ZTUNNEL_WORKER_THREADS: String(workers),
      ADMIN_ADDR: 'off',
      ENGINE: engine,
      STATS_ADDR: 'off',
      READINESS_ADDR: 'off',
      CONNECTION_TERMINATION_DEADLINE: '0s',
      // One pod has 10,000 connections here, where a process may have 20,000 descriptors.
      MAX_CONNECTIONS_PER_POD: '20000',
    };
    // Its access log is written, and goes where Envoy's goes.
    return pod.namespace.start(process.execPath, [...nodeFlags(), entry], env, 'stderr');
  };
  return {
    name: 'ours',
    async start() {
      for (const pod of pods) writePod(directory, pod);
      const daemons = pods.map(start);
      return whenReady(daemons, async () => {
        for (const pod of pods) await captured(directory, pod, daemons);
      });
    },
    // A ztunnel leaves its rules behind when it ends, so that nothing goes past it while it is replaced.
    async stop() {
      for (const pod of pods) await pod.namespace.run('nft', ['flush', 'ruleset']);
    },
  };
}

interface Pod {
  readonly name: string;
  readonly namespace: Namespace;
}

function podOf(name: string, namespace: Namespace): Pod {
  return { name, namespace };
}

function workloadOf({ name, namespace }: Pod): unknown {
  return {
    name,
    namespace: 'bench',
    serviceAccount: name,
    workloadIps: [namespace.ip],
    protocol: 'HBONE',
  };
}

function podDirectory(directory: string, pod: Pod): string {
  return join(directory, `pods-${pod.name}`);
}

function writePod(directory: string, { name, namespace }: Pod): void {
  const podSource = podDirectory(directory, { name, namespace });
  rmSync(podSource, { recursive: true, force: true });
  mkdirSync(podSource);
  const pod = {
    uid: name,
    name,
    namespace: 'bench',
    serviceAccount: name,
    labels: { 'istio.io/dataplane-mode': 'ambient' },
    namespaceLabels: {},
    ips: [namespace.ip],
    netnsPath: namespace.path,
    hostNetwork: false,
  };
  writeFileSync(join(podSource, `${name}.json`), JSON.stringify(pod));
}

/** Nothing would tell captured traffic from traffic that goes direct, so the status file is waited for. */
async function captured(directory: string, pod: Pod, daemons: readonly Daemon[]): Promise<void> {
  const status = join(podDirectory(directory, pod), `${pod.name}.status.json`);
  for (let tries = 0; tries < READY_TRIES; tries++) {
    if (existsSync(status) && readFileSync(status, 'utf8').includes('"enabled"')) return;
    const dead = daemons.find(d => !d.isRunning);
    if (dead !== undefined) throw new Error(`a ztunnel ended early: ${dead.said.trim()}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`${pod.name} was not captured: ${existsSync(status) ? readFileSync(status, 'utf8') : ''}`);
}
