import type { Namespace } from './topology.ts';

export interface HttpLoad {
  readonly requestsPerSecond: number;
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface StreamLoad {
  readonly gbitPerSecond: number;
  readonly bytes: number;
}

/** wrk, one thread, over `connections` keep-alive connections, or one request a connection. */
export async function httpLoad(
  from: Namespace,
  url: string,
  connections: number,
  seconds: number,
  newConnections = false,
): Promise<HttpLoad> {
  const close = newConnections ? ['-H', 'Connection: close'] : [];
  // Thousands of connections are open only after a while.
  const args = ['-t1', `-c${connections}`, `-d${seconds}`, '--timeout', '30', '--latency', ...close, url];
  return parseWrk(await from.run('wrk', args, (seconds + 20) * 1000));
}

/** iperf3, from the client (`up`) or to it. */
export async function streamLoad(
  from: Namespace,
  ip: string,
  port: number,
  seconds: number,
  options: { readonly down?: boolean; readonly streams?: number } = {},
): Promise<StreamLoad> {
  const args = [
    '-J',
    '-c',
    ip,
    '-p',
    String(port),
    '-t',
    String(seconds),
    '-P',
    String(options.streams ?? 1),
  ];
  if (options.down === true) args.push('-R');
  return parseIperf(await from.run('iperf3', args, (seconds + 20) * 1000));
}

/** Throws when a request failed: a proxy that drops requests has no rate worth comparing. */
export function parseWrk(text: string): HttpLoad {
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  if (errors !== null && errors.slice(1).some(count => Number(count) > 0))
    throw new Error(`wrk: ${errors[0]}`);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(text);
  if (bad !== null) throw new Error(`wrk: ${bad[0]}`);
  return {
    requestsPerSecond: Number(required(text, /Requests\/sec:\s+([\d.]+)/)),
    requests: Number(required(text, /(\d+) requests in/)),
    p50Ms: milliseconds(required(text, /50%\s+([\d.]+(?:us|ms|s))/)),
    p99Ms: milliseconds(required(text, /99%\s+([\d.]+(?:us|ms|s))/)),
  };
}

export function parseIperf(text: string): StreamLoad {
  const received = /"sum_received":\s*\{([^}]*)\}/.exec(text)?.[1];
  if (received === undefined) throw new Error(`iperf3 measured nothing: ${text.slice(-500)}`);
  return {
    gbitPerSecond: Number(required(received, /"bits_per_second":\s*([\d.e+]+)/)) / 1e9,
    bytes: Number(required(received, /"bytes":\s*(\d+)/)),
  };
}

function required(text: string, pattern: RegExp): string {
  const value = pattern.exec(text)?.[1];
  if (value === undefined)
    throw new Error(`no ${pattern.source} in the output of the load tool: ${text.slice(0, 500)}`);
  return value;
}

function milliseconds(text: string): number {
  const value = Number.parseFloat(text);
  if (text.endsWith('us')) return value / 1000;
  return text.endsWith('ms') ? value : value * 1000;
}
