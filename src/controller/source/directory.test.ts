import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { DirectorySource } from './directory.ts';
import { keyOf, type KubeObject } from './kube-object.ts';
import type { SourceProblem } from './object-source.ts';

/** The objects as a reader of the source has them, and a way to wait for the next event. */
class Reader {
  readonly path: string;
  readonly source: DirectorySource;
  readonly objects = new Map<string, KubeObject>();
  problems: readonly SourceProblem[] = [];
  changes = 0;
  #wake: () => void = () => undefined;

  constructor(t: Test) {
    this.path = mkdtempSync(join(tmpdir(), 'ambient-objects-'));
    this.source = new DirectorySource({ path: this.path, clock: systemClock, logger: quietLogger });
    // Watches and timers of the source do not keep a process alive; the test has to.
    const alive = setInterval(() => undefined, 60_000);
    t.teardown(async () => {
      clearInterval(alive);
      await this.source.stop();
      rmSync(this.path, { recursive: true });
    });
  }

  async start(): Promise<this> {
    await this.source.start({
      onChange: ({ deletes, upserts }) => {
        for (const key of deletes) this.objects.delete(key);
        for (const object of upserts) this.objects.set(keyOf(object), object);
        this.changes++;
        this.#wake();
      },
      onProblems: problems => {
        this.problems = problems;
        this.#wake();
      },
    });
    return this;
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.path, file), text);
  }

  async until(ready: () => boolean): Promise<void> {
    while (!ready()) await new Promise<void>(resolve => (this.#wake = resolve));
  }

  get keys(): readonly string[] {
    return [...this.objects.keys()].sort();
  }
}

function serviceAccount(name: string, labels = '{}'): string {
  return `apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ${name}\n  namespace: shop\n  labels: ${labels}\n`;
}

const A = 'ServiceAccount/shop/a';
const B = 'ServiceAccount/shop/b';

test('what is there is handed over at the start: several documents, JSON, folders, unknown kinds left out', async t => {
  const reader = new Reader(t);
  reader.write('two.yaml', `${serviceAccount('a')}---\n---\n${serviceAccount('b')}`);
  reader.write('one.json', '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}');
  reader.write('deployment.yaml', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n');
  mkdirSync(join(reader.path, 'deep', 'er'), { recursive: true });
  reader.write('deep/er/c.yml', serviceAccount('c'));
  for (const name of ['.hidden.yaml', 'x.yaml~', '#x.yaml', 'x.yaml.swp', 'notes.txt'])
    reader.write(name, serviceAccount('no'));
  await reader.start();
  t.same(reader.keys, ['Namespace//shop', A, B, 'ServiceAccount/shop/c']);
  t.equal(reader.changes, 1, 'in one change');
  t.same(reader.problems, []);
});

test('writes, renames over, removals and new folders are seen', async t => {
  const reader = await new Reader(t).start();
  reader.write('a.yaml', serviceAccount('a'));
  await reader.until(() => reader.objects.has(A));
  // As an editor does: the whole new file, renamed over the old one.
  reader.write('.a.tmp', serviceAccount('a', '{v: "2"}'));
  renameSync(join(reader.path, '.a.tmp'), join(reader.path, 'a.yaml'));
  await reader.until(() => reader.objects.get(A)?.metadata.labels['v'] === '2');
  mkdirSync(join(reader.path, 'folder'));
  reader.write('folder/b.yaml', serviceAccount('b'));
  await reader.until(() => reader.objects.has(B));
  rmSync(join(reader.path, 'folder'), { recursive: true });
  await reader.until(() => !reader.objects.has(B));
  t.same(reader.keys, [A]);
});

test('an object that moves to another file is not gone for a moment', async t => {
  const reader = new Reader(t);
  reader.write('a.yaml', serviceAccount('a'));
  reader.write('z.yaml', serviceAccount('b'));
  await reader.start();
  renameSync(join(reader.path, 'a.yaml'), join(reader.path, 'moved.yaml'));
  rmSync(join(reader.path, 'z.yaml'));
  await reader.until(() => !reader.objects.has(B));
  t.equal(reader.changes, 2, 'only the removal of b was a change');
  t.same(reader.keys, [A]);
});

test('a mounted ConfigMap, whose files are links into a folder that is swapped', async t => {
  const reader = new Reader(t);
  const versioned = (version: string): void => {
    mkdirSync(join(reader.path, `..${version}`));
    reader.write(`..${version}/a.yaml`, serviceAccount('a', `{v: "${version}"}`));
    symlinkSync(`..${version}`, join(reader.path, '..new'));
    renameSync(join(reader.path, '..new'), join(reader.path, '..data'));
  };
  versioned('1');
  symlinkSync('..data/a.yaml', join(reader.path, 'a.yaml'));
  await reader.start();
  t.equal(reader.objects.get(A)?.metadata.labels['v'], '1');
  versioned('2');
  await reader.until(() => reader.objects.get(A)?.metadata.labels['v'] === '2');
});

test('a link to a parent folder is not walked for ever', async t => {
  const reader = new Reader(t);
  reader.write('a.yaml', serviceAccount('a'));
  symlinkSync('.', join(reader.path, 'loop'));
  symlinkSync('/nowhere', join(reader.path, 'broken.yaml'));
  await reader.start();
  t.same(reader.keys, [A]);
});

/** What becomes of a file that held a good ServiceAccount `a` and then is written over. */
const BAD: readonly (readonly [string, string, Partial<Record<keyof SourceProblem, RegExp>>])[] = [
  ['is not YAML', 'kind: [', { message: /./, fix: /correct the YAML/ }],
  ['is no object', '- 1\n- 2\n', { message: /is no object/, fix: /apiVersion/ }],
  ['has no kind', 'apiVersion: v1\nmetadata: {name: a}\n', { field: /^kind$/, message: /is required/ }],
  [
    'has no apiVersion',
    'kind: Service\nmetadata: {name: a}\n',
    { field: /^apiVersion$/, message: /is required/ },
  ],
  [
    'has no name',
    'apiVersion: v1\nkind: Service\nmetadata: {}\n',
    { field: /^metadata.name$/, value: /not set/ },
  ],
  [
    'has a name that is none',
    'apiVersion: v1\nkind: Service\nmetadata: {name: A_b}\n',
    { value: /"A_b"/, fix: /lower-case/ },
  ],
  [
    'has a namespace that is none',
    'apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: a.b}\n',
    { field: /namespace/ },
  ],
  [
    'has a label that is no text',
    serviceAccount('a', '{v: 1}'),
    { field: /^metadata.labels$/, fix: /quotes/ },
  ],
  ['expands aliases without end', bomb(), { message: /alias/i }],
  [
    'is too long',
    `${serviceAccount('a')}#${'x'.repeat(4 * 1024 * 1024)}`,
    { message: /bytes long/, fix: /split/ },
  ],
  ['holds one object twice', `${serviceAccount('b')}---\n${serviceAccount('b')}`, { message: /twice/ }],
];

function bomb(): string {
  const levels = Array.from(
    { length: 9 },
    (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`,
  );
  return `a0: &a0 [x]\n${levels.join('\n')}\n`;
}

test('a file that goes bad is reported with field, value and fix, and its last good objects stay', async t => {
  for (const [name, text, expected] of BAD) {
    const reader = new Reader(t);
    reader.write('a.yaml', serviceAccount('a'));
    reader.write('other.yaml', serviceAccount('other'));
    await reader.start();
    reader.write('a.yaml', text);
    await reader.until(() => reader.problems.length > 0);
    t.match(reader.problems[0], { origin: /a\.yaml/, ...expected }, name);
    t.ok(reader.objects.has(A), `${name}: the last good one stays`);
    reader.write('a.yaml', serviceAccount('a', '{v: "2"}'));
    await reader.until(
      () => reader.objects.get(A)?.metadata.labels['v'] === '2' && reader.problems.length === 0,
    );
  }
});

test('one bad document costs only itself', async t => {
  const reader = new Reader(t);
  reader.write('a.yaml', `${serviceAccount('a')}---\nkind: [\n---\n${serviceAccount('b')}`);
  await reader.start();
  t.same(reader.keys, [A, B]);
  t.match(reader.problems[0]?.origin, /document 2/);
});

test('of an object in two files the first file counts, and the other is reported', async t => {
  const reader = new Reader(t);
  reader.write('1.yaml', serviceAccount('a', '{v: "1"}'));
  reader.write('2.yaml', serviceAccount('a', '{v: "2"}'));
  await reader.start();
  t.equal(reader.objects.get(A)?.metadata.labels['v'], '1');
  t.match(reader.problems[0], { origin: /2\.yaml/, message: /is also in .*1\.yaml/ });
  rmSync(join(reader.path, '1.yaml'));
  await reader.until(() => reader.objects.get(A)?.metadata.labels['v'] === '2');
  await reader.until(() => reader.problems.length === 0);
});

test('a directory that is not there is an error at the start', async t => {
  const reader = new Reader(t);
  const source = new DirectorySource({
    path: join(reader.path, 'missing'),
    clock: systemClock,
    logger: quietLogger,
  });
  const ignore = { onChange: () => undefined, onProblems: () => undefined };
  await t.rejects(source.start(ignore), /missing is no directory that can be read/);
});
