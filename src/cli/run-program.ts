import { spawn } from 'node:child_process';

export interface ProgramResult {
  /** Undefined: the program is not installed. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type RunProgram = (
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
) => Promise<ProgramResult>;

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a program to its end; both outputs are kept. A signal counts as status 1. */
export const runProgram: RunProgram = (program, args, env) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    let size = 0;
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_OUTPUT_BYTES) child.kill();
      else chunks.push(chunk);
    };
    child.stdout.on('data', keep(stdout));
    child.stderr.on('data', keep(stderr));
    child.on('error', error => {
      if ('code' in error && error.code === 'ENOENT') resolve({ status: undefined, stdout: '', stderr: '' });
      else reject(error);
    });
    child.on('close', code =>
      resolve({
        status: code ?? 1,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      }),
    );
  });
