import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HttpLoad, parseWrk } from '../load.ts';
import type { Namespace } from '../topology.ts';
import { BODY_BYTES, pathOf, serviceOf } from './address-plan.ts';
import { grpcMessage } from './answer-body.ts';
import { h2loadArgs, readH2load } from './h2load.ts';
import { MESSAGE_BYTES } from './load/run-load.ts';
import { runBeside } from './pinned.ts';
import { type Cell, streamsOf } from './plan.ts';

const GRACE_S = 30;

export interface LoadPlace {
  readonly from: Namespace;
  /** Of the measured waypoint; the client's edge has it too. */
  readonly ip: string;
  readonly directory: string;
}

/** wrk for HTTP/1.1, h2load for HTTP/2 and gRPC, through the client's edge. */
export function withTools(place: LoadPlace): (cell: Cell, seconds: number) => Promise<HttpLoad> {
  return (cell, seconds) => (cell.protocol === 'h1' ? wrk : h2load)(place, cell, seconds);
}

async function wrk({ from, ip }: LoadPlace, cell: Cell, seconds: number): Promise<HttpLoad> {
  const timeoutS = String(seconds + GRACE_S);
  const args = ['-t1', `-c${cell.connections}`, `-d${seconds}`, '--timeout', timeoutS, '--latency'];
  return parseWrk(await runBeside(from, 'wrk', [...args, urlOf(ip, cell)], (seconds + GRACE_S) * 1000));
}

async function h2load({ from, ip, directory }: LoadPlace, cell: Cell, seconds: number): Promise<HttpLoad> {
  const logPath = join(directory, 'h2load.log');
  const messagePath = join(directory, 'grpc-request');
  rmSync(logPath, { force: true });
  writeFileSync(messagePath, grpcMessage(MESSAGE_BYTES));
  const args = h2loadArgs({
    url: urlOf(ip, cell),
    connections: cell.connections,
    streams: streamsOf(cell),
    seconds,
    ...(cell.protocol === 'grpc' ? { messagePath } : {}),
    logPath,
  });
  const text = await runBeside(from, 'h2load', args, (seconds + GRACE_S) * 1000);
  return readH2load(text, logPath, BODY_BYTES[cell.body]);
}

function urlOf(ip: string, cell: Cell): string {
  return `http://${ip}:${serviceOf(cell).edgePort}${pathOf(cell.body)}`;
}
