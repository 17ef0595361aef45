import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { test } from 'tap';

const PROGRAM = fileURLToPath(new URL('named-destination.ts', import.meta.url));
/** Networks, mounts and process ids of its own: whatever becomes of it, nothing is left. */
const ISOLATED = ['--map-root-user', '--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];

function cannotIsolate(): string | false {
  const { error, status } = spawnSync('unshare', [...ISOLATED, 'ip', 'link', 'set', 'lo', 'up']);
  if (process.platform === 'linux' && error === undefined && status === 0) return false;
  return 'needs Linux, unshare (util-linux), ip (iproute2), and leave to make namespaces';
}

const skip = cannotIsolate();

test('a ServiceEntry of resolution DNS is reached through a waypoint, at the addresses its name has now', {
  skip,
  timeout: 180_000,
}, async t => {
  const directory = mkdtempSync('/dev/shm/amb-dns-');
  t.teardown(() => rmSync(directory, { recursive: true }));
  const resolver = join(directory, 'resolv.conf');
  writeFileSync(resolver, 'nameserver 127.0.0.53\noptions timeout:1 attempts:1\n');
  const script = 'mount --bind "$0" /etc/resolv.conf && ip link set lo up && exec "$@"';
  const program = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    PROGRAM,
    join(directory, 'state'),
  ];
  const child = spawn('unshare', [...ISOLATED, 'sh', '-c', script, resolver, ...program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const result: unknown = out === '' ? errors : JSON.parse(out);
  t.match(result, {
    both: { failures: 0, servers: ['127.201.0.1', '127.201.0.2'] },
    moved: { failures: 0, servers: ['127.201.0.3'] },
    failing: { failures: 0, servers: ['127.201.0.3'] },
    through: ['waypoint'],
    said: /api\.vendor\.test/,
  });
});
