import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { runInNetns } from '#shared/native/netns.ts';

const TIMEOUT_MS = 5_000;
const MAX_OUTPUT_BYTES = 1 << 20;

export interface NftResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `nft` in a pod's network namespace. Rejects when the program is missing, hangs, or answers without bound. */
export type Nft = (netnsFd: number, args: readonly string[], input: string) => Promise<NftResult>;

/**
 * The child is forked while this thread is inside the namespace, and so starts there; this thread is back before it
 * runs. No shell, no `ip netns exec`.
 */
export function createNft(clock: Clock, program = 'nft'): Nft {
  return (netnsFd, args, input) => {
    const child = runInNetns(netnsFd, () => spawn(program, args, { stdio: 'pipe' }));
    return collect(clock, program, child, input);
  };
}

function collect(
  clock: Clock,
  program: string,
  child: ChildProcessWithoutNullStreams,
  input: string,
): Promise<NftResult> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`${program}: ${why}`));
    };
    const timer = clock.setTimer(TIMEOUT_MS, () => fail(`no answer within ${TIMEOUT_MS} ms`));
    const stdout = boundedText(child.stdout, fail);
    const stderr = boundedText(child.stderr, fail);
    child.once('error', error => {
      timer.cancel();
      fail(`cannot be started: ${error.message}; install nftables`);
    });
    child.once('close', code => {
      timer.cancel();
      resolve({ exitCode: code ?? -1, stdout: stdout(), stderr: stderr() });
    });
    // It may exit before it has read its input; the exit code tells the story then.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

function boundedText(stream: Readable, fail: (why: string) => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_OUTPUT_BYTES) fail(`more than ${MAX_OUTPUT_BYTES} bytes of output`);
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
