import type { Command } from 'commander';
import type { CliIo, Platform } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import type { Cluster } from '../cluster/kube-api.ts';
import { buildProgram, runCli } from '../program.ts';

/** When tests happen. */
export const NOW = Date.parse('2026-01-01T12:00:00Z');

/** Nothing outside: no kubeconfig, no playground, no waiting. */
export function testPlatform(cluster?: Cluster): Platform {
  return {
    env: { HOME: '/nonexistent', AMBIENT_STATE_DIR: '' },
    openCluster: () =>
      cluster === undefined ? Promise.reject(new CliError('no cluster')) : Promise.resolve(cluster),
    isPlaygroundRunning: () => false,
    now: () => NOW,
    elapsed: () => 0,
    sleep: () => Promise.resolve(),
    runProgram: () => Promise.resolve({ status: undefined, stdout: '', stderr: '' }),
    untilInterrupted: () => new AbortController().signal,
  };
}

/** The tree of commands, for its documentation. */
export function programTree(): Command {
  return buildProgram({ stdout: () => undefined, stderr: () => undefined, ...testPlatform() });
}

export interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line; words are separated by spaces. @param onOutput hears what it prints, while it runs */
export async function runLine(
  line: string,
  platform: Platform = testPlatform(),
  onOutput: (text: string) => void = () => undefined,
): Promise<Run> {
  let [out, err] = ['', ''];
  const stdout = (text: string): void => {
    out += text;
    onOutput(text);
  };
  const io: CliIo = { stdout, stderr: s => void (err += s) };
  const status = await runCli(line.split(' '), io, platform);
  return { status, out, err };
}
