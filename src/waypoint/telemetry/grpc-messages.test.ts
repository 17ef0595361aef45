import fc from 'fast-check';
import { test } from 'tap';
import { GrpcMessages } from './grpc-messages.ts';

function framed(sizes: readonly number[]): Buffer {
  return Buffer.concat(
    sizes.flatMap(size => {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(size, 1);
      return [prefix, Buffer.alloc(size, 1)];
    }),
  );
}

test('messages are counted however the stream is cut', t => {
  const sizes = fc.array(fc.oneof(fc.nat(20), fc.nat(70_000)), { maxLength: 12 });
  fc.assert(
    fc.property(
      sizes,
      fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 8 }),
      (lengths, cuts) => {
        const bytes = framed(lengths);
        const messages = new GrpcMessages();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          messages.onBody(bytes.subarray(at, at + size));
          at += size;
        }
        return messages.count === lengths.length;
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

test('a message counts once its length is there', t => {
  const messages = new GrpcMessages();
  messages.onBody(framed([10]).subarray(0, 4));
  t.equal(messages.count, 0);
  messages.onBody(framed([10]).subarray(4, 7));
  t.equal(messages.count, 1);
  t.end();
});
