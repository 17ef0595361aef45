import { readFileSync } from 'node:fs';
import type { HttpLoad } from '../load.ts';

export interface H2LoadTarget {
  readonly url: string;
  readonly connections: number;
  /** Requests under way on each connection. */
  readonly streams: number;
  readonly seconds: number;
  /** A file with the body of the request: gRPC, by POST. */
  readonly messagePath?: string;
  readonly logPath: string;
}

const WINDOW_BITS = '24';
const CONNECTION_WINDOW_BITS = '28';
const GRPC_FIELDS = ['content-type: application/grpc', 'te: trailers'];

export function h2loadArgs(target: H2LoadTarget): readonly string[] {
  const { url, connections, streams, seconds, messagePath, logPath } = target;
  const windows = ['-w', WINDOW_BITS, '-W', CONNECTION_WINDOW_BITS];
  const load = ['-t', '1', '-c', String(connections), '-m', String(streams), '-D', String(seconds)];
  const grpc = messagePath === undefined ? [] : ['-d', messagePath, ...GRPC_FIELDS.flatMap(f => ['-H', f])];
  return [...load, ...windows, ...grpc, `--log-file=${logPath}`, url];
}

/** What h2load printed, and what it wrote of each request. Throws when a request failed or was not answered in full. */
export function readH2load(text: string, logPath: string, bodyBytes: number): HttpLoad {
  const summary = parseH2load(text, bodyBytes);
  const [p50Ms, p99Ms] = percentilesMs(parseH2loadLog(readFileSync(logPath, 'latin1')), [0.5, 0.99]);
  return { ...summary, p50Ms: p50Ms ?? Number.NaN, p99Ms: p99Ms ?? Number.NaN };
}

export function parseH2load(
  text: string,
  bodyBytes: number,
): Pick<HttpLoad, 'requests' | 'requestsPerSecond'> {
  const number = (pattern: RegExp): number => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`no ${pattern.source} in: ${text.slice(0, 500)}`);
    return Number(found);
  };
  const requests = number(/(\d+) succeeded/);
  for (const kind of ['failed', 'errored', 'timeout']) {
    const bad = number(new RegExp(`(\\d+) ${kind}`));
    if (bad > 0) throw new Error(`h2load: ${bad} requests ${kind}`);
  }
  const bytes = number(/\((\d+)\) data/);
  // A status of 200 alone says little for gRPC, whose failures have it too.
  if (requests === 0 || bytes < requests * bodyBytes)
    throw new Error(`h2load: ${bytes} bytes came in ${requests} answers of ${bodyBytes} bytes`);
  return { requests, requestsPerSecond: number(/finished in [^,]+, ([\d.]+) req\/s/) };
}

/** µs that each request took: start, status and duration of one a line. */
export function parseH2loadLog(log: string): readonly number[] {
  return log.split('\n').flatMap(line => {
    const duration = line.split('\t')[2];
    return duration === undefined ? [] : [Number(duration)];
  });
}

export function percentilesMs(microseconds: readonly number[], shares: readonly number[]): readonly number[] {
  const sorted = Float64Array.from(microseconds).sort();
  return shares.map(share => {
    const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
    return (sorted[at] ?? Number.NaN) / 1000;
  });
}
