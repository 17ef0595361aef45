import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const VERSION = 'v2.2.1+incompatible';
const CACHE = join(import.meta.dirname, '../../.cache/h2spec');

/** `h2spec` tests servers, `h2specd` clients. @returns the path of the binary, or why there is none. */
export async function installH2spec(
  name: 'h2spec' | 'h2specd',
): Promise<{ path: string } | { reason: string }> {
  const path = join(CACHE, name);
  if (existsSync(path)) return { path };
  mkdirSync(CACHE, { recursive: true });
  const env = { ...process.env, GOBIN: CACHE };
  try {
    const module = `github.com/summerwind/h2spec/cmd/${name}@${VERSION}`;
    await promisify(execFile)('go', ['install', module], { env, timeout: 110_000 });
    return { path };
  } catch (error) {
    return { reason: `${name} cannot be installed (needs Go): ${String(error).slice(0, 200)}` };
  }
}
