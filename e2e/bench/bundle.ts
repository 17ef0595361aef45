import { join } from 'node:path';
import { build } from 'esbuild';

/** One file, as images have it: the benchmark measures what is shipped, not the development loader. */
export async function bundle(entry: string, directory: string): Promise<string> {
  const outfile = join(directory, `${entry.replaceAll(/[^a-z0-9]+/g, '-')}.mjs`);
  await build({
    entryPoints: [new URL(`../../${entry}`, import.meta.url).pathname],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'esm',
    keepNames: false,
    logLevel: 'error',
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  });
  return outfile;
}
