import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { isExecutable } from '../executable.ts';

const CHARTS = 'charts';
const TIMEOUT_MS = 60_000;

/** helm, from `KUBE_BINARIES`, `PATH` or where the script that builds a cluster puts it; undefined when there is none. */
export function findHelm(): string | undefined {
  const directories = [
    process.env['KUBE_BINARIES'] ?? '',
    ...(process.env['PATH'] ?? '').split(delimiter),
    join(homedir(), '.cache/ambient-kube/bin'),
  ];
  return directories
    .filter(d => d !== '')
    .map(d => join(d, 'helm'))
    .find(isExecutable);
}

/** A copy of charts/ in a new directory, with the parts of the chart `ambient` in their place. The caller removes it. */
export function copyCharts(helm: string, charts = CHARTS): string {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-charts-'));
  cpSync(charts, directory, {
    recursive: true,
    filter: path => !/\/charts\/[a-z]+\/charts(\/|$)/.test(`/${path}`),
  });
  execFileSync(helm, ['dependency', 'update', join(directory, 'ambient')], {
    stdio: 'pipe',
    timeout: TIMEOUT_MS,
  });
  return directory;
}

export interface HelmResult {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export function runHelm(helm: string, args: readonly string[]): HelmResult {
  const { status, stdout, stderr } = spawnSync(helm, args, { encoding: 'utf8', timeout: TIMEOUT_MS });
  return { ok: status === 0, stdout, stderr };
}
