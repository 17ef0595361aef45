import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { backoffDelay } from './backoff.ts';
import { delay } from './clock.ts';
import { Readiness } from './readiness.ts';

test('readiness names what it waits for and announces itself once', t => {
  let announced = 0;
  const readiness = new Readiness(() => announced++);
  const state = readiness.register('state');
  const sockets = readiness.register('sockets');
  t.same(readiness.waitingFor, ['sockets', 'state']);
  state();
  state();
  t.notOk(readiness.ready);
  sockets();
  t.ok(readiness.ready);
  t.equal(announced, 1);
  t.end();
});

test('an aborted delay rejects and leaves no timer behind', async t => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const waiting = delay(clock, 1_000, controller.signal);
  controller.abort(new Error('stop'));
  await t.rejects(waiting, /stop/);
  t.equal(clock.pendingTimers, 0);
});

test('backoff doubles, is bounded, and stays within its jitter', t => {
  const options = { initialMs: 1_000, maxMs: 150_000, factor: 2, jitter: 0.2 };
  t.equal(backoffDelay(options, 0, 0.5), 1_000);
  t.equal(backoffDelay(options, 3, 0), 6_400);
  t.equal(backoffDelay(options, 3, 1), 9_600);
  t.equal(backoffDelay(options, 1_000, 1), 150_000);
  t.end();
});
