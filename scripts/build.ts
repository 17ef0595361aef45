import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { buildPage } from '../src/cli/dashboard/page/build-page.ts';
import { BUNDLE_OPTIONS } from './bundle-options.ts';

/**
 * One ESM bundle for each binary, for images, with the message definitions it reads beside it. Traffic threads have a bundle
 * of their own, which holds nothing they do not need. Each bundle is then started, so that one that cannot
 * load or come up is found here.
 */
const OUT = 'dist';
const BINARIES = ['ztunnel', 'waypoint', 'controller', 'release', 'cli'];
const PROTO = 'src/shared/discovery/proto';
const START_MS = 20_000;

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
const options: BuildOptions = {
  outbase: 'src',
  outdir: OUT,
  ...BUNDLE_OPTIONS,
  sourcemap: 'linked',
  logLevel: 'warning',
};
const whole = BINARIES.filter(name => name !== 'controller').map(name => `src/${name}/main.ts`);
const threads = ['ztunnel', 'waypoint'].map(name => `src/${name}/workers/worker-main.ts`);
await build({
  ...options,
  entryPoints: [...whole, ...threads],
  plugins: [...BUNDLE_OPTIONS.plugins, pageInBundle()],
});
// What it imports only when it needs it (the Kubernetes library, for a kubeconfig) is in files of its own: as a part of the
// bundle its text alone would cost every controller 60 MB.
await build({
  ...options,
  outbase: 'src/controller',
  outdir: `${OUT}/controller`,
  entryPoints: ['src/controller/main.ts'],
  splitting: true,
});
for (const name of BINARIES) {
  const file = `${OUT}/${name}/main.js`;
  if (!existsSync(file)) throw new Error(`${file} was not built`);
  if (name !== 'release') cpSync(PROTO, `${OUT}/${name}/proto`, { recursive: true });
  const version = execFileSync(process.execPath, [file, '--version'], {
    encoding: 'utf8',
    timeout: START_MS,
  });
  console.log(`${file}: ${version.trim()}`);
}

// `ambientctl install` of this version installs this version.
cpSync('charts', `${OUT}/cli/charts`, { recursive: true });
await buildPlugin();

const scratch = mkdtempSync(join(tmpdir(), 'ambient-build-'));
try {
  writeFileSync(join(scratch, 'xds.yaml'), 'workloads: []\n');
  mkdirSync(join(scratch, 'objects'));
  const quiet = { ADMIN_ADDR: 'off', STATS_ADDR: 'off', READINESS_ADDR: 'off' };
  await comesUp('ztunnel', {
    ...quiet,
    PROXY_MODE: 'dedicated',
    PROXY_WORKLOAD_INFO: 'default/build/build',
    LISTEN_IP: '127.77.0.1',
    LOCAL_XDS_PATH: join(scratch, 'xds.yaml'),
    FAKE_CA: 'true',
  });
  await comesUp('waypoint', {
    ...quiet,
    LISTEN_PLAINTEXT: '127.77.0.2:18080',
    PLAINTEXT_UPSTREAM: '127.77.0.3:80',
  });
  await comesUp('controller', {
    SOURCE: 'directory',
    CONFIG_DIR: join(scratch, 'objects'),
    DATA_DIR: scratch,
    CA_DIR: join(scratch, 'ca'),
    XDS_ADDRESS: '127.77.0.4:15012',
    ADMIN_ADDR: 'off',
    STATS_ADDR: 'off',
    READINESS_ADDR: 'off',
  });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** ambientctl holds the page of its dashboard, put together, in place of what puts it together. */
function pageInBundle(): Plugin {
  return {
    name: 'page-in-bundle',
    setup(setup) {
      setup.onLoad({ filter: /src\/cli\/dashboard\/page\/load-page\.ts$/ }, async () => {
        const page = JSON.stringify([...(await buildPage())]);
        console.log(`the dashboard's page: ${Math.round(page.length / 1_024)} KiB`);
        return { contents: `export const loadPage = async () => new Map(${page});`, loader: 'js' };
      });
    },
  };
}

/**
 * The CNI plugin is called by the node's container runtime, where there is no runtime of ours: it is one executable that
 * holds both. It is called for every pod, and loads nothing but what it needs.
 */
async function buildPlugin(): Promise<void> {
  const [main, config, plugin] = [`${OUT}/cni/main.cjs`, `${OUT}/cni/sea.json`, `${OUT}/cni/ambient-cni`];
  await build({
    entryPoints: ['src/cni/main.ts'],
    outfile: main,
    bundle: true,
    platform: 'node',
    // Lets what is imported on demand be loaded on demand.
    format: 'cjs',
    target: 'node26',
    minify: true,
    logLevel: 'warning',
  });
  const options = { main, output: plugin, disableExperimentalSEAWarning: true };
  writeFileSync(config, JSON.stringify(options));
  execFileSync(process.execPath, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  const version = execFileSync(plugin, ['--version'], { encoding: 'utf8', timeout: START_MS });
  console.log(`${plugin}: ${version.trim()}`);
}

/** Starts a bundle, waits until its log says that it is ready, and ends it. Throws with the log when it does not come up. */
async function comesUp(name: string, env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, [`${OUT}/${name}/main.js`], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const ready = new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${OUT}/${name}/main.js ${why}:\n${log}`));
    const timer = setTimeout(() => fail(`was not ready within ${START_MS / 1_000} s`), START_MS);
    const read = (chunk: Buffer): void => {
      log += chunk.toString('utf8');
      if (!/\bready\b/.test(log)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('close', code => {
      clearTimeout(timer);
      fail(`ended with ${code ?? 'a signal'}`);
    });
  });
  try {
    await ready;
    console.log(`${OUT}/${name}/main.js: comes up`);
  } finally {
    child.kill('SIGKILL');
  }
}
