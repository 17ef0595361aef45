import { spawn } from 'node:child_process';
import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 << 20;

export interface RunResult {
  /** −1: killed, by its deadline or by the caller. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** A program that is still running. */
export interface Running {
  readonly done: Promise<RunResult>;
  stop(): void;
}

/** Starts a program; `done` resolves when it has ended, whatever its status. Rejects when it cannot be started. */
export function start(program: string, args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(program, args, { stdio: 'pipe', timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      if (output[name].length < MAX_OUTPUT_BYTES) output[name] += chunk.toString('utf8');
    });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const done = new Promise<RunResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => resolve({ status: code ?? -1, ...output }));
  });
  return { done, stop: () => void child.kill('SIGTERM') };
}

/** Runs kubectl. @throws when it does not succeed, with what it said. */
export async function kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await start('kubectl', args, options).done;
  if (status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || `status ${status}`}`);
  return stdout;
}

/** Creates or changes objects. */
export async function apply(...objects: readonly JsonObject[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
}

export async function listObjects(namespace: string, kind: string, selector = ''): Promise<JsonObject[]> {
  const args = ['get', '-n', namespace, kind, '-o', 'json', ...(selector === '' ? [] : ['-l', selector])];
  const value = parseJson(await kubectl(args));
  const items = isJsonObject(value) ? value['items'] : undefined;
  return Array.isArray(items) ? items.filter(isJsonObject) : [];
}

/** One value of an object, as text; '' when it is not there. */
export function getField(namespace: string, kind: string, name: string, path: string): Promise<string> {
  return kubectl(['get', '-n', namespace, kind, name, '-o', `jsonpath={${path}}`]);
}

/** Runs a program in a pod (or `deploy/x`); resolves whatever its status. */
export function exec(
  namespace: string,
  pod: string,
  argv: readonly string[],
  timeoutMs = 30_000,
): Promise<RunResult> {
  return startExec(namespace, pod, argv, timeoutMs).done;
}

export function startExec(
  namespace: string,
  pod: string,
  argv: readonly string[],
  timeoutMs = 120_000,
): Running {
  return start('kubectl', ['exec', '-n', namespace, pod, '--', ...argv], { timeoutMs });
}
