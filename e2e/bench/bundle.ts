import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { asciiBundle } from '../../scripts/ascii-bundle.ts';

/** A tier as images have it: the benchmark measures what is shipped, not the development loader. Returns its main file. */
export async function bundleTier(
  tier: string,
  entries: readonly string[],
  directory: string,
): Promise<string> {
  const source = fileURLToPath(new URL('../../src', import.meta.url));
  await build({
    entryPoints: entries.map(entry => join(source, tier, entry)),
    outdir: directory,
    outbase: source,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'esm',
    keepNames: false,
    logLevel: 'error',
    plugins: [asciiBundle()],
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  return join(directory, tier, 'main.js');
}
