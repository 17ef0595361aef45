import { spawn } from 'node:child_process';
import { stateDir } from '#shared/config/state-dir.ts';
import { checkMachine, IN_USER_NAMESPACE, userNamespaceCommand } from './machine.ts';

/**
 * Where root is needed and this process is not root, runs the same command line inside a user namespace in its place.
 * @returns undefined when this process may go on itself, else the exit status of the one that ran instead.
 * Throws with one line when the machine lacks what cannot be installed.
 */
export function runWhereAllowed(
  argv: readonly string[],
  report: (line: string) => void,
): Promise<number> | undefined {
  const machine = checkMachine(report);
  if (machine.mode !== 'user-namespace' || process.env[IN_USER_NAMESPACE] === '1') return undefined;
  const [program = '', ...args] = userNamespaceCommand(argv);
  const child = spawn(program, args, { stdio: 'inherit', env: userNamespaceEnvironment(process.env) });
  // The terminal sends Ctrl-C to both; this process only waits for the other one to have cleaned up.
  const wait = (): void => undefined;
  process.on('SIGINT', wait);
  const forward = (): void => void child.kill('SIGTERM');
  process.on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', code => {
      process.removeListener('SIGINT', wait);
      process.removeListener('SIGTERM', forward);
      resolve(code ?? 1);
    });
  });
}

/** Inside, the caller is root: without the explicit directory another one would be taken for its state. */
export function userNamespaceEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, [IN_USER_NAMESPACE]: '1', AMBIENT_STATE_DIR: stateDir(env, process.getuid?.() ?? 0) };
}
