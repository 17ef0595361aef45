import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { removeAbandoned, stagedPath } from './staged-file.ts';

test('what a killed process has left half written goes; what another one is writing stays', t => {
  const directory = mkdtempSync(join(tmpdir(), 'staged-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const name of ['pods.json', 'pods.json.71.tmp', 'pods.json.72.tmp', 'notes.tmp', 'other.71.tmp'])
    writeFileSync(join(directory, name), '');
  mkdirSync(join(directory, 'kept'));
  writeFileSync(stagedPath(join(directory, 'mesh.snapshot')), '');
  removeAbandoned(directory, 'pods', pid => pid === '72' || pid === String(process.pid));
  t.same(readdirSync(directory).sort(), [
    'kept',
    `mesh.snapshot.${process.pid}.tmp`,
    'notes.tmp',
    'other.71.tmp',
    'pods.json',
    'pods.json.72.tmp',
  ]);
  removeAbandoned(join(directory, 'none'));
  removeAbandoned(directory);
  t.ok(readdirSync(directory).includes(`mesh.snapshot.${process.pid}.tmp`), 'of a process that runs');
  t.end();
});
