import fc from 'fast-check';
import { test } from 'tap';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { bench, GET, POST, rawFrame } from './testing/raw-peer.ts';
import { fuzzBudget } from './testing/fuzz-budget.ts';

const frame = fc
  .record({
    type: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 255 })),
    flags: fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 0x20), fc.integer({ min: 0, max: 255 })),
    streamId: fc.oneof(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 2 ** 31 - 1 })),
    payload: fc.uint8Array({ maxLength: 40 }),
  })
  .map(f => rawFrame(f.type, f.flags, f.streamId, Buffer.from(f.payload)));

/** Mostly what a peer may send, so that the random rest meets streams in all states. */
const step = fc.oneof(
  frame.map(bytes => ({ bytes })),
  fc.record({
    streamId: fc.integer({ min: 0, max: 5 }).map(i => 2 * i + 1),
    endStream: fc.boolean(),
    kind: fc.constantFrom('get', 'post', 'status', 'data', 'window', 'trailers'),
  }),
);

for (const role of ['server', 'client'] as const) {
  test(`${role}: any frames in any order, cut anywhere: no exception, one close, no timer left, streams told once`, t => {
    const property = fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      (steps, cut) => {
        const ends = new Map<number, number>();
        const handlerOf = (id: number) => ({
          onHeaders() {},
          onData() {},
          onEnd() {},
          onReset: () => ends.set(id, (ends.get(id) ?? 0) + 1),
          onDrain() {},
        });
        const b = bench(role, { channel: { fragment: () => cut }, onStream: stream => handlerOf(stream.id) });
        if (role === 'client')
          for (const id of [1, 3, 5]) b.connection.openStream(GET, id === 1, handlerOf(id));
        for (const next of steps) {
          if ('bytes' in next) b.peer.write(next.bytes);
          else if (next.kind === 'data') b.peer.data(next.streamId, 'payload', next.endStream);
          else if (next.kind === 'window') b.peer.windowUpdate(next.streamId, 100);
          else if (next.kind === 'trailers') b.peer.headers(next.streamId, ['a', 'b'], next.endStream);
          else if (next.kind === 'status') b.peer.headers(next.streamId, [':status', '200'], next.endStream);
          else b.peer.headers(next.streamId, next.kind === 'get' ? GET : POST, next.endStream);
          b.pair.flush();
          for (const { stream } of b.requests)
            if (stream.id % 4 === 1) stream.sendHeaders([':status', '200'], false);
        }
        b.connection.close(0, 'over');
        b.clock.advance(60_000);
        b.pair.flush();
        const toldOnce = [...ends.values()].every(count => count === 1);
        return (
          b.closes.length === 1 && b.clock.pendingTimers === 0 && b.connection.openStreams === 0 && toldOnce
        );
      },
    );
    fc.assert(property, fuzzBudget(3));
    t.end();
  });
}

/** Writes down what the reader says, with DATA joined: independent of how the bytes were cut. */
function recordingSink(events: string[]): FrameSink {
  let data = '';
  return {
    onFrameHead: (type, _flags, _streamId, length) => (type === 0xfe ? 0 : Math.min(length, 20)),
    onFrame: (type, flags, streamId, buffer, start, end) =>
      events.push(`${type} ${flags} ${streamId} ${buffer.toString('hex', start, end)}`),
    onDataStart: (streamId, flags, length) => {
      data = `data ${streamId} ${flags} ${length} `;
    },
    onDataChunk: slice => {
      data += slice.toString('hex');
    },
    onDataEnd: () => events.push(data),
  };
}

test('frames mean the same whatever way the bytes are cut', t => {
  const read = (chunks: readonly Buffer[]): string[] => {
    const events: string[] = [];
    const reader = new FrameReader(recordingSink(events), 16_384, false);
    try {
      for (const chunk of chunks) reader.read(chunk);
    } catch (error) {
      events.push(String(error));
    }
    return events;
  };
  const property = fc.property(
    fc.array(frame, { maxLength: 10 }),
    fc.array(fc.nat(50), { maxLength: 30 }),
    (frames, cuts) => {
      const whole = Buffer.concat(frames);
      const chunks: Buffer[] = [];
      let at = 0;
      for (const cut of cuts) chunks.push(whole.subarray(at, (at += cut)));
      chunks.push(whole.subarray(at));
      return JSON.stringify(read(chunks)) === JSON.stringify(read([whole]));
    },
  );
  fc.assert(property, fuzzBudget(3));
  t.end();
});
