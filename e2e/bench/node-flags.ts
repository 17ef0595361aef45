/** `BENCH_NODE_FLAGS`: to profile (`--cpu-prof`), or to try what a flag would give. */
export function nodeFlags(): string[] {
  const flags = process.env['BENCH_NODE_FLAGS'] ?? '';
  return ['--disable-warning=ExperimentalWarning', ...flags.split(' ').filter(flag => flag !== '')];
}
