/**
 * Runs a program of this repository as a process of the playground. The kernel kills it when the playground dies, however
 * that happens; a hosts file is mounted over the machine's for this process alone.
 */
export function commandLine(argv: readonly string[], hostsPath: string | undefined): string[] {
  const [program = '', ...rest] = argv;
  const own =
    program === 'node' ? [process.execPath, '--disable-warning=ExperimentalWarning', ...rest] : [...argv];
  const dieWithParent = ['setpriv', '--pdeathsig', 'KILL', '--'];
  if (hostsPath === undefined) return [...dieWithParent, ...own];
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
  return [
    ...dieWithParent,
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    hostsPath,
    ...own,
  ];
}

/** A clean environment: what a test or a developer has set must not reach the mesh. */
export function childEnvironment(extra: Readonly<Record<string, string>>): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...extra };
}
