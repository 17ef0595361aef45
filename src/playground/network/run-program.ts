import { spawnSync } from 'node:child_process';
import { runInNetns } from '#shared/native/netns.ts';
import { errorMessage } from '#shared/observability/error-message.ts';

const TIMEOUT_MS = 10_000;

/** Runs a short program to its end, in a network namespace when one is given. Throws with what it said. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly netnsFd?: number } = {},
): string {
  const run = (): string => {
    const input = options.input ?? '';
    const done = spawnSync(program, args, { input, encoding: 'utf8', timeout: TIMEOUT_MS });
    if (done.error !== undefined) throw new Error(`${program}: ${done.error.message}`);
    if (done.status === 0) return done.stdout;
    throw new Error(`${program} ${args.join(' ')}: ${done.stderr.trim() || `exit status ${done.status}`}`);
  };
  return options.netnsFd === undefined ? run() : runInNetns(options.netnsFd, run);
}

/** Runs many `ip` commands in one process. Throws at the first that fails, with its line. */
export function ipBatch(lines: readonly string[], netnsFd?: number): void {
  try {
    runProgram('ip', ['-batch', '-'], {
      input: lines.join('\n'),
      ...(netnsFd === undefined ? {} : { netnsFd }),
    });
  } catch (cause) {
    const message = errorMessage(cause);
    const number = Number(/Command failed -:(\d+)/.exec(message)?.[1]);
    throw new Error(`${message.split('\n', 1)[0]} in "ip ${lines[number - 1] ?? ''}"`, { cause });
  }
}
