import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { bundle } from './bundle.ts';
import type { Daemon } from './command.ts';
import {
  type Contender,
  largestPeakMb,
  largestResidentMb,
  type SampleSet,
  whenReady,
  withCpu,
} from './contender.ts';
import { envoyInbound, envoyOutbound } from './envoy-config.ts';
import { httpLoad, streamLoad } from './load.ts';
import type { Metric } from './result.ts';
import { IPERF_PORT, NGINX_PORT, type Topology, waitForPort } from './topology.ts';
import type { PairConfig } from './tunnel-pair.ts';

const HBONE_PORT = 15008;
const IDENTITY = 'spiffe://cluster.local/ns/bench/sa/bench';
const GB = 1e9;
/** As in images: connections come and go faster than a young generation of the default size is collected. */
const NODE_FLAGS = ['--max-semi-space-size=1'];

export const L4_METRICS: readonly Metric[] = [
  { name: 'throughput up', unit: 'Gbit/s', goal: { kind: 'ratio_at_least', value: 0.75 } },
  { name: 'throughput down', unit: 'Gbit/s', goal: { kind: 'ratio_at_least', value: 0.75 } },
  { name: 'throughput up, 4 streams', unit: 'Gbit/s', goal: { kind: 'ratio_at_least', value: 0.75 } },
  { name: 'RPS, 1 connection', unit: '1/s', goal: { kind: 'none' } },
  { name: 'RPS, 32 connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: 0.95 } },
  { name: 'RPS, 256 connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: 0.95 } },
  { name: 'p50, 1 connection', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p50, 32 connections', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p50, 256 connections', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p99, 1 connection', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1.5 } },
  { name: 'p99, 32 connections', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1.5 } },
  { name: 'p99, 256 connections', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1.5 } },
  { name: 'new connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: 0.8 } },
  { name: 'CPU per GB, both sides', unit: 's', goal: { kind: 'none' } },
  { name: 'CPU per 100k requests, both sides', unit: 's', goal: { kind: 'none' } },
  { name: 'memory idle, larger side', unit: 'MB', goal: { kind: 'at_most', value: 100 } },
  { name: 'peak memory under load, larger side', unit: 'MB', goal: { kind: 'at_most', value: 160 } },
];

/** Both as a pair of one thread a side. */
export async function l4Contenders(
  topology: Topology,
  directory: string,
  envoy: string,
): Promise<readonly Contender[]> {
  const material = await (await createTestCa('bench')).issue(IDENTITY);
  const { client, server } = topology;
  const hbone = { ip: server.ip, port: HBONE_PORT };
  const ports = [NGINX_PORT, IPERF_PORT];
  const entry = await bundle('e2e/bench/tunnel-pair.ts', directory);
  const write = (name: string, content: string): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  const pair: Omit<PairConfig, 'listenIp' | 'ports'> = {
    hbone,
    applicationIp: server.ip,
    material,
    identity: IDENTITY,
  };
  const ourOutbound = write('out.json', JSON.stringify({ ...pair, listenIp: client.ip, ports }));
  const ourInbound = write('in.json', JSON.stringify({ ...pair, listenIp: server.ip, ports: [HBONE_PORT] }));
  const tls = {
    certChain: write('chain.pem', material.certChainPem),
    privateKey: write('key.pem', material.privateKeyPem),
    trustBundle: write('roots.pem', material.trustBundlePem),
    peerIdentity: IDENTITY,
  };
  const targets = ports.map(port => ({ ip: server.ip, port }));
  const tunnelled = targets.map(target => ({ listen: { ip: client.ip, port: target.port }, target }));
  const envoyOut = write('envoy-out.json', JSON.stringify(envoyOutbound(tunnelled, hbone, tls)));
  const envoyIn = write('envoy-in.json', JSON.stringify(envoyInbound(hbone, targets, tls)));
  const started = (daemons: readonly Daemon[]): Promise<readonly Daemon[]> =>
    whenReady(daemons, async () => {
      await waitForPort(client, hbone.ip, hbone.port, daemons);
      for (const port of ports) await waitForPort(client, client.ip, port, daemons);
    });
  const envoyArgs = (path: string, id: number): string[] => [
    '--concurrency',
    '1',
    '--log-level',
    'error',
    '--base-id',
    String(id),
    '-c',
    path,
  ];
  const baseId = (process.pid % 10_000) * 2;
  return [
    {
      name: 'ours',
      start: () =>
        started([
          server.start(process.execPath, [...NODE_FLAGS, entry, 'inbound', ourInbound]),
          client.start(process.execPath, [...NODE_FLAGS, entry, 'outbound', ourOutbound]),
        ]),
    },
    {
      name: 'peer',
      start: () =>
        started([
          server.start(envoy, envoyArgs(envoyIn, baseId)),
          client.start(envoy, envoyArgs(envoyOut, baseId + 1)),
        ]),
    },
  ];
}

/** One round of one contender. */
export async function measureL4(
  topology: Topology,
  daemons: readonly Daemon[],
  seconds: number,
  into: SampleSet,
): Promise<void> {
  const { client } = topology;
  const url = `http://${client.ip}:${NGINX_PORT}/`;
  into.add('memory idle, larger side', largestResidentMb(daemons));
  // Connects the HBONE session and lets the compilers settle; the same for both.
  await httpLoad(client, url, 32, 1);
  for (const connections of [1, 32, 256]) {
    const [load, cpu] = await withCpu(daemons, () => httpLoad(client, url, connections, seconds));
    const label = connections === 1 ? '1 connection' : `${connections} connections`;
    into.add(`RPS, ${label}`, load.requestsPerSecond);
    into.add(`p50, ${label}`, load.p50Ms);
    into.add(`p99, ${label}`, load.p99Ms);
    if (connections === 32) into.add('CPU per 100k requests, both sides', (cpu / load.requests) * 100_000);
  }
  into.add('new connections', (await httpLoad(client, url, 32, seconds, true)).requestsPerSecond);
  const [up, cpu] = await withCpu(daemons, () => streamLoad(client, client.ip, IPERF_PORT, seconds));
  into.add('throughput up', up.gbitPerSecond);
  into.add('CPU per GB, both sides', (cpu / up.bytes) * GB);
  const down = await streamLoad(client, client.ip, IPERF_PORT, seconds, { down: true });
  into.add('throughput down', down.gbitPerSecond);
  const four = await streamLoad(client, client.ip, IPERF_PORT, seconds, { streams: 4 });
  into.add('throughput up, 4 streams', four.gbitPerSecond);
  into.add('peak memory under load, larger side', largestPeakMb(daemons));
}
