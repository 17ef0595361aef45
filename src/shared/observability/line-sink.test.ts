import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { LineSink } from './line-sink.ts';

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
