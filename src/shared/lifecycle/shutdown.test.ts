import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { quietLogger } from '../testing/quiet-logger.ts';
import { ShutdownSignals } from './shutdown.ts';

function setUp() {
  const clock = new FakeClock();
  const signals = new EventEmitter();
  const codes: number[] = [];
  const shutdown = new ShutdownSignals({ clock, signals, exit: code => codes.push(code) });
  return { clock, codes, shutdown, send: (signal = 'SIGTERM') => signals.emit(signal) };
}

test('a signal stops what runs, and the process ends well after it', async t => {
  const { codes, send, shutdown } = setUp();
  const stopped = Promise.withResolvers<void>();
  shutdown.stopWith(quietLogger, () => stopped.promise);
  send();
  await nextTurn();
  t.strictSame(codes, []);
  stopped.resolve();
  await nextTurn();
  t.strictSame(codes, [0]);
});

test('a signal during the start is acted on when the start has ended: nothing that is open is cut', async t => {
  const { clock, codes, send, shutdown } = setUp();
  let stops = 0;
  send('SIGINT');
  t.strictSame(codes, []);
  shutdown.stopWith(quietLogger, () => {
    stops++;
    return Promise.resolve();
  });
  await nextTurn();
  t.equal(stops, 1);
  t.strictSame(codes, [0]);
  clock.advance(60_000);
  t.strictSame(codes, [0], 'the grace of the start no longer counts');
});

test('a start that waits for ever is given up 5 s after the signal', t => {
  const { clock, codes, send } = setUp();
  send();
  clock.advance(4_999);
  t.strictSame(codes, []);
  clock.advance(1);
  t.strictSame(codes, [1]);
  t.end();
});

test('a second signal ends the process at once', t => {
  const { codes, send, shutdown } = setUp();
  shutdown.stopWith(quietLogger, () => new Promise(() => {}));
  send();
  send('SIGINT');
  t.strictSame(codes, [1]);
  t.end();
});

test('a shutdown that fails ends the process with 1', async t => {
  const { codes, send, shutdown } = setUp();
  shutdown.stopWith(quietLogger, () => Promise.reject(new Error('no')));
  send();
  await nextTurn();
  t.strictSame(codes, [1]);
});
