import { test } from 'tap';
import { MAX_REPLAY_BYTES, ReplayBuffer } from './replay-buffer.ts';

test('the replay buffer', async t => {
  const none = new ReplayBuffer();
  t.match(none, { replayable: true, byteLength: 0 }, 'no body is a body that can be sent again');
  t.equal(none.contents().length, 0);

  const buffer = new ReplayBuffer();
  const slice = Buffer.from('abc');
  buffer.append(slice);
  slice.fill('x');
  buffer.append(Buffer.from('def'));
  t.equal(
    Buffer.from(buffer.contents()).toString(),
    'abcdef',
    'slices are copied: their memory is used again',
  );

  const exact = new ReplayBuffer();
  for (let i = 0; i < 64; i++) exact.append(Buffer.alloc(1024, i));
  t.match(exact, { replayable: true, byteLength: MAX_REPLAY_BYTES }, '64 KiB are kept');
  t.ok(
    exact.contents().every((byte, i) => byte === i >> 10),
    'in order, over every growth',
  );
  exact.append(Buffer.from('.'));
  t.match(exact, { replayable: false, byteLength: 0 }, 'one byte more and all is let go');
  exact.append(Buffer.from('.'));
  t.equal(exact.contents().length, 0, 'and nothing is kept from there on');

  const discarded = new ReplayBuffer(10);
  discarded.append(Buffer.from('abc'));
  discarded.discard();
  t.equal(discarded.replayable, false, 'a discarded body cannot be sent again');
});

test('memory of a body that is not sent again is the next one’s, and nobody else’s', t => {
  const first = new ReplayBuffer();
  first.append(Buffer.from('abc'));
  const { buffer } = first.contents();
  const beside = new ReplayBuffer();
  beside.append(Buffer.from('def'));
  t.not(beside.contents().buffer, buffer, 'two bodies under way are apart');

  first.discard();
  first.discard();
  const [next, another] = [new ReplayBuffer(), new ReplayBuffer()];
  next.append(Buffer.from('ghi'));
  another.append(Buffer.from('jkl'));
  t.equal(next.contents().buffer, buffer, 'it is lent again');
  t.not(another.contents().buffer, buffer, 'once, however often it was let go');
  t.equal(Buffer.from(beside.contents()).toString(), 'def');

  next.append(Buffer.alloc(4096));
  const grown = new ReplayBuffer();
  grown.append(Buffer.from('mno'));
  t.equal(grown.contents().buffer, buffer, 'also of one that has outgrown it');
  t.end();
});
