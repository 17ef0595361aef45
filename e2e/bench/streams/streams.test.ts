import { test } from 'tap';
import { streamRows } from './streams.ts';

const turn = (p99Ms: number): object => ({ answers: 100, p50Ms: 1, p99Ms });
const result = { connections: 1, slowBytes: 5, without: [turn(10), turn(10)], with: [turn(10.9), turn(11)] };

test('the others may notice a slow reader by a tenth', async t => {
  const [p99] = streamRows(JSON.stringify(result));
  t.match(p99, { name: 'p99 of the others', ours: 10.95, peer: 10, ok: true });
  const [worse] = streamRows(JSON.stringify({ ...result, with: [turn(11.1)] }));
  t.match(worse, { ok: false });
});

test('a run that shows nothing is no result', async t => {
  for (const [change, message] of [
    [{ connections: 20 }, /were on 20 connections/],
    [{ slowBytes: 0 }, /nothing was read slowly/],
    [{ with: [{ answers: 1 }] }, /without p99Ms/],
  ] as const)
    t.throws(() => streamRows(JSON.stringify({ ...result, ...change })), { message });
  t.throws(() => streamRows('killed'), /no result|JSON/);
});
