import fc from 'fast-check';
import { test } from 'tap';
import { NativeMemory } from '../../native/native-memory.ts';
import { CHUNK_SIZES, newOutputChunks, OutputBuffer } from './output-buffer.ts';

/** Takes what a socket would: up to `most` bytes of the piece that is next. */
function send(output: OutputBuffer, most: number): Buffer {
  const count = Math.min(most, output.length);
  const copy = new NativeMemory(count);
  copy.copyFrom(output.address, 0, count);
  const sent = copy.bytes;
  output.consume(count);
  return sent;
}

test('a frame header and its payload are one piece', t => {
  const output = new OutputBuffer(newOutputChunks());
  output.append(Buffer.alloc(9, 'h'));
  output.append(Buffer.alloc(64 * 1024, 'p'));
  t.equal(output.length, 9 + 64 * 1024);
  t.equal(output.bytes, output.length);
  t.end();
});

test('memory goes back to the pool, and is used again', t => {
  const pool = newOutputChunks();
  const output = new OutputBuffer(pool);
  output.append(Buffer.alloc(100));
  output.append(Buffer.alloc(300_000));
  output.clear();
  t.equal(output.bytes, 0);
  t.equal(output.length, 0);
  const free = pool.freeBytes;
  t.ok(free >= 300_000);
  output.append(Buffer.alloc(300_000));
  t.ok(pool.freeBytes < free);
  while (output.bytes > 0) send(output, 1_000_000);
  t.equal(pool.freeBytes, free);
  t.end();
});

test('what is queued moves in front of a slice that follows it', t => {
  const output = new OutputBuffer(newOutputChunks());
  output.append(Buffer.from('xxheader'));
  send(output, 2);
  const memory = Buffer.alloc(64, '.');
  t.equal(output.moveBefore(memory, 32), 6);
  t.equal(memory.toString('latin1', 26, 33), 'header.');
  t.equal(output.bytes, 0);
  t.end();
});

test('like one growing string, whatever is appended and sent', t => {
  const size = fc.oneof(fc.nat(40), fc.nat(2_000), fc.nat(40_000), fc.nat(400_000));
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), size }),
    fc.record({ kind: fc.constant('send' as const), size }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const output = new OutputBuffer(newOutputChunks());
      let expected = Buffer.alloc(0);
      let salt = 0;
      for (const { kind, size: bytes } of steps) {
        if (kind === 'append') {
          const slice = Buffer.alloc(bytes, `${salt++},`);
          expected = Buffer.concat([expected, slice]);
          output.append(slice);
        } else {
          const sent = send(output, bytes);
          if (!expected.subarray(0, sent.length).equals(sent))
            throw new Error('other bytes, or another order');
          expected = expected.subarray(sent.length);
        }
        if (output.bytes !== expected.length) throw new Error('count');
        if (output.bytes > 0 && output.length <= 0) throw new Error('bytes, and nothing to send');
        if (output.length > Math.max(...CHUNK_SIZES)) throw new Error('a piece larger than any memory');
      }
    }),
    { numRuns: 200 },
  );
  t.end();
});
