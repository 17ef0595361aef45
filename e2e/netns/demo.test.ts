import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { test } from 'tap';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';

/** The README's first command, word for word but for the state directory: the whole scenario, and nothing left behind. */
const DEADLINE_MS = 600_000;

interface Run {
  readonly status: number | null;
  readonly lines: readonly string[];
}

function demo(stateDir: string): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', ['run', '--silent', 'demo', '--', '--once'], {
      env: { ...process.env, AMBIENT_STATE_DIR: stateDir },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.on('error', reject);
    child.on('close', status => resolve({ status, lines: output.trimEnd().split('\n') }));
  });
}

function namespaces(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns').sort() : [];
}

test('npm run demo -- --once', { skip: cannotMakeNetns(), timeout: DEADLINE_MS }, async t => {
  const stateDir = `/dev/shm/am-demo-${process.pid}`;
  t.teardown(() => rmSync(stateDir, { recursive: true, force: true }));
  const before = namespaces();
  const { status, lines } = await demo(stateDir);
  for (const line of lines) {
    if (/^(ok|FAIL)\s/.test(line)) t.ok(line.startsWith('ok'), line);
  }
  t.match(lines.at(-1), /^\d+ passed, 0 failed$/, 'no check failed and none was skipped');
  t.equal(status, 0);
  t.notOk(existsSync(stateDir), 'the state directory is gone');
  t.same(namespaces(), before, 'no network namespace is left behind');
});
