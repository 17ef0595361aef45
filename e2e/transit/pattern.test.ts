import { test } from 'tap';
import { Pattern } from './pattern.ts';

function bytesOf(pattern: Pattern, at: number, count: number): Buffer {
  const parts: Buffer[] = [];
  for (let done = 0; done < count; ) {
    const part = pattern.from(at + done, count - done);
    parts.push(part);
    done += part.length;
  }
  return Buffer.concat(parts);
}

test('bytes are known by their place and by their stream', async t => {
  const sent = new Pattern(41);
  const slice = bytesOf(sent, 5_000_000, 2_000_000);
  t.ok(new Pattern(41).matches(5_000_000, slice), 'as they were sent');
  t.notOk(sent.matches(5_000_001, slice), 'one place on');
  for (const moved of [1, 9, 16_384, 16_393, 65_536, 1_048_576])
    t.notOk(sent.matches(5_000_000 + moved, slice), `${moved} bytes were lost`);
  for (const other of [40, 42, 43, 2 ** 30])
    t.notOk(new Pattern(other).matches(5_000_000, slice), `of stream ${other}`);
  const changed = Buffer.from(slice);
  changed.writeUInt8((changed.readUInt8(1_234_567) + 1) & 0xff, 1_234_567);
  t.notOk(sent.matches(5_000_000, changed), 'one byte is another');
});
