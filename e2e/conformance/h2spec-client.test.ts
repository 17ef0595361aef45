import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'tap';
import { installH2spec } from './h2spec-install.ts';

/** h2specd: the suite for clients, one process of ours a case, which takes more than a minute. */

const isWanted = process.env['H2SPEC_CLIENT'] === '1';
const installed = isWanted ? await installH2spec('h2specd') : { reason: 'takes 80 s: set H2SPEC_CLIENT=1' };
const binary = 'path' in installed ? installed.path : '';
const skip = 'reason' in installed ? installed.reason : false;

test('h2specd: every case passes', { skip, timeout: 180_000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'h2specd-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const client = join(folder, 'client');
  const script = join(import.meta.dirname, 'h2spec-client.ts');
  writeFileSync(client, `#!/bin/sh\nexec '${process.execPath}' '${script}' "$@"\n`);
  chmodSync(client, 0o755);
  const args = ['-p', '31200', '-f', '31201', '-e', client, '-o', '3'];
  const { stdout } = await promisify(execFile)(binary, args, { timeout: 170_000, maxBuffer: 1 << 28 });
  t.match(stdout, /57 tests, 57 passed, 0 skipped, 0 failed/);
});
