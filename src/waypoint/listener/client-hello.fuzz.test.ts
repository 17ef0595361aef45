import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { readClientHello } from './client-hello.ts';

test('any bytes are a hello, none, or not enough; nothing throws, and more bytes never take a decision back', t => {
  const record = fc.uint8Array({ maxLength: 300 }).map(body => {
    const hello = Buffer.from([1, 0, body.length >> 8, body.length & 255, ...body]);
    return Buffer.from([22, 3, 1, hello.length >> 8, hello.length & 255, ...hello]);
  });
  const bytes = fc.oneof(
    record,
    fc.uint8Array({ maxLength: 300 }).map(part => Buffer.from(part)),
  );
  fc.assert(
    fc.property(bytes, fc.nat(300), (all, cut) => {
      const early = readClientHello(all.subarray(0, cut));
      const late = readClientHello(all);
      return early.kind === 'incomplete' || early.kind === late.kind;
    }),
    fuzzRun(1),
  );
  t.end();
});
