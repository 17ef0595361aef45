import { test } from 'tap';
import { ChunkPool } from './chunk-pool.ts';

interface Chunk {
  readonly bytes: number;
}

function pool(): ChunkPool<Chunk> {
  return new ChunkPool<Chunk>(
    [
      { bytes: 10, maxFree: 2 },
      { bytes: 100, maxFree: 1 },
      { bytes: 1_000, maxFree: 1 },
    ],
    bytes => ({ bytes }),
  );
}

test('the smallest that holds as much, the largest when none does', t => {
  const sizes = [0, 1, 10, 11, 100, 101, 1_000, 1_001].map(bytes => pool().take(bytes).bytes);
  t.strictSame(sizes, [10, 10, 10, 100, 100, 1_000, 1_000, 1_000]);
  t.end();
});

test('what was given back is lent again; beyond the bound it is garbage', t => {
  const chunks = pool();
  const [first, second, third] = [chunks.take(1), chunks.take(1), chunks.take(1)];
  const middle = chunks.take(50);
  t.equal(chunks.freeBytes, 0);
  for (const chunk of [first, second, third, middle]) chunks.give(chunk, chunk.bytes);
  t.equal(chunks.freeBytes, 2 * 10 + 100, 'two of the smallest, not three');
  t.equal(chunks.take(50), middle);
  const again = [chunks.take(5), chunks.take(5), chunks.take(5)];
  t.ok(again.includes(first) && again.includes(second));
  t.notOk(again.includes(third));
  t.equal(chunks.freeBytes, 0);
  t.end();
});
