import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const CACHE = join(import.meta.dirname, '../../.cache/go-clients');
/** They are large, and compiling one takes minutes. */
const INSTALL_TIMEOUT_MS = 900_000;

/**
 * A client that comes as a Go module: kept from an earlier run, or installed where `GRPC_CLIENTS=1` says so.
 * @returns the path of the program, or why there is none
 */
export async function goProgram(
  name: string,
  module: string,
): Promise<{ readonly path: string } | { readonly reason: string }> {
  const path = join(CACHE, name);
  if (existsSync(path)) return { path };
  if (process.env['GRPC_CLIENTS'] !== '1')
    return { reason: `${name} is not installed: GRPC_CLIENTS=1 does it, which takes minutes and needs Go` };
  mkdirSync(CACHE, { recursive: true });
  try {
    const env = { ...process.env, GOBIN: CACHE };
    await promisify(execFile)('go', ['install', module], { env, timeout: INSTALL_TIMEOUT_MS });
    return { path };
  } catch (error) {
    return { reason: `${name} cannot be installed: ${String(error).slice(0, 200)}` };
  }
}
