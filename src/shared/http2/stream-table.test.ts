import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { type StreamOwner, StreamState } from './stream-state.ts';
import { StreamTable } from './stream-table.ts';

const OWNER: StreamOwner = {
  sendHeaders: () => undefined,
  sendData: () => true,
  sendTrailers: () => undefined,
  resetStream: () => undefined,
  consume: () => undefined,
};
const HANDLER = {
  onHeaders: () => undefined,
  onData: () => undefined,
  onEnd: () => undefined,
  onReset: () => undefined,
  onDrain: () => undefined,
};
const stream = (id: number): StreamState => new StreamState(id, OWNER, HANDLER, 0, 0, true);

test('fuzz: a table of streams knows what a Map knows', t => {
  // Ids near each other, and ids that share a place in tables of any size.
  const id = fc.oneof(
    fc.nat({ max: 60 }),
    fc.nat({ max: 40 }).map(n => n * 1024 + 1),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(id, fc.boolean()), { maxLength: 300 }), steps => {
      const table = new StreamTable();
      const model = new Map<number, StreamState>();
      for (const [at, isAdded] of steps) {
        if (!isAdded) {
          table.delete(at);
          model.delete(at);
        } else if (!model.has(at)) {
          const added = stream(at);
          table.add(added);
          model.set(at, added);
        }
        if (table.size !== model.size || steps.some(([any]) => table.get(any) !== model.get(any)))
          return false;
      }
      return table.streams().length === model.size && table.streams().every(one => model.get(one.id) === one);
    }),
    fuzzRun(1),
  );
  t.end();
});

test('streams that come and go in order leave the table as it was', t => {
  const table = new StreamTable();
  for (let id = 1; id < 100_000; id += 2) {
    table.add(stream(id));
    table.delete(id - 20);
  }
  t.equal(table.size, 10);
  t.same(
    table
      .streams()
      .map(one => one.id)
      .sort((a, b) => a - b),
    Array.from({ length: 10 }, (_, i) => 99_981 + 2 * i),
  );
  t.end();
});
