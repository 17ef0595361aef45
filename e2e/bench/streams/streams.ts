import { fileURLToPath } from 'node:url';
import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';
import { Daemon, must } from '../command.ts';
import { type Metric, type Row, summarize } from '../result.ts';
import type { EngineSetting } from '../suite.ts';
import { STREAMS } from './protocol.ts';

const PORT = 18_099;
const START_TRIES = 100;
const POLL_MS = 100;
const NODE = ['--disable-warning=ExperimentalWarning'];
const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const METRICS: readonly Metric[] = [
  { name: 'p99 of the others', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1.1 } },
  { name: 'p50 of the others', unit: 'ms', goal: { kind: 'none' } },
  { name: 'answers of a turn', unit: '', goal: { kind: 'none' } },
];

export interface StreamsOptions {
  readonly engine: EngineSetting;
  readonly seconds: number;
  /** Turns with the slow reader, and as many without. */
  readonly turns: number;
}

/** 2,000 streams on one HBONE connection, with and without one whose reader is slow: what the others notice of it. */
export async function benchStreams({ engine, seconds, turns }: StreamsOptions): Promise<readonly Row[]> {
  const server = new Daemon(process.execPath, [...NODE, program('server.ts'), engine, String(PORT)]);
  try {
    await untilListening(server);
    const timeoutMs = (2 * turns + 1) * seconds * 1000 + 90_000;
    const args = [engine, PORT, seconds, turns].map(String);
    return streamRows(await must(process.execPath, [...NODE, program('client.ts'), ...args], timeoutMs));
  } finally {
    await server.stop();
  }
}

async function untilListening(server: Daemon): Promise<void> {
  for (let tries = 0; tries < START_TRIES; tries++) {
    if (!server.isRunning) throw new Error(`the server ended early: ${server.said.trim()}`);
    if (server.said.includes('listening')) return;
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
  throw new Error('the server did not listen in time');
}

/** Throws when it was not one connection, or nothing was read slowly: nothing was shown then. */
export function streamRows(output: string): readonly Row[] {
  const result = parseJson(output);
  if (!isJsonObject(result)) throw new Error(`streams: no result: ${output.slice(0, 200)}`);
  if (result['connections'] !== 1)
    throw new Error(`streams: ${STREAMS} streams were on ${String(result['connections'])} connections`);
  const { slowBytes } = result;
  if (typeof slowBytes !== 'number' || slowBytes === 0) throw new Error('streams: nothing was read slowly');
  return summarize(METRICS, samplesOf(result['with']), samplesOf(result['without']));
}

function samplesOf(windows: unknown): ReadonlyMap<string, readonly number[]> {
  const list = Array.isArray(windows) ? windows.filter(isJsonObject) : [];
  const all = (field: string): number[] => list.map(window => numberIn(window, field));
  return new Map([
    ['p99 of the others', all('p99Ms')],
    ['p50 of the others', all('p50Ms')],
    ['answers of a turn', all('answers')],
  ]);
}

function numberIn(window: JsonObject, field: string): number {
  const value = window[field];
  if (typeof value !== 'number') throw new Error(`streams: a turn without ${field}`);
  return value;
}
