import fc from 'fast-check';
import { test } from 'tap';
import { Http2ConnectionError } from './error-code.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { huffmanDecode, huffmanEncode } from './huffman.ts';
import { fuzzBudget } from './testing/fuzz-budget.ts';

const name = fc.oneof(
  fc.constantFrom(':path', ':authority', 'cookie', 'x-a', 'x-b', 'content-type', 'authorization'),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/),
);
// Latin-1 without the characters that the encoder replaces.
const value = fc
  .array(fc.integer({ min: 0x20, max: 0xff }), { maxLength: 300 })
  .map(codes => String.fromCharCode(...codes));
const list = fc.array(fc.tuple(name, value), { maxLength: 20 }).map(fields => fields.flat());
const block = fc.oneof(
  fc.record({ fields: list }),
  fc.record({ resize: fc.integer({ min: 0, max: 10_000 }) }),
);

test('what one end encodes the other decodes, through any sequence of blocks and table sizes', t => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 20 }), blocks => {
      const encoder = new HpackEncoder(4096);
      const decoder = new HpackDecoder(1 << 20);
      for (const step of blocks) {
        if ('resize' in step) {
          encoder.setPeerTableLimit(step.resize);
          continue;
        }
        const bytes = encoder.encode(step.fields);
        const fields: string[] = [];
        decoder.decode(bytes, 0, bytes.length, fields);
        if (JSON.stringify(fields) !== JSON.stringify(step.fields)) return false;
      }
      return true;
    }),
    fuzzBudget(3),
  );
  t.end();
});

test('random bytes decode or are refused, within the limit of the list', t => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 10 }), blocks => {
      const decoder = new HpackDecoder(2_000);
      for (const bytes of blocks) {
        const fields: string[] = [];
        try {
          decoder.decode(Buffer.from(bytes), 0, bytes.length, fields);
        } catch (error) {
          return error instanceof Http2ConnectionError;
        }
        const size = fields.reduce((sum, text) => sum + text.length, 16 * fields.length);
        if (size > 2_000) return false;
      }
      return true;
    }),
    fuzzBudget(3),
  );
  t.end();
});

test('random Huffman code either is refused or encodes back to itself', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
      const input = Buffer.from(bytes);
      const text = Buffer.alloc(200);
      const length = huffmanDecode(input, 0, input.length, text);
      if (length < 0) return true;
      const again = Buffer.alloc(200);
      const end = huffmanEncode(text.toString('latin1', 0, length), again, 0);
      return again.subarray(0, end).equals(input);
    }),
    fuzzBudget(3),
  );
  t.end();
});
