import { test } from 'tap';
import { CHUNK_BYTES, newOutputChunks, OutputQueue, SMALL_CHUNK_BYTES } from './output-queue.ts';

test('slices come out in order, gathered, and chunks go back to the pool', async t => {
  const pool = newOutputChunks();
  const queue = new OutputQueue(pool);
  queue.append(Buffer.from('ab'));
  queue.append(Buffer.from('cd'));
  const large = Buffer.alloc(CHUNK_BYTES, 'L');
  queue.appendOwned(large);
  queue.append(Buffer.from('e'));
  queue.append(Buffer.alloc(CHUNK_BYTES, 'f'));
  t.equal(queue.bytes, 5 + 2 * CHUNK_BYTES);
  const segments: Buffer[] = [];
  const chunks: Buffer[] = [];
  t.equal(queue.drainInto(segments, chunks), 5 + 2 * CHUNK_BYTES);
  t.equal(Buffer.concat(segments).toString(), `abcd${large.toString()}e${'f'.repeat(CHUNK_BYTES)}`);
  t.equal(segments[1]?.buffer, large.buffer, 'a large owned slice is not copied');
  t.equal(chunks.length, 2);
  const [first] = chunks;
  t.equal(queue.bytes, 0);
  queue.release(chunks);
  queue.append(Buffer.from('x'));
  queue.append(Buffer.alloc(CHUNK_BYTES));
  queue.clear();
  t.equal(queue.bytes, 0);
  const taken = [pool.take(SMALL_CHUNK_BYTES), pool.take(CHUNK_BYTES)];
  t.ok(first !== undefined && taken.includes(first), 'pooled memory is used again');
  t.not(taken[0], taken[1]);
});

test('a frame with its header is one piece, and so is what gathers while the socket is busy', async t => {
  const queue = new OutputQueue(newOutputChunks());
  const chunks: Buffer[] = [];
  const frame = (): Buffer[] => {
    const segments: Buffer[] = [];
    queue.append(Buffer.from('head'));
    queue.append(Buffer.alloc(64 * 1024, 'f'));
    return segments;
  };
  const first = frame();
  queue.drainInto(first, chunks);
  t.equal(first.length, 1);
  t.equal(first[0]?.toString(), `head${'f'.repeat(64 * 1024)}`);
  const second = frame();
  frame();
  frame();
  queue.drainInto(second, []);
  t.equal(second.length, 1);
  t.equal(second[0]?.length, 3 * (64 * 1024 + 4));
});
