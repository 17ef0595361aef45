import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Networks, mounts and process ids of its own: whatever becomes of it, nothing is left. */
const ISOLATED = ['--map-root-user', '--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];

export function cannotIsolate(): string | false {
  const { error, status } = spawnSync('unshare', [...ISOLATED, 'ip', 'link', 'set', 'lo', 'up']);
  if (process.platform === 'linux' && error === undefined && status === 0) return false;
  return 'needs Linux, unshare (util-linux), ip (iproute2), and leave to make namespaces';
}

/**
 * Runs a program with a directory for its state as argument, where nothing but loopback is there and 127.0.0.53 is the name
 * server. @returns the JSON it prints, else its errors
 */
export async function runIsolated(program: string): Promise<unknown> {
  const directory = mkdtempSync('/dev/shm/amb-dns-');
  try {
    const resolver = join(directory, 'resolv.conf');
    writeFileSync(resolver, 'nameserver 127.0.0.53\noptions timeout:1 attempts:1\n');
    const script = 'mount --bind "$0" /etc/resolv.conf && ip link set lo up && exec "$@"';
    const state = join(directory, 'state');
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', program, state];
    const child = spawn('unshare', [...ISOLATED, 'sh', '-c', script, resolver, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return out === '' ? errors : JSON.parse(out);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
