import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Environment } from '#shared/config/env-reader.ts';

const FORMAT = /^[\w-]{32}$/;

/**
 * What an open page proves itself with. It is kept in a file that none but the user reads, so that a page that is open goes on when the
 * dashboard is started again; where there is no such place it is new each time.
 */
export function dashboardToken(env: Environment): string {
  const file = tokenFile(env);
  const kept = file === undefined ? undefined : readToken(file);
  if (kept !== undefined) return kept;
  const token = randomBytes(24).toString('base64url');
  if (file !== undefined) keepToken(file, token);
  return token;
}

function tokenFile(env: Environment): string | undefined {
  const [state, home] = [env['XDG_STATE_HOME'] ?? '', env['HOME'] ?? ''];
  if (state.startsWith('/')) return join(state, 'ambientctl', 'dashboard-token');
  return home.startsWith('/') ? join(home, '.local', 'state', 'ambientctl', 'dashboard-token') : undefined;
}

/** One that others can read, or have put there, is none. */
function readToken(file: string): string | undefined {
  try {
    const { mode, uid } = statSync(file);
    const text = readFileSync(file, 'utf8').trim();
    const isOwn = uid === process.getuid?.() && (mode & 0o077) === 0;
    return isOwn && FORMAT.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function keepToken(file: string, token: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${token}\n`, { mode: 0o600, flag: 'wx' });
  } catch {
    // A home that cannot be written to, or a file there that is not ours alone: then this one is for this time.
  }
}
