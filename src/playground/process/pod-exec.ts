import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { runInNetns } from '#shared/native/netns.ts';
import type { ExecResult, PodProcess } from '../scenario/mesh-under-test.ts';
import { childEnvironment, commandLine } from './command-line.ts';

export interface PodExecOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly netnsFd: number | undefined;
  readonly hostsPath: string | undefined;
  readonly clock: Clock;
}

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const STOP_GRACE_MS = 2_000;

function start(options: PodExecOptions) {
  const [program = '', ...args] = commandLine(options.argv, options.hostsPath);
  const run = () =>
    spawn(program, args, {
      cwd: options.cwd,
      env: childEnvironment(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
  const child = options.netnsFd === undefined ? run() : runInNetns(options.netnsFd, run);
  const kill = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // Gone already.
    }
  };
  return { child, kill };
}

/** Runs a program to its end. Rejects after `timeoutMs` with what it had printed. */
export function execProgram(options: PodExecOptions, timeoutMs: number): Promise<ExecResult> {
  const { child, kill } = start(options);
  const stdout = gather(child.stdout);
  const stderr = gather(child.stderr);
  return new Promise((resolve, reject) => {
    const timer = options.clock.setTimer(timeoutMs, () => {
      kill('SIGKILL');
      const said = `${stdout()}${stderr()}`.trim().slice(-2_000);
      reject(
        new Error(
          `${options.argv.join(' ')}: not done within ${timeoutMs / 1000} s; it had printed: ${said}`,
        ),
      );
    });
    child.once('error', error => {
      timer.cancel();
      reject(new Error(`${options.argv.join(' ')}: ${error.message}`));
    });
    child.once('close', code => {
      timer.cancel();
      resolve({ status: code ?? -1, stdout: stdout(), stderr: stderr() });
    });
  });
}

/** Starts a program whose lines are of interest. */
export function spawnProgram(options: PodExecOptions): PodProcess {
  const { child, kill } = start(options);
  const lines: string[] = [];
  const stderr = gather(child.stderr);
  let partial = '';
  let ended: string | undefined;
  let wake: (() => void)[] = [];
  const wakeAll = (): void => {
    const waiting = wake;
    wake = [];
    for (const go of waiting) go();
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (partial + chunk).split('\n');
    partial = parts.pop() ?? '';
    lines.push(...parts);
    wakeAll();
  });
  const closed = new Promise<void>(resolve => {
    const finish = (how: string): void => {
      ended ??= how;
      wakeAll();
      resolve();
    };
    child.once('error', error => finish(error.message));
    child.once('close', (code, signal) => finish(signal ?? `exit status ${code}`));
  });
  return {
    async line(test, timeoutMs) {
      const end = options.clock.monotonic() + timeoutMs;
      for (let next = 0; ; ) {
        const found = lines.slice(next).find(test);
        next = lines.length;
        if (found !== undefined) return found;
        const context = `${options.argv.join(' ')}: ${lines.slice(-5).join(' | ')} ${stderr().slice(-1_000)}`;
        if (ended !== undefined) throw new Error(`ended (${ended}) without the line waited for; ${context}`);
        const left = end - options.clock.monotonic();
        if (left <= 0) throw new Error(`no such line within ${timeoutMs / 1000} s; ${context}`);
        await new Promise<void>(resolve => {
          const timer = options.clock.setTimer(left, resolve);
          wake.push(() => {
            timer.cancel();
            resolve();
          });
        });
      }
    },
    async stop() {
      kill('SIGTERM');
      const timer = options.clock.setTimer(STOP_GRACE_MS, () => kill('SIGKILL'));
      await closed;
      timer.cancel();
    },
  };
}

/** Keeps the newest output of a program that prints without end. */
function gather(stream: Readable): () => string {
  const chunks: string[] = [];
  let size = 0;
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    chunks.push(chunk);
    size += chunk.length;
    while (size > MAX_OUTPUT_BYTES && chunks.length > 1) size -= chunks.shift()?.length ?? 0;
  });
  return () => chunks.join('');
}
