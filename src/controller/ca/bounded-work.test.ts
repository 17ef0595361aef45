import { test } from 'tap';
import { BoundedWork } from './bounded-work.ts';

test('so much is under way, so much waits in order, and what is more is refused', async t => {
  const work = new BoundedWork({ what: 'reviews', mostUnderWay: 2, mostWaiting: 2 });
  const begun: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const start = (n: number): Promise<number> =>
    work.run(() => {
      begun.push(n);
      return new Promise((resolve, reject) => {
        ends[n] = error => (error === undefined ? resolve(n) : reject(error));
      });
    });
  const all = [0, 1, 2, 3].map(start);
  t.same(begun, [0, 1]);
  await t.rejects(start(4), { name: 'TooMuchWorkError', message: /more than 2 reviews are waited for/ });
  ends[1]?.();
  t.equal(await all[1], 1);
  t.same(begun, [0, 1, 2], 'the next in order');
  ends[0]?.(new Error('broken'));
  await t.rejects(() => all[0]?.then(() => undefined) ?? Promise.resolve(), /broken/);
  t.same(begun, [0, 1, 2, 3], 'after one that failed too');
  for (const n of [2, 3]) ends[n]?.();
  t.same(await Promise.all(all.slice(2)), [2, 3]);
  const again = [5, 6, 7].map(start);
  t.same(begun.slice(4), [5, 6], 'every place has come back, and no more');
  ends[5]?.();
  await again[0];
  for (const n of [6, 7]) ends[n]?.();
  await Promise.all(again);
});
