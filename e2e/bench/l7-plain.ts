import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleTier } from './bundle.ts';
import type { Daemon } from './command.ts';
import { type Contender, type SampleSet, whenReady } from './contender.ts';
import { envoyHttpProxy } from './envoy-config.ts';
import { httpLoad } from './load.ts';
import { measureIdleMemory, measurePeakMemory, memoryMetrics } from './memory.ts';
import type { Metric } from './result.ts';
import { measureRates } from './rates.ts';
import type { OurOptions, Suite } from './suite.ts';
import { NGINX_PORT, type Topology, waitForPort } from './topology.ts';

const PROXY_PORT = 8081;

const L7_METRICS: readonly Metric[] = [
  { name: 'RPS, 1 connection', unit: '1/s', goal: { kind: 'none' } },
  { name: 'RPS, 32 connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: 1.8 } },
  { name: 'RPS, 256 connections', unit: '1/s', goal: { kind: 'ratio_at_least', value: 1.8 } },
  { name: 'p50, 32 connections', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p50, 256 connections', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p99, 1 connection', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1 } },
  { name: 'p99, 32 connections', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1 } },
  { name: 'p99, 256 connections', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1 } },
  { name: 'p99, 1 connection, the second before', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p99, 32 connections, the second before', unit: 'ms', goal: { kind: 'none' } },
  { name: 'p99, 256 connections, the second before', unit: 'ms', goal: { kind: 'none' } },
  { name: 'CPU per 100k requests', unit: 's', goal: { kind: 'none' } },
  ...memoryMetrics({ idle: { kind: 'none' }, underLoad: { kind: 'none' } }),
];

/** The waypoint's plaintext mode against Envoy as an HTTP/1.1 proxy, one worker each. */
async function l7Contenders(
  topology: Topology,
  directory: string,
  envoy: string,
  { workers, engine }: OurOptions,
): Promise<readonly [Contender, Contender]> {
  const { client, server } = topology;
  const entry = await bundleTier('waypoint', ['main.ts', 'workers/worker-main.ts'], directory);
  const config = join(directory, 'envoy-http.json');
  const listen = { ip: client.ip, port: PROXY_PORT };
  const upstream = { ip: server.ip, port: NGINX_PORT };
  writeFileSync(config, JSON.stringify(envoyHttpProxy(listen, upstream)));
  const env = {
    ...process.env,
    LISTEN_PLAINTEXT: `${listen.ip}:${listen.port}`,
    PLAINTEXT_UPSTREAM: `${upstream.ip}:${upstream.port}`,
    WORKER_THREADS: String(workers),
    ENGINE: engine,
    ACCESS_LOG: 'off',
  };
  const started = (daemon: Daemon): Promise<readonly Daemon[]> =>
    whenReady([daemon], () => waitForPort(client, listen.ip, listen.port, [daemon]));
  const envoyArgs = ['--concurrency', String(workers), '--log-level', 'error', '--disable-hot-restart'];
  return [
    { name: 'ours', start: () => started(client.start(process.execPath, [entry], env)) },
    { name: 'peer', start: () => started(client.start(envoy, [...envoyArgs, '-c', config])) },
  ];
}

async function measureL7(
  topology: Topology,
  daemons: readonly Daemon[],
  seconds: number,
  into: SampleSet,
): Promise<void> {
  const { client } = topology;
  const url = `http://${client.ip}:${PROXY_PORT}/`;
  await measureIdleMemory(daemons, into);
  await httpLoad(client, url, 32, 1);
  await measureRates({ client, url, daemons, seconds, cpuMetric: 'CPU per 100k requests' }, into);
  measurePeakMemory(daemons, into);
}

export const l7PlainSuite: Suite = {
  tools: ['ip', 'nginx', 'wrk', 'iperf3', 'python3'],
  workers: 1,
  metrics: () => L7_METRICS,
  contenders: l7Contenders,
  measure: (topology, _directory, { daemons }, seconds, into) => measureL7(topology, daemons, seconds, into),
};
