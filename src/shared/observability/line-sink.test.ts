import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, createReadStream, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { parseJson } from '../config/json.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { LineSink, type LineSinkOptions } from './line-sink.ts';
import { createSinkLogger, LogLevels } from './logger.ts';

const LINE = 'é'.repeat(500);

/** A pipe that nobody reads until it is asked to: what does not fit would block. */
function openPipe(directory: string): { fd: number; readAll: () => string } {
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const chunk = Buffer.alloc(1 << 20);
  const readAll = (): string => {
    const chunks: Buffer[] = [];
    for (;;) {
      try {
        chunks.push(Buffer.from(chunk.subarray(0, readSync(fd, chunk))));
      } catch {
        return Buffer.concat(chunks).toString('latin1');
      }
    }
  };
  return { fd, readAll };
}

function drain(sink: LineSink, readAll: () => string): string[] {
  let text = '';
  for (let more = readAll(); more !== ''; more = readAll()) {
    text += more;
    sink.flush();
  }
  return Buffer.from(text, 'latin1').toString('utf8').split('\n').slice(0, -1);
}

test('lines keep their order over an output that is blocked for a while, text and bytes alike', t => {
  const { fd, readAll } = openPipe(t.testdir({}));
  t.teardown(() => closeSync(fd));
  const sink = new LineSink(fd);
  const expected = Array.from({ length: 1_000 }, (_, i) => `${i} ${LINE}`);
  for (const [i, line] of expected.entries()) {
    const bytes = Buffer.from(`${line}, and what is not of it`);
    if (i % 2 === 0) sink.writeLine(line);
    else sink.writeBytes(bytes, Buffer.byteLength(line));
  }
  sink.flush();
  t.same(drain(sink, readAll), expected);
  t.end();
});

test('lines of the access log wait for others, by the clock; what else is said takes them along', t => {
  const { fd, readAll } = openPipe(t.testdir({}));
  t.teardown(() => closeSync(fd));
  const clock = new FakeClock();
  const sink = new LineSink(fd);
  sink.gatherWith(clock);
  const request = (text: string): void => sink.writeBytes(Buffer.from(text), text.length);
  request('one');
  clock.advance(30);
  request('two');
  t.equal(readAll(), '', 'nothing is written at once');
  clock.advance(20);
  t.equal(readAll(), 'one\ntwo\n', '50 ms after the first');
  request('three');
  clock.advance(50);
  t.equal(readAll(), 'three\n', 'and again');
  request('four');
  sink.flush();
  t.equal(readAll(), 'four\n', 'or when it is asked for');
  for (let i = 0; i < 100; i++) request('x'.repeat(1_000));
  t.ok(readAll().length >= 64 * 1024, 'or when it is much');
  t.end();
});

test('what is held is bounded: lines that do not fit are dropped, counted, and told of', t => {
  const { fd, readAll } = openPipe(t.testdir({}));
  t.teardown(() => closeSync(fd));
  const sink = new LineSink(fd);
  const written = 6_000;
  for (let i = 0; i < written; i++) sink.writeLine(`${i} ${LINE}`);
  const lines = drain(sink, readAll);
  const told = lines.filter(line => line.startsWith('log output was blocked'));
  const dropped = told.reduce((sum, line) => sum + Number(/(\d+) lines/.exec(line)?.[1]), 0);
  t.ok(dropped > 0);
  t.equal(lines.length - told.length + dropped, written);
  t.equal(sink.droppedTotal, dropped, 'and still known when it has been told');
  t.end();
});

/** Until everything that was left to a later turn has run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve));
}

test('an output that nobody reads is tried rarely, not in every turn, and at once again when it is read', async t => {
  const { fd, readAll } = openPipe(t.testdir({}));
  t.teardown(() => closeSync(fd));
  const clock = new FakeClock();
  let tries = 0;
  const write: LineSinkOptions['write'] = (...args) => {
    tries++;
    return writeSync(...args);
  };
  const sink = new LineSink(fd, { clock, write });
  const written = 200;
  for (let i = 0; i < written; i++) sink.writeLine(`${i} ${LINE}`);
  await settle();
  tries = 0;
  sink.writeLine('later');
  await settle();
  t.equal(tries, 0, 'neither a turn nor a line tries again');
  for (let ms = 0; ms < 10_000; ms++) {
    clock.advance(1);
    await Promise.resolve();
  }
  t.ok(tries > 90 && tries < 120, `ten times a second (${tries} times in ten seconds)`);
  let all = '';
  for (let i = 0; i < 500; i++) {
    all += readAll();
    clock.advance(1);
  }
  t.equal(
    Buffer.from(all, 'latin1').toString().split('\n').length,
    written + 2,
    'every line came, in half a second',
  );
  t.equal(clock.pendingTimers, 0);
});

/** A disk that is full until it is told otherwise, and takes `room` bytes before it says so. */
function fillingDisk() {
  const disk = { text: '', isFull: false, room: 0 };
  const write = (_fd: number, bytes: Uint8Array, offset: number, length: number): number => {
    if (disk.isFull && disk.room === 0)
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const taken = disk.isFull ? Math.min(length, disk.room) : length;
    if (disk.isFull) disk.room -= taken;
    disk.text += Buffer.from(bytes.subarray(offset, offset + taken)).toString();
    return taken;
  };
  return { disk, write };
}

test('an output that fails loses its lines, each counted, and a line tells of it once it takes lines again', t => {
  const { disk, write } = fillingDisk();
  const sink = new LineSink(1, { clock: new FakeClock(), write });
  const say = (line: string): void => {
    sink.writeLine(line);
    sink.flush();
  };
  say('before');
  Object.assign(disk, { isFull: true, room: 3 });
  say('a part of this line is written');
  say('lost');
  sink.writeLine('lost');
  say('lost');
  t.equal(sink.droppedTotal, 4);
  disk.isFull = false;
  say('after');
  sink.flush();
  t.same(disk.text.split('\n'), [
    'before',
    'a p',
    'after',
    'log output failed (ENOSPC: no space left on device, write): 4 lines dropped',
    '',
  ]);
  t.end();
});

test('a log has its own format for what was lost', t => {
  const { disk, write } = fillingDisk();
  const writer = new LineSink(1, { clock: new FakeClock(), write });
  const log = createSinkLogger({ scope: 's', levels: new LogLevels(), format: 'json', writer, now: () => 0 });
  disk.isFull = true;
  log.info('lost');
  writer.flush();
  disk.isFull = false;
  log.info('after');
  writer.flush();
  writer.flush();
  t.match(disk.text.trim().split('\n').map(parseJson), [
    { message: 'after' },
    { level: 'warn', message: 'lines of the log were dropped', lines: 1, reason: /failed \(ENOSPC/ },
  ]);
  t.end();
});

test('a full device is no reason to stop', t => {
  const fd = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(fd));
  const sink = new LineSink(fd);
  for (let i = 0; i < 1_000; i++) sink.writeLine(LINE);
  sink.flush();
  t.equal(sink.droppedTotal, 1_000);
  t.end();
});

/** A process that writes a megabyte to its output and says on the other one when it has; `body` may use `sink`. */
function program(stdout: number, body: string): ChildProcess {
  const source = `
    import { writeSync } from 'node:fs';
    import { LineSink } from ${JSON.stringify(new URL('./line-sink.ts', import.meta.url).href)};
    const sink = LineSink.stdout();
    for (let i = 0; i < 1_000; i++) sink.writeLine('x'.repeat(1_000));
    sink.flush();
    writeSync(2, 'written');
    ${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', stdout, 'pipe'],
  });
}

/** As container runtimes and shells make them: a write waits for who reads. */
function blockingPipe(directory: string): { fd: number; path: string } {
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  return { fd: openSync(path, constants.O_RDWR), path };
}

test('a pipe that blocks and that nobody reads holds up no thread, nor the end of the process', async t => {
  const { fd } = blockingPipe(t.testdir({}));
  t.teardown(() => closeSync(fd));
  const child = program(fd, `setTimeout(() => writeSync(2, ', and goes on'), 1);`);
  const exited = once(child, 'exit');
  t.equal(child.stderr && (await text(child.stderr)), 'written, and goes on');
  t.same(await exited, [0, null]);
});

test('a process that ends waits for a reader that is behind', async t => {
  const { fd, path } = blockingPipe(t.testdir({}));
  const child = program(fd, 'process.exit(0);');
  closeSync(fd);
  const lines = await text(createReadStream(path));
  t.equal(lines.length, 1_001_000);
  t.equal(child.exitCode ?? (await once(child, 'exit'))[0], 0);
});
