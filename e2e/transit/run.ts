import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { Daemon } from '../bench/command.ts';
import { createTopology, waitForPort } from '../bench/topology.ts';
import { ztunnelPair } from '../bench/ztunnel-pair.ts';

const PORT = 7400;
const CONNECTIONS = 12;
const WORKERS = 2;
const GIB_BYTES = 2 ** 30;
/** On a machine that is busy otherwise. */
const MIN_BYTES_PER_SECOND = 2e6;
const START_SECONDS = 60;
const POLL_MS = 500;
const REPORT_EVERY_S = 30;

export interface TransitOptions {
  readonly engine: 'native' | 'node';
  readonly gib: number;
  readonly report: (line: string) => void;
}

export interface TransitResult {
  readonly verifiedBytes: number;
  /** Of both ends; empty: every byte arrived in order, and every end as what it was. */
  readonly faults: readonly string[];
}

/** Within which that much has gone through, whatever else the machine does. */
export function secondsFor(gib: number): number {
  return Math.ceil(START_SECONDS + (gib * GIB_BYTES) / MIN_BYTES_PER_SECOND);
}

/** Known bytes both ways through two captured pods and the tunnel between them. */
export async function transit({ engine, gib, report }: TransitOptions): Promise<TransitResult> {
  const directory = mkdtempSync(join(tmpdir(), 'transit-'));
  const topology = await createTopology(directory);
  const pair = await ztunnelPair(topology, directory, { workers: WORKERS, engine });
  const running: Daemon[] = [];
  try {
    const { client, server } = topology;
    const receiver = server.start(process.execPath, program('server.ts', server.ip, PORT));
    running.push(receiver);
    // Before anything is captured: a ztunnel takes a connection at once, whether its far end listens or not.
    await waitForPort(client, server.ip, PORT, running);
    running.push(...(await pair.start()));
    const bytes = Math.round(gib * GIB_BYTES);
    const sender = client.start(process.execPath, program('client.ts', server.ip, PORT, bytes, CONNECTIONS));
    running.push(sender);
    await untilEnded(sender, gib, report);
    const { faults, verifiedBytes } = parseTransit(sender.said);
    return { verifiedBytes, faults: [...faults, ...receiver.said.split('\n').filter(line => line !== '')] };
  } finally {
    await Promise.all(running.map(d => d.stop()));
    await pair.stop?.();
    await topology.close();
    rmSync(directory, { recursive: true });
  }
}

/** @param output of the client: what it has checked, line by line, and its result. @throws when there is none */
export function parseTransit(output: string): TransitResult {
  const line = output.trim().split('\n').at(-1) ?? '';
  const value = line.startsWith('{') ? parseJson(line) : undefined;
  const [faults, verified] = isJsonObject(value) ? [value['faults'], value['verified']] : [];
  if (!Array.isArray(faults) || typeof verified !== 'number')
    throw new Error(`the client ended without a result: ${output.trim().slice(-300)}`);
  return { verifiedBytes: verified, faults: faults.map(String) };
}

/** Bytes that the last line of progress tells of. */
export function checkedBytes(output: string): number {
  return Number([...output.matchAll(/^checked (\d+)$/gm)].at(-1)?.[1] ?? 0);
}

function program(name: string, ...args: (string | number)[]): string[] {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return ['--disable-warning=ExperimentalWarning', path, ...args.map(String)];
}

async function untilEnded(sender: Daemon, gib: number, report: (line: string) => void): Promise<void> {
  const startedAt = performance.now();
  let reportAt = REPORT_EVERY_S;
  for (;;) {
    await sleep(POLL_MS);
    if (!sender.isRunning) return;
    const seconds = (performance.now() - startedAt) / 1000;
    if (seconds > secondsFor(gib)) throw new Error(`${gib} GiB did not go through in ${secondsFor(gib)} s`);
    if (seconds < reportAt) continue;
    reportAt += REPORT_EVERY_S;
    const checked = checkedBytes(sender.said);
    const rate = checked / seconds / 1e6;
    report(`${(checked / GIB_BYTES).toFixed(1)} of ${gib} GiB checked, ${rate.toFixed(0)} MB/s`);
  }
}
