import { test } from 'tap';
import { Cancellation, type CancelSignal } from './cancellation.ts';

test('the listener is told once, and not after it was removed', t => {
  const cancellation = new Cancellation();
  let told = 0;
  const listener = (): void => void told++;
  const other = (): void => {};
  cancellation.addEventListener('abort', listener);
  t.notOk(cancellation.aborted);
  cancellation.cancel();
  cancellation.cancel();
  t.ok(cancellation.aborted);
  t.equal(told, 1);

  const removed = new Cancellation();
  removed.addEventListener('abort', listener);
  removed.removeEventListener('abort', other);
  removed.removeEventListener('abort', listener);
  removed.cancel();
  t.equal(told, 1);
  t.end();
});

test('a second listener is an error, since it would not be told', t => {
  const cancellation = new Cancellation();
  cancellation.addEventListener('abort', () => {});
  t.throws(() => cancellation.addEventListener('abort', () => {}), { message: /one listener/ });
  t.end();
});

test("the runtime's signals will do as well", t => {
  const signals: CancelSignal[] = [AbortSignal.abort(), new AbortController().signal];
  t.same(
    signals.map(s => s.aborted),
    [true, false],
  );
  t.end();
});
