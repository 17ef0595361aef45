import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeDockerArchive } from '../../../scripts/image/docker-archive.ts';
import { findProgram, programEntries, treeEntries, withDirectories } from '../../../scripts/image/rootfs.ts';
import type { TarEntry } from '../../../scripts/image/tar-writer.ts';
import { VERSION } from '../../../src/shared/config/version.ts';

/**
 * The image of the cluster tests' own pods, from programs that are installed here (Debian names them as PROGRAMS does).
 *
 *   npm run e2e:image     dist-image/ambient-e2e.tar
 */
const OUT = 'dist-image/ambient-e2e.tar';
/** Program → the package that has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  busybox: 'busybox-static',
  curl: 'curl',
  nginx: 'nginx-light',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-server',
  iperf3: 'iperf3',
  wrk: 'wrk',
  tcpdump: 'tcpdump',
};
/** What busybox does for the tests. */
const APPLETS = [
  'sh',
  'sleep',
  'nslookup',
  'nc',
  'cat',
  'date',
  'env',
  'echo',
  'kill',
  'timeout',
  'ip',
  'true',
  'false',
];

function programs(): TarEntry[] {
  const all = Object.entries(PROGRAMS).flatMap(([name, owner]) =>
    programEntries(findProgram(name, `install ${owner}`), `usr/bin/${name}`),
  );
  // Lua of redis and others are loaded by name, which ldd does not see; nothing here does that.
  return [...programEntries(process.execPath, 'usr/local/bin/node'), ...all];
}

const entries = withDirectories([
  ...programs(),
  ...APPLETS.map((name): TarEntry => ({ kind: 'symlink', path: `bin/${name}`, target: '/usr/bin/busybox' })),
  ...treeEntries('e2e/kube/programs', 'e2e'),
  { kind: 'file', path: 'etc/nginx/nginx.conf', mode: 0o644, source: 'e2e/kube/image/nginx.conf' },
  ...treeEntries('scripts/image/rootfs/etc', 'etc'),
  // wrk asks for the port of http by name.
  { kind: 'text', path: 'etc/services', mode: 0o644, text: 'http 80/tcp\n' },
  { kind: 'directory', path: 'tmp', mode: 0o1777 },
  { kind: 'directory', path: 'var/lib/nginx', mode: 0o1777 },
  { kind: 'directory', path: 'var/log/nginx', mode: 0o1777 },
]);
mkdirSync(dirname(OUT), { recursive: true });
const reference = `ambient-e2e:${VERSION}`;
const id = writeDockerArchive(OUT, {
  reference,
  layers: [entries],
  config: { User: '0:0', Env: ['PATH=/usr/local/bin:/usr/bin:/bin'], Entrypoint: [], Labels: {} },
});
console.log(`${OUT}: ${reference} ${id}`);
