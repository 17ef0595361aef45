import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

/**
 * One ESM bundle for each binary, for images. Worker threads are bundles of their own beside them, since a worker is
 * started from a file. Each bundle is then started with `--version`, so that one that cannot load is found here.
 */
const OUT = 'dist';
const BINARIES = ['ztunnel', 'waypoint', 'controller', 'cli'];
const WORKERS = ['src/ztunnel/workers/worker-main.ts', 'src/waypoint/workers/worker-main.ts'];

/** Bundled CommonJS packages call `require`, which an ES module does not have. */
const BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
const entryPoints = [...BINARIES.map(name => `src/${name}/main.ts`), ...WORKERS].filter(file =>
  existsSync(file),
);
await build({
  entryPoints,
  outdir: OUT,
  outbase: 'src',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  keepNames: true,
  sourcemap: 'linked',
  banner: { js: BANNER },
  loader: { '.proto': 'text' },
  logLevel: 'warning',
});
for (const name of BINARIES) {
  const file = `${OUT}/${name}/main.js`;
  if (!existsSync(file)) throw new Error(`${file} was not built: src/${name}/main.ts is missing`);
  console.log(
    `${file}: ${execFileSync(process.execPath, [file, '--version'], { encoding: 'utf8', timeout: 20_000 }).trim()}`,
  );
}
