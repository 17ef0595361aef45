import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { RunResult } from './kubectl.ts';

/** What programs/load.ts tells. */
export interface LoadReport {
  readonly ok: number;
  readonly failed: number;
  readonly seconds: number;
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly failures: readonly unknown[];
}

/** @throws when the load generator said nothing that can be read. */
export function loadReport({ stdout, stderr, status }: RunResult): LoadReport {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  let value: unknown;
  try {
    value = parseJson(line);
  } catch {
    value = undefined;
  }
  if (!isJsonObject(value)) throw new Error(`the load generator ended with ${status}: ${stderr || stdout}`);
  const latency = isJsonObject(value['latency']) ? value['latency'] : {};
  const failures: unknown = value['failures'];
  return {
    ok: Number(value['ok']),
    failed: Number(value['failed']),
    seconds: Number(value['seconds']),
    latency: { p50: Number(latency['p50']), p99: Number(latency['p99']), max: Number(latency['max']) },
    failures: Array.isArray(failures) ? failures : [],
  };
}
