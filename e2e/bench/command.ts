import { type ChildProcess, spawn } from 'node:child_process';

export interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to the end, or is killed at the deadline. */
export function run(command: string, args: readonly string[], timeoutMs = 60_000): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { timeout: timeoutMs });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    child.on('error', reject);
    child.on('close', status => resolve({ status, stdout, stderr }));
  });
}

/** As `run`, but a failure is an error that shows what was said. */
export async function must(command: string, args: readonly string[], timeoutMs?: number): Promise<string> {
  const { status, stdout, stderr } = await run(command, args, timeoutMs);
  if (status === 0) return stdout;
  throw new Error(
    `${command} ${args.join(' ')} failed (${status}): ${(stderr || stdout).trim().slice(-500)}`,
  );
}

/** `stderr`: what goes to the standard output (an access log) is thrown away by the kernel. */
export type DaemonOutput = 'both' | 'stderr';

/** A process that lives until `stop`. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #said = '';

  constructor(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
    keeps: DaemonOutput = 'both',
  ) {
    const stdout = keeps === 'both' ? 'pipe' : 'ignore';
    this.#child = spawn(command, args, { stdio: ['ignore', stdout, 'pipe'], env });
    const keep = (data: Buffer): void => void (this.#said = (this.#said + data.toString()).slice(-4000));
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    this.#ended = new Promise(resolve => this.#child.on('close', () => resolve()));
    this.#child.on('error', error => (this.#said += error.message));
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get said(): string {
    return this.#said;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 3_000);
    await this.#ended;
    clearTimeout(force);
  }
}
