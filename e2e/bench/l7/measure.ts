import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../command.ts';
import { type SampleSet, withCpu } from '../contender.ts';
import { measureIdleMemory, measurePeakMemory } from '../memory.ts';
import { type HttpLoad, parseWrk } from '../load.ts';
import type { Step } from '../suite.ts';
import type { Namespace } from '../topology.ts';
import { BODY_BYTES, pathOf, serviceOf } from './address-plan.ts';
import { grpcMessage } from './answer-body.ts';
import { h2loadArgs, readH2load } from './h2load.ts';
import { runBeside } from './pinned.ts';
import { type Cell, cellName, cellsOf, isTableCell, type L7Plan, streamsOf, tableCostName } from './plan.ts';

const GRACE_S = 30;
/** Of the table's cost: how often the two are measured in turn. */
const TABLE_TURNS = 3;
const MESSAGE_BYTES = 128;

/** What is measured, a few seconds each. */
export function l7Steps(plan: L7Plan): readonly Step[] {
  const warmUps = plan.protocols.map(protocol =>
    loading(async (load, seconds) => {
      await load.of({ protocol, rules: 1, body: '1 KB', connections: 32 }, seconds);
    }),
  );
  const tables = plan.protocols.map(protocol => {
    const pair = cellsOf(plan).filter(cell => cell.protocol === protocol && isTableCell(cell));
    return loading(async (load, seconds, into) =>
      into.add(tableCostName(protocol), await load.costRatio(pair, seconds)),
    );
  });
  return [
    (_topology, _directory, { daemons }, _seconds, into) => measureIdleMemory(daemons, into),
    ...warmUps,
    ...cellsOf(plan).map(cellStep),
    ...tables,
    peakMemory,
  ];
}

const peakMemory: Step = (_topology, _directory, { daemons }, _seconds, into) => {
  measurePeakMemory(daemons, into);
  return Promise.resolve();
};

function cellStep(cell: Cell): Step {
  const name = cellName(cell);
  return loading(async (load, seconds, into) => {
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

function loading(measure: (load: Load, seconds: number, into: SampleSet) => Promise<void>): Step {
  return ({ client }, directory, { contender, daemons }, seconds, into) =>
    measure(new Load(client, contender.ip ?? client.ip, directory, daemons), seconds, into);
}

class Load {
  readonly #from: Namespace;
  readonly #ip: string;
  readonly #directory: string;
  readonly #daemons: readonly Daemon[];

  constructor(from: Namespace, ip: string, directory: string, daemons: readonly Daemon[]) {
    this.#from = from;
    this.#ip = ip;
    this.#directory = directory;
    this.#daemons = daemons;
  }

  async of(cell: Cell, seconds: number): Promise<{ result: HttpLoad; cpuPer100k: number }> {
    const [result, cpu] = await withCpu(this.#daemons, () =>
      cell.protocol === 'h1' ? this.#wrk(cell, seconds) : this.#h2load(cell, seconds),
    );
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

  async #wrk(cell: Cell, seconds: number): Promise<HttpLoad> {
    const timeoutS = String(seconds + GRACE_S);
    const args = ['-t1', `-c${cell.connections}`, `-d${seconds}`, '--timeout', timeoutS, '--latency'];
    const url = this.#url(cell);
    return parseWrk(await runBeside(this.#from, 'wrk', [...args, url], (seconds + GRACE_S) * 1000));
  }

  async #h2load(cell: Cell, seconds: number): Promise<HttpLoad> {
    const logPath = join(this.#directory, 'h2load.log');
    const messagePath = join(this.#directory, 'grpc-request');
    rmSync(logPath, { force: true });
    writeFileSync(messagePath, grpcMessage(MESSAGE_BYTES));
    const args = h2loadArgs({
      url: this.#url(cell),
      connections: cell.connections,
      streams: streamsOf(cell),
      seconds,
      ...(cell.protocol === 'grpc' ? { messagePath } : {}),
      logPath,
    });
    const text = await runBeside(this.#from, 'h2load', args, (seconds + GRACE_S) * 1000);
    return readH2load(text, logPath, BODY_BYTES[cell.body]);
  }

  #url(cell: Cell): string {
    return `http://${this.#ip}:${serviceOf(cell).edgePort}${pathOf(cell.body)}`;
  }
}
