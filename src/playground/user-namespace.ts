import { stateDir } from '#shared/config/state-dir.ts';
import { IN_USER_NAMESPACE } from './machine.ts';

/**
 * Environment of a playground that runs inside a user namespace. There the caller is root: without the explicit directory
 * another one than the caller's would be taken for the state.
 */
export function userNamespaceEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, [IN_USER_NAMESPACE]: '1', AMBIENT_STATE_DIR: stateDir(env, process.getuid?.() ?? 0) };
}
