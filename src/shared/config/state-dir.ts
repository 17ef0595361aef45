import type { Environment } from './env-reader.ts';

/**
 * Where a mesh on one machine keeps its state, and where `ambientctl` looks for it: `AMBIENT_STATE_DIR`, else a short path
 * in memory-backed storage (a unix socket's path has at most 107 bytes).
 */
export function stateDir(env: Environment, uid: number): string {
  const chosen = env['AMBIENT_STATE_DIR'];
  if (chosen !== undefined && chosen !== '') return chosen;
  return uid === 0 ? '/dev/shm/ambient-mesh' : `/dev/shm/ambient-mesh-${uid}`;
}

/** The file in the state directory that lists every proxy with its admin socket. */
export const PROXIES_FILE = 'proxies.json';
