/**
 * `npm run bench -- l4|l7|l7-plain|storm`: ours against Envoy, alternating, medians and ratios.
 * `npm run bench -- cluster`: the cluster of KUBECONFIG with and without the mesh (e2e/kube/bench).
 * The exit status says whether every goal was reached.
 */
import { parseArgs } from 'node:util';
import { benchCluster } from '../kube/bench/main.ts';
import { l4Suite } from './l4.ts';
import { l7PlainSuite } from './l7-plain.ts';
import { PROTOCOLS } from './l7/plan.ts';
import { l7Suite } from './l7/suite.ts';
import { formatTable, missedGoals } from './result.ts';
import { bench, type BenchOptions, type EngineResult } from './runner.ts';
import { stormSuite } from './storm.ts';
import { ENGINE_SETTINGS, type EngineSetting, type Suite } from './suite.ts';

const USAGE = `usage: npm run bench -- l4|l7|l7-plain|storm [--rounds N] [--seconds N] [--workers N]
         [--engine auto|native|node|both] [--only ours|peer] [--json]
       l7 takes [--protocol h1|h2|grpc] (all by default) and [--full], the whole matrix
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
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function suiteOf(name: string | undefined, values: Values): Suite | undefined {
  if (name === 'l4') return l4Suite;
  if (name === 'l7-plain') return l7PlainSuite;
  if (name === 'storm') return stormSuite;
  const protocols = PROTOCOLS.filter(known => values.protocol === undefined || known === values.protocol);
  return name === 'l7' && protocols.length > 0
    ? l7Suite({ protocols, full: values.full === true })
    : undefined;
}

function enginesOf(text: string | undefined): readonly EngineSetting[] {
  return text === 'both' ? ['native', 'node'] : ENGINE_SETTINGS.filter(name => name === text);
}

/** Undefined when something given means nothing. */
function optionsOf(suite: Suite, values: Values): BenchOptions | undefined {
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  const workers = Number(values.workers ?? suite.workers);
  const engines = enginesOf(values.engine);
  const { only } = values;
  const isValid =
    [rounds, seconds, workers].every(n => Number.isInteger(n) && n >= 1) &&
    engines.length > 0 &&
    (only === undefined || only === 'ours' || only === 'peer');
  return isValid ? { rounds, seconds, workers, engines, only } : undefined;
}

function report({ engine, rows }: EngineResult): number {
  console.log(`\nengine: ${engine}\n${formatTable(rows)}`);
  const missed = missedGoals(rows);
  if (missed.length > 0) console.error(`${engine}: ${missed.length} goals missed: ${missed.join('; ')}`);
  return missed.length;
}

async function main(): Promise<number> {
  const [suiteName, ...rest] = process.argv.slice(2);
  if (suiteName === 'cluster') return (await benchCluster(rest, line => console.log(line))) ? 0 : 1;
  const { values } = parseArgs({ args: rest, options: OPTIONS });
  const suite = suiteOf(suiteName, values);
  const options = suite === undefined ? undefined : optionsOf(suite, values);
  if (suite === undefined || options === undefined) {
    console.error(USAGE);
    return 2;
  }
  const results = await bench(suite, options, line => console.error(line));
  if (values.json === true) console.log(JSON.stringify({ suite: suiteName, ...options, results }, null, 2));
  const missed = values.json === true ? results.flatMap(r => missedGoals(r.rows)).length : reportAll(results);
  return values.only === undefined && missed > 0 ? 1 : 0;
}

function reportAll(results: readonly EngineResult[]): number {
  return results.reduce((missed, result) => missed + report(result), 0);
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
});
