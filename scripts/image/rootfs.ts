import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { TarEntry } from './tar-writer.ts';
import { isExecutable } from '../executable.ts';

/** Static files of the image; the Containerfile copies the same. */
const ROOTFS = 'scripts/image/rootfs';
const EXECUTABLE = 0o755;
const PLAIN = 0o644;
const STICKY = 0o1777;

/** A program and the shared objects that the dynamic linker would load for it, each at the path the linker looks for. */
export function programEntries(program: string, path: string): TarEntry[] {
  return [
    { kind: 'file', path, mode: EXECUTABLE, source: realpathSync(program) },
    ...sharedObjects(program).map(
      (object): TarEntry => ({
        kind: 'file',
        path: object.slice(1),
        mode: EXECUTABLE,
        source: realpathSync(object),
      }),
    ),
  ];
}

/** Every file under `directory`, placed under `path`. Modes are 755 for what can be executed, else 644. */
export function treeEntries(directory: string, path: string): TarEntry[] {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(e => e.isFile());
  return files.map(file => {
    const source = join(file.parentPath, file.name);
    const executable = (statSync(source).mode & 0o100) !== 0;
    const inside = join(path, source.slice(join(directory, '/').length));
    return { kind: 'file', path: inside, mode: executable ? EXECUTABLE : PLAIN, source };
  });
}

/** The image without our own code: the runtime, nft, and the few files they look for. Throws when one is missing here. */
export function runtimeLayer(): TarEntry[] {
  return withDirectories([
    ...programEntries(process.execPath, 'usr/local/bin/node'),
    ...programEntries(findProgram('nft', 'install nftables'), 'usr/sbin/nft'),
    ...treeEntries(join(ROOTFS, 'etc'), 'etc'),
    { kind: 'directory', path: 'tmp', mode: STICKY },
  ]);
}

/** Our own code: bundles and the launchers that name them. Throws when they are not built. */
export function applicationLayer(dist: string): TarEntry[] {
  if (!existsSync(join(dist, 'ztunnel/main.js')))
    throw new Error(`${dist} has no bundles: npm run build makes them`);
  return withDirectories([...treeEntries(dist, 'app'), ...treeEntries(join(ROOTFS, 'usr'), 'usr')]);
}

function sharedObjects(program: string): string[] {
  const { stdout: output, stderr } = spawnSync('ldd', [program], { encoding: 'utf8' });
  // A static program needs none. musl and glibc word it differently; neither lists anything then.
  if (/not a (dynamic executable|valid dynamic program)/i.test(output + stderr)) return [];
  const missing = /^\s*(\S+) => not found/m.exec(output);
  if (missing !== null)
    throw new Error(`${program} needs ${missing[1] ?? 'a library'}, which is not installed`);
  return [...output.matchAll(/(?:=> |^\s+)(\/\S+)/gm)].flatMap(match => match[1] ?? []);
}

export function findProgram(name: string, hint: string): string {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = directories.map(directory => join(directory, name)).find(isExecutable);
  if (found === undefined) throw new Error(`${name} is not on PATH: ${hint}`);
  return found;
}

/** Each path once, and the directories that lead to it. */
export function withDirectories(entries: readonly TarEntry[]): TarEntry[] {
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) {
    for (let parent = dirname(entry.path); parent !== '.'; parent = dirname(parent))
      if (!byPath.has(parent)) byPath.set(parent, { kind: 'directory', path: parent, mode: EXECUTABLE });
    byPath.set(entry.path, entry);
  }
  return [...byPath.values()];
}
