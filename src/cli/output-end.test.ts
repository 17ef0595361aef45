import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

interface Ended {
  readonly status: number | null;
  readonly err: string;
}

/** Runs a command whose output goes to `stdout`; `'closed'`: to a pipe that nobody reads. */
async function runMain(argv: readonly string[], stdout: number | 'closed'): Promise<Ended> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...argv], {
    stdio: ['ignore', stdout === 'closed' ? 'pipe' : stdout, 'pipe'],
  });
  child.stdout?.destroy();
  let err = '';
  child.stderr?.on('data', chunk => (err += String(chunk)));
  return new Promise(resolve => child.once('close', status => resolve({ status, err })));
}

test('a reader that has gone ends it quietly', async t => {
  t.same(await runMain(['completion', 'bash'], 'closed'), { status: 141, err: '' });
});

test('an output that cannot be written is one line', { skip: !existsSync('/dev/full') }, async t => {
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  const { status, err } = await runMain(['completion', 'bash'], full);
  t.equal(status, 1);
  t.match(err, /^ambientctl: standard output cannot be written: ENOSPC: no space left on device.*\n$/);
});
