import { test } from 'tap';
import { TurnList } from './turn-list.ts';

test('what is gathered is handed over once, in order; what comes meanwhile waits', t => {
  const list = new TurnList<string>();
  const seen: string[] = [];
  const runOnce = (): readonly string[] => {
    seen.length = 0;
    list.run(item => {
      seen.push(item);
      if (item === 'again') list.add('later');
    });
    return [...seen];
  };
  t.same(runOnce(), [], 'nothing at first');
  t.equal(list.add('again'), 1);
  t.equal(list.add('b'), 2);
  t.same(runOnce(), ['again', 'b']);
  t.equal(list.size, 1);
  t.same(runOnce(), ['later']);
  t.same([list.size, runOnce()], [0, []]);
  t.end();
});

test('a list may be run within its own run', t => {
  const list = new TurnList<number>();
  const seen: number[] = [];
  const each = (item: number): void => {
    seen.push(item);
    if (item > 3) return;
    list.add(item * 10);
    list.run(each);
  };
  for (const item of [1, 2, 3]) list.add(item);
  list.run(each);
  t.same(seen, [1, 10, 2, 20, 3, 30]);
  list.add(4);
  list.run(each);
  t.same(seen.slice(6), [4], 'and goes on as before');
  t.end();
});

test('one that throws takes those behind it along, and nothing of them comes back', t => {
  const list = new TurnList<number>();
  for (const item of [1, 2, 3]) list.add(item);
  const seen: number[] = [];
  const each = (item: number): void => {
    seen.push(item);
    if (item === 2) throw new Error('fault');
  };
  t.throws(() => list.run(each), /fault/);
  list.run(each);
  list.add(4);
  list.run(each);
  t.same(seen, [1, 2, 4]);
  t.end();
});

test('a turn of many, and what follows it', t => {
  const list = new TurnList<number>();
  for (let i = 0; i < 5000; i++) list.add(i);
  let sum = 0;
  list.run(item => void (sum += item));
  t.equal(sum, (5000 * 4999) / 2);
  for (const item of [1, 2]) list.add(item);
  const seen: number[] = [];
  list.run(item => seen.push(item));
  t.same(seen, [1, 2]);
  t.end();
});
