import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { BUNDLE_OPTIONS } from '../../scripts/bundle-options.ts';

/** A tier as images have it: the benchmark measures what is shipped, not the development loader. Returns its main file. */
export async function bundleTier(
  tier: string,
  entries: readonly string[],
  directory: string,
): Promise<string> {
  const source = fileURLToPath(new URL('../../src', import.meta.url));
  await build({
    entryPoints: entries.map(entry => join(source, tier, entry)),
    ...BUNDLE_OPTIONS,
    outdir: directory,
    outbase: source,
    logLevel: 'error',
  });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  return join(directory, tier, 'main.js');
}
