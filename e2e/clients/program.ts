import { spawn } from 'node:child_process';

export interface Ran {
  readonly code: number | null;
  readonly out: string;
}

/** Runs a program to its end. Rejects where it is not installed. */
export function run(command: string, args: readonly string[], input?: Buffer): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', error => reject(new Error(`${command}: ${error.message}; install it`)));
    child.on('close', code => resolve({ code, out: Buffer.concat(chunks).toString() }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
