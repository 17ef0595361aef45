import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';
import { isRunning, newInstance } from '../instance.ts';
import { parseListening } from '#shared/native/proc-net-tcp.ts';
import { limitLog, MeshProcess, waitUntil } from './mesh-process.ts';
import { execProgram, spawnProgram } from './pod-exec.ts';
import { Program } from './program.ts';

const skip = cannotMakeNetns();
/** A bound for what never comes. */
const LONG_MS = 60_000;

function options(t: Test, argv: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'process-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const logPath = join(directory, 'log');
  return {
    name: 'it',
    argv,
    env: {},
    cwd: directory,
    netnsFd: undefined,
    hostsPath: undefined,
    logPath,
    clock: systemClock,
  };
}

test('a process, its end and its last words', async t => {
  const given = options(t, ['sh', '-c', 'echo one; echo two >&2; exit 3']);
  const process = new MeshProcess(given);
  t.equal(await process.ended, 'exit status 3');
  t.equal(process.tail(), 'one\ntwo');
  const missing = new MeshProcess({ ...given, argv: ['no-such-program'] });
  t.match(await missing.ended, /exit status 127/);
  t.match(missing.tail(), /no-such-program/);
});

test('a log that has grown too long is emptied, and goes on', async t => {
  const given = options(t, ['sh', '-c', 'echo 0123456789; until [ -e go ]; do sleep 0.01; done; echo after']);
  const process = new MeshProcess(given);
  await waitUntil(
    systemClock,
    LONG_MS,
    () => process.tail() === '0123456789',
    () => process.tail(),
  );
  limitLog(given.logPath, 11);
  t.equal(process.tail(), '0123456789');
  limitLog(given.logPath, 10);
  writeFileSync(join(given.cwd, 'go'), '');
  await process.ended;
  t.equal(process.tail(), '(11 bytes of log dropped)\nafter');
});

test('a process that ignores SIGTERM is killed, with what it started', async t => {
  const given = options(t, ['sh', '-c', 'trap "" TERM; sleep 100 & echo $!; wait; sleep 100']);
  const process = new MeshProcess(given);
  await waitUntil(
    systemClock,
    LONG_MS,
    () => readFileSync(given.logPath, 'utf8') !== '',
    () => 'it says nothing',
  );
  await process.stop('SIGTERM', 50);
  t.equal(process.end, 'signal SIGKILL');
  const child = Number(readFileSync(given.logPath, 'utf8'));
  await waitUntil(
    systemClock,
    LONG_MS,
    () => !alive(child),
    () => `process ${child} is still there`,
  );
});

test('a program restarts when it ends by itself, and stays down when killed', async t => {
  const given = options(t, ['sh', '-c', 'echo run; sleep 0.05; exit 1']);
  let prepared = 0;
  const program = new Program(given, async () => {
    if (prepared++ === 0) throw new Error('not yet');
  });
  program.start();
  await waitUntil(
    systemClock,
    LONG_MS,
    () => program.describe().includes('not yet'),
    () => program.describe(),
  );
  const runs = (): number =>
    (program.pid === undefined ? 0 : 1) && readFileSync(given.logPath, 'utf8').split('run').length - 1;
  await waitUntil(
    systemClock,
    LONG_MS,
    () => runs() >= 2,
    () => program.describe(),
  );
  await program.kill('SIGKILL', 1_000);
  t.equal(program.pid, undefined);
  t.match(program.describe(), /it: (exit status 1|signal SIGKILL); its log .* ends with:\nrun/);
});

test('commands in pods', async t => {
  const given = options(t, []);
  const done = await execProgram({ ...given, argv: ['sh', '-c', 'echo out; echo err >&2; exit 4'] }, LONG_MS);
  t.same(done, { status: 4, stdout: 'out\n', stderr: 'err\n' });
  const clock = new FakeClock();
  const long = { ...given, clock, argv: ['sh', '-c', 'echo started; echo > said; sleep 100'] };
  const tooLong = t.rejects(execProgram(long, 200), {
    message: /not done within 0.2 s; it had printed: started/,
  });
  while (!existsSync(join(given.cwd, 'said'))) await turn();
  // What it has said is in the pipe now, and read in the next turn of the loop.
  await turn();
  await turn();
  clock.advance(200);
  await tooLong;
  const running = spawnProgram({ ...given, argv: ['sh', '-c', 'echo a; echo b; sleep 100'] });
  t.equal(await running.line(line => line === 'b', LONG_MS), 'b');
  t.equal(await running.line(line => line === 'a', LONG_MS), 'a', 'a line of the past');
  await t.rejects(
    running.line(() => false, 50),
    { message: /no such line within 0.05 s.*a \| b/ },
  );
  await running.stop();
  await t.rejects(
    running.line(() => false, 50),
    { message: /ended \(SIGTERM\)/ },
  );
});

test('a hosts file of its own', { skip }, async t => {
  const given = options(t, []);
  const { stdout } = await execProgram(
    { ...given, argv: ['cat', '/etc/hosts'], hostsPath: '/etc/hostname' },
    LONG_MS,
  );
  t.equal(stdout, readFileSync('/etc/hostname', 'utf8'));
  t.not(readFileSync('/etc/hosts', 'utf8'), stdout, 'and nobody else sees it');
});

test('listening ports', async t => {
  const table = `  sl  local_address rem_address   st
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 0200000A:0050 0100000A:C000 01 00000000:00000000
`;
  t.same(parseListening(table, undefined), [8080], 'only what listens');
  t.same(parseListening(table, '127.0.0.1'), [8080]);
  t.same(parseListening(table, '127.0.0.2'), [], 'only on that address');
});

test('an instance is recognised by its start, not by its number alone', async t => {
  const instance = newInstance('root');
  t.ok(isRunning(instance));
  t.notOk(isRunning({ ...instance, startTicks: '1' }));
  t.notOk(isRunning({ ...instance, pid: 2 ** 22 + 1 }));
});

function alive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
