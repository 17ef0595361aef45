import fc from 'fast-check';
import { test } from 'tap';
import type { HeaderList } from '#shared/http/headers.ts';
import { Flag, FrameType, readUint31 } from '#shared/http2/frame.ts';
import { HpackDecoder } from '#shared/http2/hpack-decoder.ts';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { type FramePlan, PreparedFrames } from './prepared-frames.ts';

const DATA = Buffer.from('hello');
const MESSAGES: readonly (readonly FramePlan[])[] = [
  [{ fields: [':status', '200', 'content-type', 'text/plain', 'content-length', '5'], endStream: false }],
  [
    { fields: [':status', '200', 'content-type', 'application/grpc'], endStream: false },
    { data: DATA, endStream: false },
    { fields: ['grpc-status', '0'], endStream: true },
  ],
  [{ fields: [':status', '404', 'x-why', 'nothing here'], endStream: true }],
];

/** What a peer reads: a line a frame. */
function read(bytes: Buffer, decoder: HpackDecoder): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    const fields: HeaderList = [];
    if (bytes[at + 3] === FrameType.HEADERS) decoder.decode(payload, 0, length, fields);
    else fields.push(payload.toString());
    const end = ((bytes[at + 4] ?? 0) & Flag.END_STREAM) === 0 ? '' : ' end';
    lines.push(`${readUint31(bytes, at + 5)}: ${fields.join(' ')}${end}`);
    at += 9 + length;
  }
  return lines;
}

function expected(message: number, streamId: number): readonly string[] {
  return (MESSAGES[message] ?? []).map(frame => {
    const text = 'fields' in frame ? frame.fields.join(' ') : frame.data.toString();
    return `${streamId}: ${text}${frame.endStream ? ' end' : ''}`;
  });
}

test('in whatever order messages are sent, the peer reads each of them', t => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: MESSAGES.length - 1 })), order => {
      const [frames, decoder] = [new PreparedFrames(MESSAGES), new HpackDecoder(16_384)];
      for (const [i, message] of order.entries()) {
        const streamId = 2 * i + 1;
        const got = read(frames.of(message, streamId), decoder);
        const want = expected(message, streamId);
        if (got.join('\n') !== want.join('\n'))
          throw new Error(`${got.join('\n')}\ninstead of\n${want.join('\n')}`);
      }
    }),
    fuzzRun(1),
  );
  t.end();
});

test('from the third time on a message is the same memory', async t => {
  const frames = new PreparedFrames(MESSAGES);
  const first = frames.of(1, 1);
  const second = frames.of(1, 3);
  t.ok(second.length < first.length, 'its fields are in the table');
  t.equal(frames.of(1, 5), second);
  t.equal(readUint31(second, 5), 5);
});
