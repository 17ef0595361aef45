import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type Clock, delay, type Timer } from '#shared/lifecycle/clock.ts';
import { runInNetns } from '#shared/native/netns.ts';
import { childEnvironment, commandLine } from './command-line.ts';

export interface ProcessOptions {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Undefined: the playground's own. */
  readonly netnsFd: number | undefined;
  readonly hostsPath: string | undefined;
  /** Both outputs are appended to it. */
  readonly logPath: string;
  readonly clock: Clock;
}

/** Logs lie in memory-backed storage, and a playground may run under load for days. */
const MAX_LOG_BYTES = 64 * 1024 * 1024;
const CHECK_LOG_MS = 10_000;
const TAIL_LINES = 12;
const MAX_TAIL_BYTES = 64 * 1024;

/** One run of a long-lived program. It leads a process group of its own, which is what signals are sent to. */
export class MeshProcess {
  readonly name: string;
  /** Resolves with a description of how it ended. Never rejects. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #logPath: string;
  #end: string | undefined;
  #logCheck: Timer;

  constructor(options: ProcessOptions) {
    this.name = options.name;
    this.#clock = options.clock;
    this.#logPath = options.logPath;
    const [program = '', ...args] = commandLine(options.argv, options.hostsPath);
    const log = openSync(options.logPath, 'a');
    try {
      const start = (): ChildProcess =>
        spawn(program, args, {
          cwd: options.cwd,
          env: childEnvironment(options.env),
          stdio: ['ignore', log, log],
          detached: true,
        });
      this.#child = options.netnsFd === undefined ? start() : runInNetns(options.netnsFd, start);
    } finally {
      closeSync(log);
    }
    this.#logCheck = this.#checkLogLater();
    this.ended = new Promise(resolve => {
      const finish = (end: string): void => {
        this.#end ??= end;
        this.#logCheck.cancel();
        resolve(this.#end);
      };
      this.#child.once('error', error => finish(`could not be started: ${error.message}`));
      this.#child.once('exit', (code, signal) =>
        finish(signal === null ? `exit status ${code}` : `signal ${signal}`),
      );
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How it ended; undefined while it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Sends the signal, then SIGKILL when it is still there after `graceMs`. Resolves when it is gone. */
  async stop(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    this.#signalGroup(signal);
    const timer = this.#clock.setTimer(graceMs, () => this.#signalGroup('SIGKILL'));
    await this.ended;
    timer.cancel();
    // What it may have left running in its group.
    this.#signalGroup('SIGKILL');
  }

  /** The last lines of its log, for an error message. */
  tail(): string {
    return logTail(this.#logPath);
  }

  /** Whoever writes appends, so a log that is cut goes on at its new end. */
  #checkLogLater(): Timer {
    return this.#clock.setTimer(CHECK_LOG_MS, () => {
      limitLog(this.#logPath, MAX_LOG_BYTES);
      this.#logCheck = this.#checkLogLater();
    });
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

/** Empties a log that has grown too long. */
export function limitLog(path: string, maxBytes: number): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > maxBytes) writeFileSync(path, `(${size} bytes of log dropped)\n`);
}

export function logTail(path: string): string {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return '(no log)';
  const bytes = readFileSync(path);
  const lines = bytes
    .subarray(Math.max(0, bytes.length - MAX_TAIL_BYTES))
    .toString('utf8')
    .trimEnd()
    .split('\n');
  return lines.slice(-TAIL_LINES).join('\n') || '(empty log)';
}

const POLL_MS = 20;

/** Asks until it holds. At the deadline rejects with `culprit()`. */
export async function waitUntil(
  clock: Clock,
  deadlineMs: number,
  holds: () => boolean | Promise<boolean>,
  culprit: () => string,
): Promise<void> {
  const end = clock.monotonic() + deadlineMs;
  // The clock's timers let a process end that waits for nothing else; this one waits for another process.
  const keepAlive = setInterval(() => undefined, 1_000);
  try {
    while (!(await holds())) {
      if (clock.monotonic() >= end) throw new Error(`${culprit()} (waited ${deadlineMs / 1000} s)`);
      await delay(clock, POLL_MS);
    }
  } finally {
    clearInterval(keepAlive);
  }
}
