import { test } from 'tap';
import { framed, MessageReader } from './message-reader.ts';

test('messages come out whole, however they come in', async t => {
  const messages = [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(65_535, 7)];
  const stream = Buffer.concat(messages.map(framed));
  for (const step of [1, 2, 3, 1_000, stream.length]) {
    const reader = new MessageReader();
    const read: Buffer[] = [];
    for (let at = 0; at < stream.length; at += step)
      read.push(...reader.push(stream.subarray(at, at + step)));
    t.same(read, messages, `by ${step} bytes`);
  }
});

test('what is read is not overwritten by what comes next', async t => {
  const reader = new MessageReader();
  const slice = framed(Buffer.from('first'));
  const [first] = reader.push(slice);
  slice.fill(0);
  t.equal(first?.toString(), 'first');
});
