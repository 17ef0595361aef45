import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { writeDockerArchive } from './docker-archive.ts';
import { programEntries, treeEntries } from './rootfs.ts';
import { type TarEntry, writeTar } from './tar-writer.ts';

const LONG = `${'d'.repeat(90)}/${'f'.repeat(90)}`;
const CONFIG = { User: '65532:65532', Env: ['A=b'], Entrypoint: [], Labels: {} };

function scratch(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-image-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

function listing(tar: string): string[] {
  const text = execFileSync('tar', ['-tvf', tar, '--numeric-owner'], {
    encoding: 'utf8',
    env: { TZ: 'UTC' },
  });
  return text
    .trim()
    .split('\n')
    .map(line => line.replace(/ +/g, ' '));
}

test('a tar archive is what tar(1) reads: sorted, of root, at the epoch', async t => {
  const directory = scratch(t);
  const entries: TarEntry[] = [
    { kind: 'text', path: 'b', mode: 0o644, text: 'x'.repeat(513) },
    { kind: 'directory', path: 'a', mode: 0o1777 },
    { kind: 'symlink', path: 'a/link', target: '../b' },
    { kind: 'text', path: LONG, mode: 0o755, text: '' },
  ];
  const out = join(directory, 'x.tar');
  const written = writeTar(out, entries);
  t.same(listing(out), [
    'drwxrwxrwt 0/0 0 1970-01-01 00:00 a/',
    'lrwxrwxrwx 0/0 0 1970-01-01 00:00 a/link -> ../b',
    '-rw-r--r-- 0/0 513 1970-01-01 00:00 b',
    `-rwxr-xr-x 0/0 0 1970-01-01 00:00 ${LONG}`,
  ]);
  t.equal(execFileSync('tar', ['-xOf', out, 'b'], { encoding: 'utf8' }), 'x'.repeat(513));
  const bytes = readFileSync(out);
  t.same(written, { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length });
  t.throws(() => writeTar(out, [{ kind: 'text', path: 'n'.repeat(101), mode: 0o644, text: '' }]), {
    message: /^n+ is too long for a tar archive$/,
  });
});

test('an image names its layers by their content, and is the same when made again', async t => {
  const directory = scratch(t);
  const layers: TarEntry[][] = [
    [{ kind: 'text', path: 'base', mode: 0o644, text: 'base' }],
    [{ kind: 'text', path: 'app', mode: 0o755, text: 'app' }],
  ];
  const make = (name: string, order: TarEntry[][]): { id: string; bytes: Buffer } => {
    const out = join(directory, name);
    const id = writeDockerArchive(out, { reference: 'mesh:1', layers: order, config: CONFIG });
    return { id, bytes: readFileSync(out) };
  };
  const first = make('1.tar', layers);
  t.same(make('2.tar', layers), first);
  t.not(make('3.tar', layers.toReversed()).id, first.id, 'the order of the layers counts');

  const read = (file: string): Buffer => execFileSync('tar', ['-xOf', join(directory, '1.tar'), file]);
  const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
  const hex = first.id.slice('sha256:'.length);
  t.equal(digest(read(`${hex}.json`)), hex);
  const image: unknown = JSON.parse(read(`${hex}.json`).toString());
  const names = listing(join(directory, '1.tar')).flatMap(line => /\S+\.tar$/.exec(line) ?? []);
  t.equal(names.length, 2);
  for (const name of names) t.equal(`${digest(read(name))}.tar`, name);
  const manifest: unknown = JSON.parse(read('manifest.json').toString());
  t.match(manifest, [{ Config: `${hex}.json`, RepoTags: ['mesh:1'] }]);
  t.match(image, { os: 'linux', config: CONFIG, rootfs: { type: 'layers' } });
});

test('a directory keeps which of its files can be executed, and nothing else of their modes', async t => {
  const directory = scratch(t);
  mkdirSync(join(directory, 'bin'));
  writeFileSync(join(directory, 'bin/run'), '');
  chmodSync(join(directory, 'bin/run'), 0o700);
  writeFileSync(join(directory, 'data'), '', { mode: 0o600 });
  const modes = treeEntries(directory, 'app').map(e => [e.path, e.kind === 'file' && e.mode] as const);
  t.same(Object.fromEntries(modes), { 'app/bin/run': 0o755, 'app/data': 0o644 });
});

test('a program brings the libraries it is linked with, and the linker itself', async t => {
  const paths = programEntries(process.execPath, 'usr/local/bin/node').map(e => e.path);
  t.equal(paths[0], 'usr/local/bin/node');
  t.ok(
    paths.some(path => /\/libc\.so|\/libc\.musl/.test(path)),
    paths.join(' '),
  );
  t.ok(
    paths.some(path => /(^|\/)ld-/.test(path)),
    paths.join(' '),
  );
});
