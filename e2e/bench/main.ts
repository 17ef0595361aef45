/**
 * `npm run bench -- l4|l7|l7-plain|storm|idle`: ours against Envoy, alternating, medians and ratios.
 * `npm run bench -- growth`: how cost grows with connections and identities, plotted into docs/.
 * `npm run bench -- streams`: 2,000 streams on one connection, with and without one whose reader is slow.
 * `npm run bench -- mesh-size`: memory of idle proxies as the mesh grows.
 * `npm run bench -- cluster`: the cluster of KUBECONFIG with and without the mesh (e2e/kube/bench).
 * The exit status says whether every goal was reached.
 */
import { parseArgs } from 'node:util';
import { errorMessage } from '#shared/observability/error-message.ts';
import { benchCluster } from '../kube/bench/main.ts';
import { SUITE_COMMANDS, type SuiteCommand } from './commands.ts';
import { benchGrowth, formatPoints } from './growth/growth.ts';
import { benchMeshSize } from './mesh-size.ts';
import { idleSuite } from './idle/suite.ts';
import { l4Suite } from './l4.ts';
import { l7PlainSuite } from './l7-plain.ts';
import { LOADS, PROTOCOLS } from './l7/plan.ts';
import { l7Suite } from './l7/suite.ts';
import { formatTable, missedGoals, type Row } from './result.ts';
import { bench } from './runner.ts';
import { stormSuite } from './storm.ts';
import { benchStreams } from './streams/streams.ts';
import { ENGINE_SETTINGS, type EngineSetting, type Suite } from './suite.ts';
import type { TopologyOptions } from './topology.ts';

const USAGE = `usage: npm run bench -- l4|l7|l7-plain|storm|idle [--rounds N] [--seconds N] [--workers N]
         [--engine auto|native|node|both] [--only ours|peer] [--json]
         [--congestion-control NAME], of every TCP connection, of both contenders
       l7 takes [--protocol h1|h2|grpc] (all by default), [--full], the whole matrix, and
         [--load hbone|wrk]: the bench's own load in HBONE, or wrk and h2load before a client's edge
       npm run bench -- growth|streams [--rounds N] [--seconds N] [--engine auto|native|node|both]
       npm run bench -- mesh-size
       npm run bench -- cluster: the cluster of KUBECONFIG`;

const OPTIONS = {
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '4' },
  workers: { type: 'string' },
  engine: { type: 'string', default: 'auto' },
  only: { type: 'string' },
  json: { type: 'boolean', default: false },
  protocol: { type: 'string' },
  full: { type: 'boolean', default: false },
  load: { type: 'string', default: 'hbone' },
  'congestion-control': { type: 'string' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

interface Options extends TopologyOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly workers: number | undefined;
  readonly engines: readonly EngineSetting[];
  readonly only: string | undefined;
  readonly json: boolean;
}

/** Undefined when something given means nothing. */
function optionsOf(values: Values): Options | undefined {
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  const workers = values.workers === undefined ? undefined : Number(values.workers);
  const engines: readonly EngineSetting[] =
    values.engine === 'both' ? ['native', 'node'] : ENGINE_SETTINGS.filter(name => name === values.engine);
  const { only, json } = values;
  const isValid =
    [rounds, seconds, workers ?? 1].every(n => Number.isInteger(n) && n >= 1) &&
    engines.length > 0 &&
    (only === undefined || only === 'ours' || only === 'peer');
  const congestionControl = values['congestion-control'];
  return isValid ? { rounds, seconds, workers, engines, only, json, congestionControl } : undefined;
}

function suiteOf(name: SuiteCommand, values: Values): Suite | undefined {
  switch (name) {
    case 'l4':
      return l4Suite;
    case 'l7':
      return l7SuiteOf(values);
    case 'l7-plain':
      return l7PlainSuite;
    case 'storm':
      return stormSuite;
    case 'idle':
      return idleSuite;
  }
}

function l7SuiteOf({ protocol, full, load }: Values): Suite | undefined {
  const protocols = PROTOCOLS.filter(known => protocol === undefined || known === protocol);
  const kind = LOADS.find(known => known === load);
  return protocols.length > 0 && kind !== undefined ? l7Suite({ protocols, full, load: kind }) : undefined;
}

const log = (line: string): void => console.error(line);

async function runSuite(name: string, suite: Suite, options: Options): Promise<number> {
  const workers = options.workers ?? suite.workers;
  const results = await bench(suite, { ...options, workers }, log);
  if (options.json) console.log(JSON.stringify({ suite: name, ...options, workers, results }, null, 2));
  let missed = 0;
  for (const { engine, rows } of results) missed += report(engine, rows, options.json);
  return options.only === undefined && missed > 0 ? 1 : 0;
}

async function runStreams({ engines, rounds, seconds, json }: Options): Promise<number> {
  let missed = 0;
  for (const engine of engines) {
    const rows = await benchStreams({ engine, seconds, turns: rounds });
    if (json) console.log(JSON.stringify({ suite: 'streams', engine, rows }, null, 2));
    missed += report(engine, rows, json, ['with', 'without']);
  }
  return missed > 0 ? 1 : 0;
}

/** @returns how many goals were missed */
function report(
  engine: EngineSetting,
  rows: readonly Row[],
  quietly: boolean,
  names?: readonly [string, string],
): number {
  if (!quietly) console.log(`\nengine: ${engine}\n${formatTable(rows, names)}`);
  const missed = missedGoals(rows);
  if (missed.length > 0) console.error(`${engine}: ${missed.length} goals missed: ${missed.join('; ')}`);
  return missed.length;
}

async function runGrowth({ engines, seconds }: Options): Promise<number> {
  for (const engine of engines) console.log(formatPoints(await benchGrowth({ engine, seconds }, log)));
  return 0;
}

async function main(): Promise<number> {
  const [name = '', ...rest] = process.argv.slice(2);
  if (name === 'cluster') return (await benchCluster(rest, line => console.log(line))) ? 0 : 1;
  if (name === 'mesh-size') {
    console.log(await benchMeshSize(log));
    return 0;
  }
  const { values } = parseArgs({ args: rest, options: OPTIONS });
  const options = optionsOf(values);
  const command = SUITE_COMMANDS.find(known => known === name);
  const suite = command === undefined ? undefined : suiteOf(command, values);
  if (options !== undefined && name === 'growth') return runGrowth(options);
  if (options !== undefined && name === 'streams') return runStreams(options);
  if (options !== undefined && suite !== undefined) return runSuite(name, suite, options);
  console.error(USAGE);
  return 2;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`bench: ${errorMessage(error)}`);
  return 1;
});
