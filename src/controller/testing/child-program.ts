import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

const STOP_DEADLINE_MS = 10_000;
const LOG_TAIL_CHARS = 2000;

/** A program that a test runs beside itself. It ends with the test's process, however that ends. */
export class ChildProgram {
  readonly name: string;
  readonly #logPath: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #running = true;

  constructor(name: string, path: string, args: readonly string[], logPath: string) {
    this.name = name;
    this.#logPath = logPath;
    const log = openSync(logPath, 'a');
    // A test that is killed runs no clean-up: the kernel ends the program with its parent.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', path, ...args], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#exited = new Promise(resolve => {
      const end = (): void => {
        this.#running = false;
        resolve();
      };
      this.#child.once('exit', end);
      this.#child.once('error', end);
    });
  }

  get running(): boolean {
    return this.#running;
  }

  /** The end of what it wrote: for the message of a failure. */
  logTail(): string {
    return readFileSync(this.#logPath, 'utf8').slice(-LOG_TAIL_CHARS);
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.#running) return;
    this.#child.kill(signal);
    const hard = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await this.#exited;
    clearTimeout(hard);
  }
}
