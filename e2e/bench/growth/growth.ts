import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Daemon } from '../command.ts';
import { type Contender, largestResidentMb, withCpu } from '../contender.ts';
import { installEnvoy } from '../envoy-install.ts';
import { envoyPair } from '../envoy-pair.ts';
import { httpLoad } from '../load.ts';
import { onTopology, requireTools } from '../runner.ts';
import type { EngineSetting } from '../suite.ts';
import { NGINX_PORT, type Topology, waitForPort } from '../topology.ts';
import { ztunnelPair } from '../ztunnel-pair.ts';
import { growthFigure, type GrowthPoint } from './figure.ts';
import { renderFigure } from './plot.ts';

const CONNECTIONS = [10, 100, 1_000, 10_000];
const IDENTITIES = [1, 100, 2_000];
/** Spread over the identities. */
const IDENTITY_CONNECTIONS = 2_000;
const EDGE_PORT = 18_090;
const WARM_UP_CONNECTIONS = 32;
/** For a thousand more connections. */
const CONNECT_SECONDS = 1.5;
const START_TRIES = 900;
const POLL_MS = 100;
const docs = (name: string): string => fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));
const identitiesProgram = fileURLToPath(new URL('identities.ts', import.meta.url));

export interface GrowthOptions {
  readonly engine: EngineSetting;
  readonly seconds: number;
}

/** Measures everything once, in fresh processes for each point, and writes the plot and what it shows into docs/. */
export async function benchGrowth(
  { engine, seconds }: GrowthOptions,
  log: (line: string) => void,
): Promise<readonly GrowthPoint[]> {
  requireTools(['ip', 'nft', 'nginx', 'iperf3', 'wrk', 'python3']);
  const envoy = installEnvoy();
  if (!envoy.ok) throw new Error(envoy.reason);
  const points = await onTopology(async (topology, directory) => {
    const ours = await ztunnelPair(topology, directory, { workers: 1, engine });
    const theirs = await envoyPair(topology, directory, envoy.path, 1);
    const found: GrowthPoint[] = [];
    for (const amount of CONNECTIONS)
      for (const [who, contender] of [
        ['ours', ours],
        ['Envoy', theirs],
      ] as const) {
        log(`${amount} connections: ${who}`);
        const measured = await whileRunning(contender, daemons =>
          byConnections(topology, daemons, amount, seconds),
        ).catch((error: unknown) => leftOut(who, error, log));
        if (measured !== undefined) found.push({ by: 'connections', amount, who, ...measured });
      }
    for (const amount of IDENTITIES) {
      log(`${amount} identities`);
      const measured = await whileRunning(ours, ([, server]) =>
        byIdentities(topology, server, amount, seconds),
      );
      found.push({ by: 'identities', amount, who: 'ours', ...measured });
    }
    return found;
  });
  writeFileSync(docs('growth.json'), `${JSON.stringify({ engine, seconds, points }, null, 2)}\n`);
  writeFileSync(docs('growth.svg'), renderFigure(growthFigure(points)));
  return points;
}

/** Requests that failed make a rate worthless: the peer's point is left out and said so; ours may have none. */
function leftOut(who: 'ours' | 'Envoy', error: unknown, log: (line: string) => void): undefined {
  if (who === 'ours') throw error;
  log(`left out: ${errorMessage(error)}`);
}

type Measured = Pick<GrowthPoint, 'requestsPerSecond' | 'cpuPer100k' | 'memoryMb'>;

async function whileRunning(
  contender: Contender,
  measure: (daemons: readonly Daemon[]) => Promise<Measured>,
): Promise<Measured> {
  const daemons = await contender.start();
  try {
    return await measure(daemons);
  } finally {
    await Promise.all(daemons.map(d => d.stop()));
    await contender.stop?.();
  }
}

async function byConnections(
  { client, server }: Topology,
  daemons: readonly Daemon[],
  connections: number,
  seconds: number,
): Promise<Measured> {
  const url = `http://${server.ip}:${NGINX_PORT}/`;
  await httpLoad(client, url, WARM_UP_CONNECTIONS, 1);
  // The more there are, the longer they take to connect: what is asked for is what they cost when they are there.
  const lasting = seconds + Math.ceil((connections / 1_000) * CONNECT_SECONDS);
  return underLoad(daemons, () => httpLoad(client, url, connections, lasting));
}

/** The server's ztunnel alone is measured: it has a connection, a certificate to check and labels for each identity. */
async function byIdentities(
  { client, server }: Topology,
  ztunnel: Daemon | undefined,
  identities: number,
  seconds: number,
): Promise<Measured> {
  if (ztunnel === undefined) throw new Error('there is no ztunnel on the server');
  const args = [identitiesProgram, String(EDGE_PORT), server.ip, String(identities)];
  const edge = client.start(process.execPath, ['--disable-warning=ExperimentalWarning', ...args]);
  try {
    await untilListening(edge);
    await waitForPort(client, '127.0.0.1', EDGE_PORT, [edge]);
    const url = `http://127.0.0.1:${EDGE_PORT}/`;
    // Every identity has connected after the first.
    await httpLoad(client, url, IDENTITY_CONNECTIONS, seconds);
    return await underLoad([ztunnel], () => httpLoad(client, url, IDENTITY_CONNECTIONS, seconds));
  } finally {
    await edge.stop();
  }
}

async function underLoad(
  daemons: readonly Daemon[],
  load: () => ReturnType<typeof httpLoad>,
): Promise<Measured> {
  const [result, cpu] = await withCpu(daemons, load);
  return {
    requestsPerSecond: result.requestsPerSecond,
    cpuPer100k: (cpu / result.requests) * 100_000,
    memoryMb: largestResidentMb(daemons),
  };
}

async function untilListening(edge: Daemon): Promise<void> {
  for (let tries = 0; tries < START_TRIES; tries++) {
    if (!edge.isRunning) throw new Error(`the clients ended early: ${edge.said.trim()}`);
    if (edge.said.includes('listening')) return;
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
  throw new Error('the certificates of all identities were not made in time');
}

/** One line a point. */
export function formatPoints(points: readonly GrowthPoint[]): string {
  return points
    .map(({ by, amount, who, requestsPerSecond, cpuPer100k, memoryMb }) => {
      const figures = `${requestsPerSecond.toFixed(0)} requests/s, ${cpuPer100k.toFixed(2)} s per 100k, ${memoryMb.toFixed(0)} MB`;
      return `${amount} ${by}, ${who}: ${figures}`;
    })
    .join('\n');
}
