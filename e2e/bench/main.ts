/**
 * `npm run bench -- l4|l7|storm`: ours against Envoy, alternating, medians and ratios.
 * `npm run bench -- cluster`: the cluster of KUBECONFIG with and without the mesh (e2e/kube/bench).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchCluster } from '../kube/bench/main.ts';
import { defaultTrafficThreads } from '#shared/config/traffic-threads.ts';
import type { Daemon } from './command.ts';
import { type Contender, SampleSet } from './contender.ts';
import { installEnvoy } from './envoy-install.ts';
import { L4_METRICS, l4Contenders, measureL4 } from './l4.ts';
import { L7_METRICS, l7Contenders, measureL7 } from './l7.ts';
import { formatTable, type Metric, type Row, summarize } from './result.ts';
import { measureStorm, STORM_METRICS, stormContenders } from './storm.ts';
import { createTopology, type Topology } from './topology.ts';
import { ENGINE_SETTINGS, type EngineSetting, type ZtunnelPairOptions } from './ztunnel-pair.ts';

interface Suite {
  readonly metrics: readonly Metric[];
  /** Default of `--workers`. */
  readonly workers: number;
  contenders(
    topology: Topology,
    directory: string,
    envoy: string,
    ours: ZtunnelPairOptions,
  ): Promise<readonly Contender[]>;
  measure(topology: Topology, daemons: readonly Daemon[], seconds: number, into: SampleSet): Promise<void>;
}

const SUITES: ReadonlyMap<string, Suite> = new Map([
  [
    'l4',
    { metrics: L4_METRICS, workers: defaultTrafficThreads(), contenders: l4Contenders, measure: measureL4 },
  ],
  ['l7', { metrics: L7_METRICS, workers: 1, contenders: l7Contenders, measure: measureL7 }],
  ['storm', { metrics: STORM_METRICS, workers: 1, contenders: stormContenders, measure: measureStorm }],
]);
const TOOLS = ['ip', 'nft', 'nginx', 'iperf3', 'wrk', 'python3'];

interface BenchOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly workers: number;
  readonly engine: EngineSetting;
  /** One contender alone: ratios mean nothing then. */
  readonly only: string | undefined;
}

async function bench(
  suite: Suite,
  { rounds, seconds, workers, engine, only }: BenchOptions,
  log: (line: string) => void,
): Promise<Row[]> {
  const missing = TOOLS.filter(tool => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  if (missing.length > 0) throw new Error(`needed and not installed: ${missing.join(', ')}`);
  if (process.getuid?.() !== 0)
    throw new Error(
      'network namespaces need root: run `unshare -Urnm`, mount a tmpfs on /run, and start again there',
    );
  const envoy = installEnvoy();
  if (!envoy.ok) throw new Error(envoy.reason);
  const directory = mkdtempSync(join(tmpdir(), 'ambient-bench-'));
  const sets = { ours: new SampleSet(), peer: new SampleSet() };
  let topology: Topology | undefined;
  try {
    topology = await createTopology(directory);
    const contenders = await suite.contenders(topology, directory, envoy.path, { workers, engine });
    for (let round = 1; round <= rounds; round++)
      for (const contender of contenders) {
        if (only !== undefined && contender.name !== only) continue;
        log(`round ${round} of ${rounds}: ${contender.name}`);
        const daemons = await contender.start();
        try {
          await suite.measure(topology, daemons, seconds, sets[contender.name]);
        } finally {
          await Promise.all(daemons.map(d => d.stop()));
          await contender.stop?.();
        }
      }
  } finally {
    await topology?.close();
    rmSync(directory, { recursive: true, force: true });
  }
  return summarize(suite.metrics, sets.ours.samples, sets.peer.samples);
}

const USAGE =
  'usage: npm run bench -- l4|l7|storm [--rounds N] [--seconds N] [--workers N] [--engine auto|native|node] [--only ours|peer] [--json]; or cluster';

async function main(): Promise<number> {
  const [suiteName, ...rest] = process.argv.slice(2);
  if (suiteName === 'cluster') return (await benchCluster(rest, line => console.log(line))) ? 0 : 1;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
      workers: { type: 'string' },
      engine: { type: 'string', default: 'auto' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const suite = SUITES.get(positionals[0] ?? '');
  const options = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    workers: Number(values.workers ?? suite?.workers),
    engine: ENGINE_SETTINGS.find(name => name === values.engine),
    only: values.only,
  };
  const knownSide = options.only === undefined || options.only === 'ours' || options.only === 'peer';
  const numbers = [options.rounds, options.seconds, options.workers];
  const { engine } = options;
  if (
    suite === undefined ||
    engine === undefined ||
    !knownSide ||
    numbers.some(n => !Number.isInteger(n) || n < 1)
  ) {
    console.error(USAGE);
    return 2;
  }
  const rows = await bench(suite, { ...options, engine }, line => console.error(line));
  console.log(
    values.json ? JSON.stringify({ suite: positionals[0], ...options, rows }, null, 2) : formatTable(rows),
  );
  if (values.only !== undefined) return 0;
  const missed = rows.filter(r => !r.ok);
  if (missed.length > 0)
    console.error(`${missed.length} goals missed: ${missed.map(r => r.name).join('; ')}`);
  return missed.length > 0 ? 1 : 0;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
});
