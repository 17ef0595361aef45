import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { errorMessage } from '#shared/observability/error-message.ts';

/**
 * The image and the charts of another version of this repository, for the test that upgrades from it
 * (`e2e/kube/tests/upgrade-from.test.ts`): built from a checkout of its own, with its own packages.
 *
 *   npm run image:from -- v0.1.0      dist-image/from/: ambient-mesh.tar, charts/, version.json
 */
const OUT = resolve('dist-image/from');
const ref = process.argv[2];
if (ref === undefined || ref.startsWith('-')) {
  console.error('usage: npm run image:from -- REF, a tag or commit of this repository');
  process.exit(2);
}

const checkout = mkdtempSync(join(tmpdir(), 'ambient-from-'));
const git = (...args: readonly string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
try {
  const commit = git('rev-parse', '--verify', `${ref}^{commit}`);
  const tag = `ambient-mesh:from-${commit.slice(0, 12)}`;
  git('worktree', 'add', '--detach', '--force', checkout, commit);
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const out = join(OUT, 'ambient-mesh.tar');
  execFileSync('npm', ['run', '--silent', 'image', '--', '--tag', tag, '--out', out], {
    cwd: checkout,
    stdio: 'inherit',
  });
  cpSync(join(checkout, 'charts'), join(OUT, 'charts'), { recursive: true });
  writeFileSync(join(OUT, 'version.json'), `${JSON.stringify({ ref, commit, tag }, null, 2)}\n`);
  console.log(`${OUT}: ${ref} (${commit.slice(0, 12)})`);
} catch (error) {
  console.error(`image:from: ${errorMessage(error)}`);
  process.exitCode = 1;
} finally {
  git('worktree', 'remove', '--force', checkout);
}
