import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { WorkQueue, type WorkQueueOptions } from './work-queue.ts';

/** A queue whose work ends when the test says so. */
class Lab {
  readonly clock = new FakeClock();
  readonly queue: WorkQueue;
  readonly begun: string[] = [];
  readonly failures: (readonly [string, number])[] = [];
  readonly #ends = new Map<string, (error?: Error) => void>();

  constructor(options: Partial<WorkQueueOptions> = {}) {
    this.queue = new WorkQueue({
      clock: this.clock,
      random: () => 0.5,
      process: key =>
        new Promise((resolve, reject) => {
          this.begun.push(key);
          this.#ends.set(key, error => (error === undefined ? resolve() : reject(error)));
        }),
      onFailure: (key, _error, waitMs) => this.failures.push([key, waitMs]),
      concurrency: 2,
      perSecond: 1000,
      burst: 1000,
      ...options,
    });
    this.queue.start();
  }

  add(...keys: readonly string[]): void {
    for (const key of keys) this.queue.add(key);
  }

  async end(key: string, error?: Error): Promise<void> {
    this.#ends.get(key)?.(error);
    // Two turns: the promise of the work, and what waits for it.
    for (let i = 0; i < 4; i++) await Promise.resolve();
  }
}

test('a key asked for several times before its turn is worked on once', async t => {
  const lab = new Lab({ concurrency: 1 });
  lab.add('a', 'b', 'b', 'b');
  await lab.end('a');
  await lab.end('b');
  t.same(lab.begun, ['a', 'b']);
  t.equal(lab.queue.size, 0);
});

test('a key is never in work twice at the same time, and is worked on again when asked for meanwhile', async t => {
  const lab = new Lab();
  lab.add('a', 'a', 'a');
  t.same(lab.begun, ['a']);
  await lab.end('a');
  t.same(lab.begun, ['a', 'a']);
  await lab.end('a');
  t.same(lab.begun, ['a', 'a']);
});

test('no more keys are in work than allowed', async t => {
  const lab = new Lab({ concurrency: 2 });
  lab.add('a', 'b', 'c');
  t.same(lab.begun, ['a', 'b']);
  await lab.end('b');
  t.same(lab.begun, ['a', 'b', 'c']);
});

test('what fails is tried again later and later, and at once when it is asked for', async t => {
  const lab = new Lab();
  lab.add('a');
  await lab.end('a', new Error('no'));
  t.same(lab.failures, [['a', 250]]);
  lab.clock.advance(249);
  t.equal(lab.begun.length, 1);
  lab.clock.advance(1);
  t.equal(lab.begun.length, 2);
  await lab.end('a', new Error('no'));
  t.same(lab.failures.at(-1), ['a', 500]);
  lab.add('a');
  t.equal(lab.begun.length, 3, 'something changed: no reason to wait');
  await lab.end('a');
  lab.clock.advance(60_000);
  t.equal(lab.begun.length, 3, 'the retry that was due is not made as well');
});

test('starts are limited to a rate after a burst', async t => {
  const lab = new Lab({ concurrency: 10, perSecond: 10, burst: 2 });
  lab.add('a', 'b', 'c', 'd');
  t.same(lab.begun, ['a', 'b']);
  lab.clock.advance(100);
  t.same(lab.begun, ['a', 'b', 'c']);
  lab.clock.advance(100);
  t.same(lab.begun, ['a', 'b', 'c', 'd']);
});

test('nothing begins while it is paused; what waits is kept', async t => {
  const lab = new Lab();
  lab.queue.pause();
  lab.add('a');
  t.same(lab.begun, []);
  lab.queue.start();
  t.same(lab.begun, ['a']);
});

test('stop waits for what is in work and begins nothing more', async t => {
  const lab = new Lab({ concurrency: 1 });
  lab.add('a', 'b');
  let stopped = false;
  const stopping = lab.queue.stop().then(() => (stopped = true));
  await Promise.resolve();
  t.equal(stopped, false);
  await lab.end('a', new Error('cut short'));
  await stopping;
  t.same(lab.begun, ['a']);
  t.same(lab.failures, [], 'nobody is told of a failure nobody waits for');
  lab.add('c');
  t.same(lab.begun, ['a']);
});
