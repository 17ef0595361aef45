import { spawn } from 'node:child_process';
import { setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { stateDir } from '#shared/config/state-dir.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import type { AdminServer } from '#shared/observability/admin-server.ts';
import { createProcessLogger, type Logger, LogLevels } from '#shared/observability/logger.ts';
import { checkMachine, IN_USER_NAMESPACE, userNamespaceCommand } from './machine.ts';
import { serveControl } from './control.ts';
import { Playground } from './playground.ts';
import { userNamespaceEnvironment } from './user-namespace.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
export const SHOP = 'examples/shop/manifests/00-shop.yaml';
const NODES = ['node-a', 'node-b'];

export interface ForegroundOptions {
  readonly stateDir: string | undefined;
  readonly print: (line: string) => void;
  /** Called when the shop is up. The playground ends when it resolves, or at a signal. @returns the exit status. */
  readonly use: (playground: Playground, stopped: AbortSignal) => Promise<number>;
}

/**
 * A playground with the shop in the foreground: up, used, and down again whatever happens. Without root it starts itself
 * again in a user namespace. @returns the exit status.
 */
export async function runForeground(options: ForegroundOptions): Promise<number> {
  const machine = checkMachine(options.print);
  if (machine.mode === 'user-namespace' && process.env[IN_USER_NAMESPACE] !== '1') {
    options.print(`${machine.reason}; using a user namespace`);
    return runInUserNamespace();
  }
  const stopped = new AbortController();
  const stop = (): void => stopped.abort(new Error('stopped by a signal'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  // Timers of the mesh's clock keep no process alive; a foreground program lives until it is told to end.
  const alive = setInterval(() => undefined, 60_000);
  let playground: Playground | undefined;
  let control: AdminServer | undefined;
  try {
    playground = await Playground.up({
      stateDir: options.stateDir ?? stateDir(process.env, process.getuid?.() ?? 0),
      repository: REPOSITORY,
      nodes: NODES,
      report: line => options.print(`  ${line}`),
    });
    options.print('starting the shop');
    await playground.apply(SHOP);
    await playground.settled();
    control = await serveControl(playground, processLogger());
    return await options.use(playground, stopped.signal);
  } finally {
    clearInterval(alive);
    await control?.close();
    await playground?.down();
  }
}

/** The caller's signals reach the child as well (same process group); its exit status is ours. */
function runInUserNamespace(): Promise<number> {
  const [program = '', ...args] = userNamespaceCommand([...process.execArgv, ...process.argv.slice(1)]);
  const env = userNamespaceEnvironment(process.env);
  const child = spawn(program, args, { stdio: 'inherit', env });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve(code ?? 1));
  });
}

/** Resolves when the signal aborts. */
export function untilStopped(stopped: AbortSignal): Promise<void> {
  if (stopped.aborted) return Promise.resolve();
  return new Promise(resolve => stopped.addEventListener('abort', () => resolve(), { once: true }));
}

function processLogger(): Logger {
  return createProcessLogger('playground', 'text', new LogLevels('warn'), () => systemClock.now());
}
