import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../command.ts';
import { largestPeakMb, largestResidentMb, type SampleSet, withCpu } from '../contender.ts';
import { type HttpLoad, parseWrk } from '../load.ts';
import type { Namespace, Topology } from '../topology.ts';
import { BODY_BYTES, pathOf, serviceOf } from './address-plan.ts';
import { grpcMessage } from './answer-body.ts';
import { h2loadArgs, readH2load } from './h2load.ts';
import { runBeside } from './pinned.ts';
import { type Cell, cellName, cellsOf, isTableCell, type L7Plan, streamsOf, tableCostName } from './plan.ts';

const GRACE_S = 30;
/** Of the table's cost: how often the two are measured in turn. */
const TABLE_TURNS = 3;
const MESSAGE_BYTES = 128;

/** One round of one contender. */
export async function measureL7(
  plan: L7Plan,
  { client }: Topology,
  directory: string,
  daemons: readonly Daemon[],
  seconds: number,
  into: SampleSet,
): Promise<void> {
  into.add('memory idle', largestResidentMb(daemons));
  const load = new Load(client, directory, daemons);
  for (const protocol of plan.protocols)
    await load.of({ protocol, rules: 1, body: '1 KB', connections: 32 }, seconds);
  for (const cell of cellsOf(plan)) {
    const name = cellName(cell);
    const { result, cpuPer100k } = await load.of(cell, seconds);
    into.add(`${name}: RPS`, result.requestsPerSecond);
    into.add(`${name}: p50`, result.p50Ms);
    into.add(`${name}: p99`, result.p99Ms);
    into.add(`${name}: CPU per 100k requests`, cpuPer100k);
  }
  for (const protocol of plan.protocols) {
    const pair = cellsOf(plan).filter(cell => cell.protocol === protocol && isTableCell(cell));
    into.add(tableCostName(protocol), await load.costRatio(pair, seconds));
  }
  into.add('peak memory under load', largestPeakMb(daemons));
}

class Load {
  readonly #from: Namespace;
  readonly #directory: string;
  readonly #daemons: readonly Daemon[];

  constructor(from: Namespace, directory: string, daemons: readonly Daemon[]) {
    this.#from = from;
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
    return `http://${this.#from.ip}:${serviceOf(cell).edgePort}${pathOf(cell.body)}`;
  }
}
