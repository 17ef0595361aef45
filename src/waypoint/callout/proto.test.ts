import fc from 'fast-check';
import protobuf from 'protobufjs';
import { test } from 'tap';
import { ProtoError, readProto, textOf, type ProtoField } from './proto-reader.ts';
import { ProtoWriter } from './proto-writer.ts';

const root = protobuf.parse(`
  syntax = "proto3";
  message Inner { string name = 1; }
  message Outer {
    string text = 1; bytes raw = 2; int64 size = 3; double share = 8; Inner inner = 4; map<string, string> headers = 5; fixed64 f64 = 6; fixed32 f32 = 7;
  }`).root;
const Outer = root.lookupType('Outer');

function fieldsOf(message: Buffer): ProtoField[] {
  const fields: ProtoField[] = [];
  readProto(message, field => fields.push(field));
  return fields;
}

test('what the writer writes another implementation of protobuf reads', t => {
  const message = new ProtoWriter()
    .text(1, 'häuser')
    .bytes(2, Buffer.from([0, 255]))
    .int(3, 3_000_000_000_000)
    .message(4, inner => inner.text(1, 'x'.repeat(2_000)))
    .entry(5, 'a', 'gr\xfc\xdfe')
    .entry(5, 'b', Buffer.from('grüße').toString('latin1'))
    .finish();
  const decoded = Outer.toObject(Outer.decode(message), { longs: Number });
  t.match(decoded, {
    text: 'häuser',
    raw: Buffer.from([0, 255]),
    size: 3_000_000_000_000,
    inner: { name: 'x'.repeat(2_000) },
    headers: { a: 'grüße', b: 'grüße' },
  });
  t.equal(Outer.toObject(Outer.decode(new ProtoWriter().int(3, -1).finish()), { longs: Number })['size'], -1);
  t.equal(new ProtoWriter().text(1, '').int(3, 0).finish().length, 0, 'defaults are left out');
  t.end();
});

test('what another implementation writes the reader reads', t => {
  const encoded = Outer.encode({ text: 'a', size: 300, inner: { name: 'b' }, f64: 7, f32: 8 }).finish();
  const fields = fieldsOf(Buffer.from(encoded));
  t.same(
    fields.map(field => field.number),
    [1, 3, 4, 6, 7],
  );
  t.equal(fields[0] && textOf(fields[0]), 'a');
  t.equal(fields[1]?.value, 300);
  t.same(
    fieldsOf(fields[2]?.bytes ?? Buffer.alloc(0)).map(field => textOf(field)),
    ['b'],
  );
  t.end();
});

test('a double is read as what it is', t => {
  for (const share of [0.25, -1e300, Number.MIN_VALUE]) {
    const [field] = fieldsOf(Buffer.from(Outer.encode({ share }).finish()));
    t.match(field, { number: 8, value: share });
  }
  t.end();
});

test('a message that is none is refused', t => {
  const rows: readonly (readonly [string, number[]])[] = [
    ['a length beyond the end', [0x0a, 0x05, 0x61]],
    ['a varint beyond the end', [0x08, 0x80]],
    ['a varint of eleven bytes', [0x08, ...Array.from({ length: 10 }, () => 0x80), 0x01]],
    ['field number 0', [0x02, 0x00]],
    ['a group', [0x0b]],
    ['a fixed64 beyond the end', [0x09, 1, 2, 3]],
  ];
  for (const [sentence, bytes] of rows) t.throws(() => fieldsOf(Buffer.from(bytes)), ProtoError, sentence);
  t.throws(() => textOf({ number: 1, value: 5, bytes: undefined }), ProtoError, 'a number where text is due');
  t.end();
});

test('random bytes are read or refused, and nothing else', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      try {
        fieldsOf(Buffer.from(bytes));
      } catch (error) {
        if (!(error instanceof ProtoError)) throw error;
      }
    }),
  );
  t.end();
});
