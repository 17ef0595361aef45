import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { PlaygroundMode } from './instance.ts';

/** Program → the Debian package that has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  nft: 'nftables',
  ip: 'iproute2',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
};
const INSTALL_TIMEOUT_MS = 180_000;

export interface Machine {
  readonly mode: PlaygroundMode;
  /** Why it is not a better mode; empty when it is the best. */
  readonly reason: string;
}

/**
 * Looks at what the machine allows, and installs what is missing where that is possible. Throws with one line that says
 * what to install when it is not.
 */
export function checkMachine(report: (line: string) => void): Machine {
  if (process.platform !== 'linux')
    throw new Error(`the playground needs Linux; this is ${process.platform}`);
  if (process.env[FORCED_MODE] === 'loopback') {
    return { mode: 'loopback', reason: `${FORCED_MODE}=loopback: without network namespaces` };
  }
  const missing = missingPackages();
  if (missing.length > 0) install(missing, report);
  return chooseMode();
}

export function missingPackages(): string[] {
  const missing = Object.entries(PROGRAMS).filter(([program]) => !exists(program));
  return [...new Set(missing.map(([, name]) => name))];
}

function install(packages: readonly string[], report: (line: string) => void): void {
  const command = `apt-get install -y ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || !exists('apt-get')) {
    throw new Error(`the playground needs ${packages.join(', ')}; install them (on Debian: ${command})`);
  }
  report(`installing ${packages.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeout: INSTALL_TIMEOUT_MS, encoding: 'utf8' } as const;
  spawnSync('apt-get', ['update', '-q'], options);
  const done = spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], options);
  if (missingPackages().length === 0) return;
  const last = done.stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(`"${command}" did not install ${missingPackages().join(', ')}: ${last}`);
}

/** The best mode that works here; each is tried, since many settings of kernels and containers can forbid it. */
function chooseMode(): Machine {
  const direct = tryNamespaces([]);
  if (direct === undefined) {
    return { mode: process.env[IN_USER_NAMESPACE] === '1' ? 'user-namespace' : 'root', reason: '' };
  }
  const user = tryNamespaces(USER_NAMESPACE);
  if (user === undefined) return { mode: 'user-namespace', reason: `not root: ${direct}` };
  return { mode: 'loopback', reason: `network namespaces are not allowed here: ${user}` };
}

/** `loopback`: as on a machine that allows no network namespaces. */
const FORCED_MODE = 'AMBIENT_PLAYGROUND_MODE';

/** Set in a playground that has started itself again inside a user namespace. */
export const IN_USER_NAMESPACE = 'AMBIENT_IN_USER_NAMESPACE';

/** New user, network and mount namespace, with the caller as its root. */
const USER_NAMESPACE: readonly string[] = ['unshare', '--user', '--map-root-user', '--net', '--mount'];

/** Everything the playground does to the kernel, once, in namespaces that end with the trial. @returns what failed. */
function tryNamespaces(wrapper: readonly string[]): string | undefined {
  const script = [
    'mount -t tmpfs none /run',
    'ip netns add ambient-trial',
    'ip link add trial0 type veth peer eth0 netns ambient-trial',
    'nft add table inet ambient_trial',
    "nft 'add chain inet ambient_trial c { type nat hook output priority -100; }'",
    'ip netns del ambient-trial',
  ].join(' && ');
  // Always in namespaces of its own, so that the trial leaves nothing on the machine.
  const isolated = wrapper.length > 0 ? wrapper : ['unshare', '--net', '--mount'];
  const [program, ...args] = [...isolated, 'sh', '-c', script];
  const done = spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 });
  if (done.status === 0) return undefined;
  return done.error?.message ?? done.stderr.trim().split('\n')[0] ?? 'unknown';
}

/**
 * The command line that runs this process again inside a user namespace, with a `/run` of its own for the names of
 * network namespaces. Files of the caller stay reachable, so that tools outside find the state directory.
 */
export function userNamespaceCommand(argv: readonly string[]): string[] {
  const script = 'mount -t tmpfs none /run && exec "$@"';
  return [...USER_NAMESPACE, 'sh', '-c', script, 'playground', process.execPath, ...argv];
}

function exists(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some(folder => folder !== '' && existsSync(`${folder}/${program}`));
}
