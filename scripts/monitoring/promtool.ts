import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { isExecutable } from '../executable.ts';

const TIMEOUT_MS = 60_000;

/** A program of Prometheus (`promtool`, `prometheus`) on PATH; undefined when it is not there. */
export function findProgram(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map(directory => join(directory, name))
    .find(isExecutable);
}

export interface PromtoolResult {
  readonly ok: boolean;
  readonly output: string;
}

export function runPromtool(promtool: string, args: readonly string[]): PromtoolResult {
  const { status, stderr, stdout } = spawnSync(promtool, args, { encoding: 'utf8', timeout: TIMEOUT_MS });
  return { ok: status === 0, output: `${stdout}${stderr}` };
}
