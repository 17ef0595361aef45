import { type ChildProcess, spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseJson } from '#shared/config/json.ts';
import { testEngineName } from '#shared/testing/engine.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** The real program in a process of its own. It ends with the test's process, however that ends. */
export class ZtunnelProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly #socket: string;
  output = '';
  #onOutput: (() => void)[] = [];

  /** `stdout`: a descriptor in place of `output`; `openFiles`: its RLIMIT_NOFILE, in place of that of the test. */
  constructor(
    env: Record<string, string>,
    { stdout = 'pipe', openFiles }: { readonly stdout?: number | 'pipe'; readonly openFiles?: number } = {},
  ) {
    this.#socket = env['ADMIN_UNIX_SOCKET'] ?? '';
    const limited = openFiles === undefined ? [] : ['prlimit', `--nofile=${openFiles}`, '--'];
    const program = [...limited, process.execPath, '--disable-warning=ExperimentalWarning', MAIN];
    // A test that is killed runs no clean-up: the kernel ends the program with its parent.
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...program], {
      env: { PATH: process.env['PATH'] ?? '', ENGINE: testEngineName(), ...env },
      stdio: ['ignore', stdout, 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.output += data.toString();
        for (const wake of this.#onOutput.splice(0)) wake();
      });
    }
    this.exited = new Promise(resolve => this.child.once('exit', code => resolve(code)));
  }

  /** Resolves when the output holds `text`; rejects when the process ends before. */
  async says(text: string | RegExp): Promise<void> {
    const found = (): boolean =>
      typeof text === 'string' ? this.output.includes(text) : text.test(this.output);
    while (!found()) {
      const ended = await Promise.race([
        new Promise<false>(resolve => this.#onOutput.push(() => resolve(false))),
        this.exited.then(() => true),
      ]);
      if (ended && !found()) throw new Error(`ztunnel ended without saying ${String(text)}:\n${this.output}`);
    }
  }

  async admin(path: string, method: 'GET' | 'POST' = 'GET'): Promise<unknown> {
    const text = await this.adminText(path, method);
    return parseJson(text);
  }

  /** HTTP/1.0, so that the end of the connection is the end of the answer. */
  adminText(path: string, method: 'GET' | 'POST' = 'GET'): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.#socket);
      let answer = '';
      socket.on('data', data => (answer += data.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(answer.slice(answer.indexOf('\r\n\r\n') + 4)));
      socket.write(`${method} ${path} HTTP/1.0\r\n\r\n`);
    });
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}
