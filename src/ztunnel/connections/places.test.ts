import { test } from 'tap';
import { Worker } from 'node:worker_threads';
import { Place } from './places.ts';
import { countMemory, SharedCount } from './shared-count.ts';

/** Places of several pods in several threads of one process. */
function setup({ threads = 2, perPod = 4, room = 1_000, sharesFairly = true } = {}) {
  const used = countMemory(threads, 1);
  const held = new Map<string, SharedArrayBuffer>();
  const memoryOf = (pod: string): SharedArrayBuffer => {
    const memory = held.get(pod) ?? countMemory(threads, 1);
    held.set(pod, memory);
    return memory;
  };
  const place = (pod: string, thread: number): Place =>
    new Place({
      held: new SharedCount(memoryOf(pod), threads, 0),
      used: new SharedCount(used, threads, 0),
      thread,
      bounds: { perPod, room, sharesFairly },
    });
  return {
    place,
    used: new SharedCount(used, threads, 0),
    count: (pod: string) => new SharedCount(memoryOf(pod), threads, 0),
  };
}

test('a pod has as many places as its bound, over all threads together', t => {
  const { place, count, used } = setup();
  const [a, b] = [place('p', 0), place('p', 1)];
  t.same([a.take(), a.take(), a.take(), b.take()], [undefined, undefined, undefined, undefined]);
  t.same([a.take(), b.take()], ['pod', 'pod']);
  t.same([count('p').total, used.total], [4, 4], 'what is refused holds nothing');
  b.give();
  t.equal(a.take(), undefined, 'a place that came back in one thread is free in the other');
  t.end();
});

test('a pod at its bound takes nothing from another one', t => {
  const { place } = setup();
  const [hog, other] = [place('hog', 0), place('other', 0)];
  for (let i = 0; i < 10; i++) hog.take();
  t.equal(other.take(), undefined);
  t.end();
});

test('no pod holds more than is left for all the others', t => {
  const { place, count } = setup({ perPod: 1_000, room: 12 });
  const takeAll = (pod: string): number => {
    const mine = place(pod, 0);
    while (mine.take() === undefined);
    return count(pod).total;
  };
  t.same(['a', 'b', 'c', 'd'].map(takeAll), [6, 3, 1, 1], 'half, then half of the rest, and so on');
  t.equal(place('a', 1).take(), 'node');
  t.end();
});

test('where the bound of a pod was set by hand it may have all that there is', t => {
  const { place, count } = setup({ perPod: 10, room: 12, sharesFairly: false });
  const takeAll = (pod: string): number => {
    const mine = place(pod, 0);
    while (mine.take() === undefined);
    return count(pod).total;
  };
  t.same(['a', 'b', 'c'].map(takeAll), [10, 2, 0]);
  t.end();
});

test('what is held without asking counts as well', t => {
  const { place, count } = setup();
  const mine = place('p', 0);
  for (let i = 0; i < 6; i++) mine.enter();
  t.equal(count('p').total, 6);
  t.equal(mine.take(), 'pod');
  t.end();
});

test('what a thread held that has ended is free again', t => {
  const { place, count, used } = setup();
  const [a, b] = [place('p', 0), place('p', 1)];
  a.take();
  a.take();
  b.take();
  for (const each of [count('p'), used]) each.forget(0);
  t.same([count('p').total, used.total], [1, 1]);
  t.end();
});

test('two threads that take and give at once never hold more than the bound, and nothing is left', async t => {
  const threads = 2;
  const [perPod, rounds] = [3, 20_000];
  const [held, used, most] = [countMemory(threads, 1), countMemory(threads, 1), new SharedArrayBuffer(8)];
  const program = `
    const { workerData: { held, used, most, thread, threads, perPod, rounds } } = require('node:worker_threads');
    Promise.all([import(${JSON.stringify(import.meta.resolve('./places.ts'))}), import(${JSON.stringify(import.meta.resolve('./shared-count.ts'))})])
      .then(([{ Place }, { SharedCount }]) => {
        const count = new SharedCount(held, threads, 0);
        const inside = new Int32Array(most);
        const place = new Place({ held: count, used: new SharedCount(used, threads, 0), thread, bounds: { perPod, room: 1000, sharesFairly: true } });
        for (let round = 0; round < rounds; round++) {
          let taken = 0;
          for (let i = 0; i < 3; i++) if (place.take() === undefined) {
            taken++;
            const now = Atomics.add(inside, 0, 1) + 1;
            if (now > Atomics.load(inside, 1)) Atomics.store(inside, 1, now);
          }
          for (; taken > 0; taken--) {
            Atomics.sub(inside, 0, 1);
            place.give();
          }
        }
      });`;
  const ends = [0, 1].map(
    thread =>
      new Promise<number>((resolve, reject) => {
        const worker = new Worker(program, {
          eval: true,
          workerData: { held, used, most, thread, threads, perPod, rounds },
        });
        worker.on('error', reject);
        worker.on('exit', resolve);
      }),
  );
  t.same(await Promise.all(ends), [0, 0]);
  const [inside, highest = 0] = new Int32Array(most);
  t.equal(inside, 0);
  t.ok(highest > 0 && highest <= perPod, `${highest} at most`);
  t.same([new SharedCount(held, threads, 0).total, new SharedCount(used, threads, 0).total], [0, 0]);
});
