import { setTimeout } from 'node:timers/promises';
import { openCluster } from './cluster/open-cluster.ts';
import { isPlaygroundRunning } from './playground-proxies.ts';
import type { ProxyFinder } from './proxies.ts';
import { type RunProgram, runProgram } from './run-program.ts';
import { type OutputFormat, render, type Report } from './render/output.ts';

export interface CliIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** Everything else commands reach the outside by. */
export interface Platform extends ProxyFinder {
  /** Wall clock, ms since 1970. */
  readonly now: () => number;
  /** Monotonic, ms: for what waits. */
  readonly elapsed: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly runProgram: RunProgram;
  /** For commands that go on until Ctrl-C: from now on it aborts this in place of ending the process. */
  readonly untilInterrupted: () => AbortSignal;
}

/** What a command gets. */
export type Cli = CliIo & Platform;

export function nodePlatform(): Platform {
  return {
    env: process.env,
    openCluster,
    isPlaygroundRunning,
    now: () => Date.now(),
    elapsed: () => performance.now(),
    sleep: ms => setTimeout(ms),
    runProgram,
    untilInterrupted,
  };
}

function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

export function print(cli: CliIo, options: { readonly output: OutputFormat }, report: Report): void {
  cli.stdout(render(report, options.output));
}
