import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, SampleSet } from './contender.ts';
import { installEnvoy } from './envoy-install.ts';
import { type Row, summarize } from './result.ts';
import type { EngineSetting, Running, Step, Suite } from './suite.ts';
import { createTopology, type Topology, type TopologyOptions } from './topology.ts';

export interface BenchOptions extends TopologyOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly workers: number;
  /** One table each. */
  readonly engines: readonly EngineSetting[];
  /** One contender alone: ratios mean nothing then. */
  readonly only: string | undefined;
}

export interface EngineResult {
  readonly engine: EngineSetting;
  readonly rows: readonly Row[];
}

/** Throws one line that says what is missing on this machine. */
export function requireTools(tools: readonly string[]): void {
  const missing = tools.filter(tool => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  if (missing.length > 0) throw new Error(`needed and not installed: ${missing.join(', ')}`);
  if (process.getuid?.() !== 0)
    throw new Error(
      'network namespaces need root: run `unshare -Urnm`, mount a tmpfs on /run, and start again there',
    );
}

/** With a topology and a directory of its own, both gone afterwards. */
export async function onTopology<T>(
  use: (topology: Topology, directory: string) => Promise<T>,
  options: TopologyOptions = {},
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-bench-'));
  let topology: Topology | undefined;
  try {
    topology = await createTopology(directory, options);
    return await use(topology, directory);
  } finally {
    await topology?.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Each round measures every contender once, each in fresh processes; the peer is the same for all engines. */
export async function bench(
  suite: Suite,
  options: BenchOptions,
  log: (line: string) => void,
): Promise<readonly EngineResult[]> {
  requireTools(suite.tools);
  const envoy = installEnvoy();
  if (!envoy.ok) throw new Error(envoy.reason);
  return onTopology(async (topology, directory) => {
    const sides = await sidesOf(suite, options, topology, directory, envoy.path);
    const place = { topology, directory, seconds: options.seconds };
    for (let round = 1; round <= options.rounds; round++) {
      const logSide = (label: string): void => log(`round ${round} of ${options.rounds}: ${label}`);
      if (typeof suite.measure === 'function') await eachAlone(suite.measure, sides, place, logSide);
      else await allInTurns(suite.measure, sides, place, logSide);
    }
    const peer = sides.find(side => side.engine === undefined)?.samples ?? new SampleSet();
    return sides.flatMap(({ engine, samples }) =>
      engine === undefined ? [] : [{ engine, rows: rowsOf(suite, engine, samples, peer) }],
    );
  }, options);
}

interface Side {
  readonly label: string;
  /** Undefined: the peer. */
  readonly engine: EngineSetting | undefined;
  readonly contender: Contender;
  readonly samples: SampleSet;
}

async function sidesOf(
  suite: Suite,
  { engines, only, workers }: BenchOptions,
  topology: Topology,
  directory: string,
  envoy: string,
): Promise<readonly Side[]> {
  const sides: Side[] = [];
  let peer: Contender | undefined;
  for (const engine of engines) {
    const [ours, theirs] = await suite.contenders(topology, directory, envoy, { workers, engine });
    sides.push({ label: `ours (${engine})`, engine, contender: ours, samples: new SampleSet() });
    peer ??= theirs;
  }
  if (peer !== undefined)
    sides.push({ label: 'peer', engine: undefined, contender: peer, samples: new SampleSet() });
  return only === undefined ? sides : sides.filter(({ contender }) => contender.name === only);
}

interface Place {
  readonly topology: Topology;
  readonly directory: string;
  readonly seconds: number;
}

async function eachAlone(
  measure: Step,
  sides: readonly Side[],
  { topology, directory, seconds }: Place,
  log: (label: string) => void,
): Promise<void> {
  for (const { contender, label, samples } of sides) {
    log(label);
    await whileRunning([contender], ([running]) =>
      running === undefined ? Promise.resolve() : measure(topology, directory, running, seconds, samples),
    );
  }
}

async function allInTurns(
  steps: readonly Step[],
  sides: readonly Side[],
  { topology, directory, seconds }: Place,
  log: (label: string) => void,
): Promise<void> {
  log(sides.map(side => side.label).join(' and '));
  await whileRunning(
    sides.map(side => side.contender),
    async all => {
      for (const step of steps)
        for (const [i, running] of all.entries())
          await step(topology, directory, running, seconds, sides[i]?.samples ?? new SampleSet());
    },
  );
}

/** Starts them one after the other, and ends all of them whatever happens. */
async function whileRunning(
  contenders: readonly Contender[],
  use: (all: readonly Running[]) => Promise<void>,
): Promise<void> {
  const all: Running[] = [];
  const begun: Contender[] = [];
  try {
    for (const contender of contenders) {
      begun.push(contender);
      all.push({ contender, daemons: await contender.start() });
    }
    await use(all);
  } finally {
    await Promise.all(all.flatMap(({ daemons }) => daemons.map(d => d.stop())));
    for (const contender of begun) await contender.stop?.();
  }
}

function rowsOf(suite: Suite, engine: EngineSetting, ours: SampleSet, peer: SampleSet): Row[] {
  return summarize(suite.metrics(engine === 'node' ? 'node' : 'native'), ours.samples, peer.samples);
}
