import type { Daemon } from '../command.ts';
import { type SampleSet, withCpu } from '../contender.ts';
import type { HttpLoad } from '../load.ts';
import { measureIdleMemory, measurePeakMemory } from '../memory.ts';
import type { Step } from '../suite.ts';
import { askLoad, controlPathOf } from './load/ask-load.ts';
import { type LoadPlace, withTools } from './load-tools.ts';
import {
  type Cell,
  cellName,
  cellsOf,
  isTableCell,
  type L7Plan,
  type LoadKind,
  streamsOf,
  tableCostName,
} from './plan.ts';

/** Of the table's cost: how often the two are measured in turn. */
const TABLE_TURNS = 3;

/** What is measured, a few seconds each. */
export function l7Steps(plan: L7Plan): readonly Step[] {
  const warmUps = plan.protocols.map(protocol =>
    loading(plan.load, async (load, seconds) => {
      await load.of({ protocol, rules: 1, body: '1 KB', connections: 32 }, seconds);
    }),
  );
  const tables = plan.protocols.map(protocol => {
    const pair = cellsOf(plan).filter(cell => cell.protocol === protocol && isTableCell(cell));
    return loading(plan.load, async (load, seconds, into) =>
      into.add(tableCostName(protocol), await load.costRatio(pair, seconds)),
    );
  });
  return [
    (_topology, _directory, { daemons }, _seconds, into) => measureIdleMemory(daemons, into),
    ...warmUps,
    ...cellsOf(plan).map(cell => cellStep(plan.load, cell)),
    ...tables,
    peakMemory,
  ];
}

const peakMemory: Step = (_topology, _directory, { daemons }, _seconds, into) => {
  measurePeakMemory(daemons, into);
  return Promise.resolve();
};

function cellStep(kind: LoadKind, cell: Cell): Step {
  const name = cellName(cell);
  return loading(kind, async (load, seconds, into) => {
    // Another kind of load is other code, and that is compiled first: told by itself, without a goal.
    const first = await load.of(cell, 1);
    const { result, cpuPer100k } = await load.of(cell, seconds);
    into.add(`${name}: RPS`, result.requestsPerSecond);
    into.add(`${name}: p50`, result.p50Ms);
    into.add(`${name}: p99`, result.p99Ms);
    into.add(`${name}: p99, the second before`, first.result.p99Ms);
    into.add(`${name}: CPU per 100k requests`, cpuPer100k);
  });
}

function loading(
  kind: LoadKind,
  measure: (load: Load, seconds: number, into: SampleSet) => Promise<void>,
): Step {
  return ({ client }, directory, { contender, daemons }, seconds, into) => {
    const place = { from: client, ip: contender.ip ?? client.ip, directory };
    const run = kind === 'wrk' ? withTools(place) : withLoadProgram(place);
    return measure(new Load(run, daemons), seconds, into);
  };
}

function withLoadProgram({ directory, ip }: LoadPlace): (cell: Cell, seconds: number) => Promise<HttpLoad> {
  const controlPath = controlPathOf(directory, ip);
  return (cell, seconds) => askLoad(controlPath, { ...cell, streams: streamsOf(cell), seconds });
}

class Load {
  readonly #run: (cell: Cell, seconds: number) => Promise<HttpLoad>;
  readonly #daemons: readonly Daemon[];

  constructor(run: (cell: Cell, seconds: number) => Promise<HttpLoad>, daemons: readonly Daemon[]) {
    this.#run = run;
    this.#daemons = daemons;
  }

  async of(cell: Cell, seconds: number): Promise<{ result: HttpLoad; cpuPer100k: number }> {
    const [result, cpu] = await withCpu(this.#daemons, () => this.#run(cell, seconds));
    if (cpu === 0) throw new Error(`${cellName(cell)}: the load went past the proxy`);
    return { result, cpuPer100k: (cpu / result.requests) * 100_000 };
  }

  /** What a request costs with the longer table over the shorter one, in turns, so that a busy moment hits both. */
  async costRatio(pair: readonly Cell[], seconds: number): Promise<number> {
    const sums = pair.map(() => 0);
    for (let turn = 0; turn < TABLE_TURNS; turn++)
      for (const [i, cell] of pair.entries())
        sums[i] = (sums[i] ?? 0) + (await this.of(cell, seconds)).cpuPer100k;
    const [short = Number.NaN, long = Number.NaN] = sums;
    return long / short;
  }
}
