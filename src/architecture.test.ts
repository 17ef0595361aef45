import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'tap';

/**
 * The dependency rules of ARCHITECTURE.md: shared ← {ztunnel, waypoint, controller, cli}; no tier imports another; each
 * third-party package has one door; FFI stays in one room; worker threads stay light.
 */
interface Import {
  readonly from: string;
  /** A file of ours (relative to the root), or a package or `node:` name. */
  readonly to: string;
}

const FILES = globSync('src/**/*.ts').map(normalize).sort();
const IMPORT = /^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm;
/** Erased before the code runs, so it is no dependency of the running program. */
const TYPE_ONLY = /^(?:import|export)\s+type\s/;

function importsOf(file: string, options: { types: boolean }): Import[] {
  const text = readFileSync(file, 'utf8');
  const found: Import[] = [];
  for (const match of text.matchAll(IMPORT)) {
    if (!options.types && TYPE_ONLY.test(match[0])) continue;
    found.push({ from: file, to: resolve(file, match[1] ?? match[2] ?? match[3] ?? '') });
  }
  return found;
}

function resolve(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return join(dirname(file), specifier);
  if (specifier.startsWith('#shared/')) return join('src/shared', specifier.slice('#shared/'.length));
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

const ALL = FILES.flatMap(file => importsOf(file, { types: true }));

/** Everything a file loads at run time (with `types`: or refers to), through our own files. */
function reach(entry: string, options: { types: boolean } = { types: false }): Set<string> {
  const seen = new Set<string>();
  const queue = [entry];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    if (file.startsWith('src/')) queue.push(...importsOf(file, options).map(i => i.to));
  }
  return seen;
}

/** What is started as a process or a thread, or loaded by name. */
const ENTRY =
  /^src\/(?:[a-z]+\/main|.*\/worker-main|playground\/demo|playground\/loopback\/[a-z0-9-]*preload|controller\/token)\.ts$/;
const REACHED = reachedFrom(FILES.filter(f => ENTRY.test(f)));
function reachedFrom(entries: readonly string[]): Set<string> {
  return new Set(entries.flatMap(entry => [...reach(entry, { types: true })]));
}

/** Tests and what only they use. */
const isTest = (file: string): boolean => !REACHED.has(file);
const PRODUCTION = ALL.filter(i => !isTest(i.from));

function roomOf(file: string): string {
  const parts = file.split('/');
  return parts[0] === 'src' ? (parts[1] ?? '') : '';
}

/** What each room of src/ may import from another one. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  ztunnel: ['shared'],
  cni: ['shared'],
  waypoint: ['shared'],
  controller: ['shared'],
  release: ['shared'],
  cli: ['shared', 'playground'],
  playground: ['shared'],
  dashboard: ['shared'],
};

test('shared imports no tier, and no tier imports another', t => {
  const wrong = PRODUCTION.filter(({ from, to }) => {
    const [source, target] = [roomOf(from), roomOf(to)];
    return source !== target && target !== '' && !(MAY_IMPORT[source] ?? []).includes(target);
  });
  t.same(wrong, []);
  t.ok(PRODUCTION.length > 100, 'the scan found the imports');
  t.end();
});

/** Package → path prefixes of the files that may import it. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  'prom-client': ['src/shared/observability/metrics.ts'],
  protobufjs: ['src/shared/discovery/', 'src/shared/tracing/'],
  '@grpc/grpc-js': ['src/shared/discovery/', 'src/shared/tracing/', 'src/controller/discovery/'],
  '@peculiar/x509': ['src/shared/pki/'],
  '@peculiar/webcrypto': ['src/shared/pki/'],
  'reflect-metadata': ['src/shared/pki/'],
  commander: ['src/cli/'],
  yaml: ['src/controller/source/', 'src/shared/discovery/', 'src/cli/', 'src/playground/'],
  'http2-wrapper': ['src/waypoint/upstream/', 'src/waypoint/control/', 'src/cli/', 'src/controller/ca/'],
  '@kubernetes/client-node': ['src/shared/kube/kubeconfig.ts', 'src/cli/'],
  'node:ffi': ['src/shared/native/'],
  // In a checkout alone: a bundle of ambientctl holds the page.
  esbuild: ['src/cli/dashboard/page/build-page.ts'],
};

test('every third-party package has one door', t => {
  const outside = PRODUCTION.filter(
    ({ to }) => !to.startsWith('src/') && !to.startsWith('node:') && to !== '',
  );
  const wrong = outside.filter(({ from, to }) => !(DOORS[to] ?? []).some(door => from.startsWith(door)));
  t.same(wrong, []);
  t.end();
});

test('foreign functions are called from src/shared/native alone', t => {
  const doors = DOORS['node:ffi'] ?? [];
  t.same(
    ALL.filter(({ from, to }) => to === 'node:ffi' && !doors.some(d => from.startsWith(d))),
    [],
  );
  t.end();
});

test("the data path never uses the runtime's HTTP stacks", t => {
  const dataPath = /^src\/(shared\/(http|http1|http2|hbone|engine)|waypoint|ztunnel)\//;
  const stacks = ['node:http', 'node:http2', 'node:https'];
  t.same(
    PRODUCTION.filter(({ from, to }) => dataPath.test(from) && stacks.includes(to)),
    [],
  );
  t.end();
});

test("a worker thread never loads one of the runtime's HTTP stacks, by any way", t => {
  const stacks = ['node:http', 'node:http2', 'node:https'];
  for (const entry of FILES.filter(f => f.endsWith('/workers/worker-main.ts'))) {
    const loaded = reach(entry);
    t.same(
      [...stacks, ...FILES.filter(f => f.startsWith('src/shared/kube/'))].filter(name => loaded.has(name)),
      [],
      `${entry}: the client of the API server is the main thread's`,
    );
  }
  t.end();
});

test('a worker thread never loads the control plane libraries: each would cost it tens of megabytes', t => {
  const heavy = [
    '@grpc/grpc-js',
    'protobufjs',
    '@peculiar/x509',
    '@peculiar/webcrypto',
    'prom-client',
    'yaml',
  ];
  for (const entry of FILES.filter(f => f.endsWith('/workers/worker-main.ts'))) {
    const loaded = reach(entry);
    t.same(
      heavy.filter(name => loaded.has(name)),
      [],
      entry,
    );
  }
  t.end();
});

test('the Kubernetes client never reaches ztunnel or a waypoint', t => {
  for (const entry of ['src/ztunnel/main.ts', 'src/waypoint/main.ts', 'src/cni/main.ts'].filter(f =>
    FILES.includes(f),
  )) {
    t.notOk(reach(entry).has('@kubernetes/client-node'), entry);
  }
  t.end();
});

test('folders are named for concepts', t => {
  const vague = /\/(utils?|helpers?|common|misc)(\/|\.ts$)|\/index\.ts$/;
  t.same(
    FILES.filter(f => vague.test(f)),
    [],
  );
  t.end();
});

/** Longer than the house limit, each for a reason. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'src/shared/engine/native/native-channel.ts':
    'both directions of one socket: what the kernel has said of it is private to them',
  'src/shared/http1/server-connection.ts':
    'one state machine: taking its states apart would only spread them',
  'src/shared/http2/connection.ts': 'the public surface of a connection together with its life cycle',
  'src/shared/identity/certificate-manager.ts': 'one state machine over all certificates',
};
const MAX_LINES = 350;

test('a source file holds one concept', t => {
  const long = FILES.filter(f => !isTest(f) && !(f in LONG_FILES)).filter(
    f => readFileSync(f, 'utf8').split('\n').length > MAX_LINES,
  );
  t.same(long, []);
  t.end();
});

test('what only tests use lies in a folder `testing`', t => {
  const isHelper = (file: string): boolean => isTest(file) && !file.endsWith('.test.ts');
  t.same(
    FILES.filter(f => isHelper(f) && !/\/testing\/|^src\/docs\//.test(f)),
    [],
  );
  t.same(
    FILES.filter(f => !isTest(f) && f.includes('/testing/')),
    [],
  );
  t.end();
});

test('no export is dead: each value that a file exports is named in another file', t => {
  const users = new Map<string, Set<string>>();
  for (const file of [...FILES, ...globSync('{e2e,scripts,examples}/**/*.ts')]) {
    for (const [word] of readFileSync(file, 'utf8').matchAll(/[A-Za-z_$][\w$]*/g)) {
      const files = users.get(word) ?? new Set();
      users.set(word, files.add(file));
    }
  }
  const VALUE = /^export (?:async )?(?:const|let|function\*?) ([A-Za-z_$][\w$]*)/gm;
  const exported = FILES.flatMap(file =>
    [...readFileSync(file, 'utf8').matchAll(VALUE)].map(found => ({ file, name: found[1] ?? '' })),
  );
  t.same(
    exported.filter(({ name }) => users.get(name)?.size === 1),
    [],
  );
  t.ok(exported.length > 1000, 'the scan found the exports');
  t.end();
});

test('no file is dead: each is reached from a process, a thread or a test', t => {
  const used = new Set([...REACHED, ...reachedFrom(FILES.filter(f => f.endsWith('.test.ts')))]);
  t.same(
    FILES.filter(f => !used.has(f)),
    [],
  );
  t.end();
});
