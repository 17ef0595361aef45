import { fileURLToPath } from 'node:url';
import type { Daemon } from '../command.ts';
import type { SampleSet } from '../contender.ts';
import { envoyPair } from '../envoy-pair.ts';
import { residentMb } from '../process-stats.ts';
import type { Metric } from '../result.ts';
import type { Suite } from '../suite.ts';
import { IDLE_PORT, NGINX_PORT, type Topology, waitForPort } from '../topology.ts';
import { ztunnelPair } from '../ztunnel-pair.ts';

const TUNNELS = 10_000;
const OPEN_TRIES = 600;
const POLL_MS = 100;
const SETTLE_MS = 3_000;
const KB_IN_MB = 1024;

/** Of the processes of a pair, in their order. */
const SIDES = ['client side', 'server side'] as const;
const METRICS: readonly Metric[] = [
  { name: 'memory of a tunnel, client side', unit: 'KB', goal: { kind: 'ratio_at_most', value: 1 } },
  { name: 'memory of a tunnel, server side', unit: 'KB', goal: { kind: 'ratio_at_most', value: 1 } },
  { name: `memory with ${TUNNELS} tunnels, client side`, unit: 'MB', goal: { kind: 'none' } },
  { name: `memory with ${TUNNELS} tunnels, server side`, unit: 'MB', goal: { kind: 'none' } },
];
const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** What tunnels in which nothing moves take. */
export const idleSuite: Suite = {
  tools: ['ip', 'nft', 'nginx', 'iperf3', 'python3'],
  workers: 1,
  metrics: () => METRICS,
  contenders: async (topology, directory, envoy, ours) => [
    await ztunnelPair(topology, directory, ours),
    await envoyPair(topology, directory, envoy, ours.workers),
  ],
  measure: (topology, _directory, { daemons }, _seconds, into) => measureIdle(topology, daemons, into),
};

async function measureIdle(topology: Topology, daemons: readonly Daemon[], into: SampleSet): Promise<void> {
  const { client, server } = topology;
  // A first request makes what every process makes once.
  await waitForPort(client, server.ip, NGINX_PORT, daemons);
  await settle();
  const before = daemons.map(d => residentMb(d.pid));
  const node = ['--disable-warning=ExperimentalWarning'];
  const port = String(IDLE_PORT);
  const holder = server.start(process.execPath, [...node, program('server.ts'), server.ip, port]);
  const peers = [holder];
  try {
    // From its own side: whoever asks through a proxy is connected before the server is.
    await waitForPort(server, server.ip, IDLE_PORT, peers);
    const args = [...node, program('client.ts'), server.ip, port, String(TUNNELS)];
    peers.push(client.start(process.execPath, args));
    await untilOpen(peers);
    await settle();
    for (const [i, daemon] of daemons.entries()) {
      const side = SIDES[i] ?? '';
      const resident = residentMb(daemon.pid);
      into.add(`memory of a tunnel, ${side}`, ((resident - (before[i] ?? 0)) * KB_IN_MB) / TUNNELS);
      into.add(`memory with ${TUNNELS} tunnels, ${side}`, resident);
    }
  } finally {
    await Promise.all(peers.map(d => d.stop()));
  }
}

async function untilOpen(peers: readonly Daemon[]): Promise<void> {
  for (let tries = 0; tries < OPEN_TRIES; tries++) {
    const dead = peers.find(d => !d.isRunning);
    if (dead !== undefined) throw new Error(`a process ended early: ${dead.said.trim()}`);
    if (peers.some(d => d.said.includes('open'))) return;
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${TUNNELS} tunnels were not open in time`);
}

/** Kernels and allocators give back late. */
function settle(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, SETTLE_MS));
}
