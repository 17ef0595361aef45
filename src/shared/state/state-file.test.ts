import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { StandingFaults } from '../lifecycle/standing-faults.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { loggerInto } from '../testing/logger-into.ts';
import { StateFile, type StateFileOptions } from './state-file.ts';

function setUp(t: Test, replace?: StateFileOptions['replace']) {
  const directory = join(t.testdir({}), 'state');
  const clock = new FakeClock();
  const faults = new StandingFaults();
  const seen = { failures: 0, lines: [] as string[] };
  const file = new StateFile({
    path: join(directory, 'pods.json'),
    holds: 'pods',
    clock,
    random: () => 0.5,
    logger: loggerInto(seen.lines),
    faults,
    onFailure: () => void seen.failures++,
    ...(replace && { replace }),
  });
  return { directory, file, clock, faults, seen };
}

/** A disk that is full while it is told so. */
function disk() {
  const it = { isFull: true, written: [] as string[] };
  const replace = async (_path: string, content: Buffer | string): Promise<void> => {
    await Promise.resolve();
    if (it.isFull) throw new Error('ENOSPC: no space left on device, write');
    it.written.push(content.toString());
  };
  return { it, replace };
}

/** Until every promise that can go on has. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve));
}

test('changes are written together, the last of them, and nobody else may read it', async t => {
  const { clock, directory, file, seen } = setUp(t);
  file.schedule(() => 'first', 100);
  file.schedule(() => 'second', 100);
  clock.advance(99);
  t.throws(() => readdirSync(directory), { code: 'ENOENT' });
  clock.advance(1);
  await file.flush();
  t.same(readdirSync(directory), ['pods.json']);
  t.equal(readFileSync(file.path, 'utf8'), 'second');
  t.equal(statSync(file.path).mode & 0o777, 0o600);
  t.equal(statSync(directory).mode & 0o777, 0o700);
  t.same(seen, { failures: 0, lines: [] });
  t.equal(clock.pendingTimers, 0);
});

test('there may be nothing to write yet', async t => {
  const { directory, file } = setUp(t);
  await file.flush();
  file.schedule(() => undefined, 0);
  await file.flush();
  t.throws(() => readdirSync(directory), { code: 'ENOENT' });
});

test('a full disk: one line, a warning, counts, and tries further and further apart, whatever changes', async t => {
  const { it, replace } = disk();
  const { clock, faults, file, seen } = setUp(t, replace);
  file.schedule(() => 'content', 0);
  await file.flush();
  const waits: number[] = [];
  for (let tries = 1; tries <= 8; tries++) {
    const before = clock.monotonic();
    while (seen.failures === tries) {
      file.schedule(() => `later than ${before}`, 0);
      clock.advance(1_000);
      await settle();
    }
    waits.push((clock.monotonic() - before) / 1_000);
  }
  t.same(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
  t.match(seen.lines, [
    /\terror\ttest\tstate not written, trying again; .*\tpath=".*pods.json" holds="pods" reason="ENOSPC: /,
  ]);
  t.match(faults.sentences, [/^state not kept: .*pods.json \(pods\) cannot be written: ENOSPC: /]);
  it.isFull = false;
  clock.advance(60_000);
  await settle();
  t.same(it.written, ['later than 123000'], 'without a change, what was said last');
  t.match(seen.lines.slice(1), [/\tinfo\ttest\tstate written again\t.* failedForMs=243000$/]);
  t.same(faults.sentences, []);
  t.equal(clock.pendingTimers, 0);
});

test('what is half written when it fails does not stay', async t => {
  const { directory, file, seen } = setUp(t);
  // No file can take the place of a directory.
  mkdirSync(join(directory, 'pods.json'), { recursive: true });
  file.schedule(() => 'content', 0);
  await file.close();
  t.same(readdirSync(directory), ['pods.json']);
  t.match(seen.lines, [/reason="EISDIR/]);
});

test('the end tries once, and begins nothing afterwards', async t => {
  const { replace } = disk();
  const { clock, file, seen } = setUp(t, replace);
  file.schedule(() => 'content', 0);
  await file.close();
  t.equal(seen.failures, 1);
  t.equal(clock.pendingTimers, 0);
});

test('a disk that does not answer is told of as one that fails, and the end does not wait for it', async t => {
  const answer = Promise.withResolvers<void>();
  const { clock, faults, file, seen } = setUp(t, () => answer.promise);
  file.schedule(() => 'content', 0);
  void file.flush();
  await settle();
  clock.advance(30_000);
  t.equal(seen.failures, 1);
  t.match(faults.sentences, [/the disk has not answered for 30 s/]);
  const closed = file.close();
  clock.advance(2_000);
  await closed;
  answer.resolve();
  await settle();
  t.same(faults.sentences, [], 'and it is well when it has answered after all');
  t.equal(clock.pendingTimers, 0);
});
