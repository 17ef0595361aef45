import { test } from 'tap';
import { ErrorCode } from './error-code.ts';
import { FrameType } from './frame.ts';
import { SettingId } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import {
  bench,
  type Bench,
  POST,
  type RawFrame,
  recordingHandler,
  rstOf,
  settingsPayload,
} from './testing/raw-peer.ts';

function dataOf(frames: readonly RawFrame[], streamId?: number): string {
  const data = frames.filter(
    f => f.type === FrameType.DATA && (streamId === undefined || f.streamId === streamId),
  );
  return data.map(f => f.payload.toString()).join('|');
}

function updatesOf(frames: readonly RawFrame[], streamId: number): number {
  const updates = frames.filter(f => f.type === FrameType.WINDOW_UPDATE && f.streamId === streamId);
  return updates.reduce((sum, f) => sum + f.payload.readUInt32BE(0), 0);
}

/** Opens request streams 1, 3, … and sends their response heads. */
function openStreams(b: Bench, count: number): Http2Stream[] {
  for (let i = 0; i < count; i++) b.peer.headers(1 + 2 * i, POST, false);
  b.pair.flush();
  for (const { stream } of b.requests) stream.sendHeaders([':status', '200'], false);
  b.pair.flush();
  b.peer.take();
  return b.requests.map(r => r.stream);
}

const windowOf = (bytes: number): Buffer => settingsPayload([SettingId.INITIAL_WINDOW_SIZE, bytes]);

test('sending stops at the stream window and goes on with WINDOW_UPDATE, byte for byte', t => {
  const b = bench('server', { peerSettings: windowOf(4) });
  const [stream] = openStreams(b, 1);
  t.equal(stream?.sendData(Buffer.from('abcdef'), false), false);
  t.equal(stream?.pendingBytes, 2);
  t.equal(stream?.sendData(Buffer.from('gh'), true), false);
  b.pair.flush();
  t.equal(dataOf(b.peer.take()), 'abcd');
  b.peer.windowUpdate(1, 1);
  b.pair.flush();
  t.equal(dataOf(b.peer.take()), 'e');
  b.peer.windowUpdate(1, 10);
  b.pair.flush();
  t.equal(dataOf(b.peer.take()), 'f|gh');
  t.same(b.requests[0]?.events, ['drain']);
  t.end();
});

test('trailers and END_STREAM wait behind what is queued', t => {
  const b = bench('server', { peerSettings: windowOf(1) });
  const [stream] = openStreams(b, 1);
  stream?.sendData(Buffer.from('abc'), false);
  const trailers = ['grpc-status', '0'];
  stream?.sendTrailers(trailers);
  // The list is the caller's, who uses it again.
  trailers[1] = '14';
  b.pair.flush();
  t.same(
    b.peer.take().map(f => f.type),
    [FrameType.DATA],
  );
  b.peer.windowUpdate(1, 100);
  b.pair.flush();
  const frames = b.peer.take();
  t.same(
    frames.map(f => [f.type, f.flags]),
    [
      [FrameType.DATA, 0],
      [FrameType.HEADERS, 5],
    ],
  );
  t.same(frames[1] && b.peer.decode(frames[1]), ['grpc-status', '0']);
  t.end();
});

test('a bare END_STREAM needs no window', t => {
  const b = bench('server', { peerSettings: windowOf(0) });
  const [stream] = openStreams(b, 1);
  stream?.sendData(Buffer.alloc(0), true);
  b.pair.flush();
  t.same(
    b.peer.take().map(f => [f.type, f.flags]),
    [[FrameType.DATA, 1]],
  );
  t.end();
});

test('a smaller initial window makes windows negative, and nothing is sent until they are positive again', t => {
  const b = bench('server', { peerSettings: windowOf(10) });
  const [stream] = openStreams(b, 1);
  stream?.sendData(Buffer.from('12345678'), false);
  b.peer.send(FrameType.SETTINGS, 0, 0, windowOf(4));
  b.pair.flush();
  b.peer.take();
  stream?.sendData(Buffer.from('9'), false);
  b.peer.windowUpdate(1, 4);
  b.pair.flush();
  t.equal(dataOf(b.peer.take()), '');
  b.peer.windowUpdate(1, 1);
  b.pair.flush();
  t.equal(dataOf(b.peer.take()), '9');
  t.end();
});

test('a new initial window applies to all open streams at once', t => {
  const b = bench('server', { peerSettings: windowOf(0) });
  const streams = openStreams(b, 3);
  for (const stream of streams) stream.sendData(Buffer.from(`s${stream.id}`), false);
  b.peer.send(FrameType.SETTINGS, 0, 0, windowOf(2));
  b.pair.flush();
  t.equal(dataOf(b.peer.take()), 's1|s3|s5');
  t.end();
});

test('streams that wait for the connection window take turns, one frame each', t => {
  const b = bench('server', { peerSettings: windowOf(1_000_000), http2: { maxSendFrameBytes: 2 } });
  const streams = openStreams(b, 3);
  streams[0]?.sendData(Buffer.alloc(65_535), false);
  b.pair.flush();
  b.peer.take();
  for (const [i, stream] of streams.entries()) stream.sendData(Buffer.from(String(i).repeat(4)), false);
  b.peer.windowUpdate(0, 100);
  b.pair.flush();
  t.equal(dataOf(b.peer.take()), '00|11|22|00|11|22');
  t.end();
});

test('a stream whose own window is shut holds up no other', t => {
  const b = bench('server', { peerSettings: windowOf(3) });
  const [slow, fast] = openStreams(b, 2);
  slow?.sendData(Buffer.from('slow!'), false);
  b.peer.windowUpdate(3, 1000);
  b.pair.flush();
  t.equal(fast?.sendData(Buffer.from('fast and long'), false), true);
  b.pair.flush();
  t.equal(dataOf(b.peer.take(), 3), 'fast and long');
  t.end();
});

test('a full channel: streams queue, and take turns once it drains', t => {
  const b = bench('server', { peerSettings: windowOf(100_000), channel: { highWaterBytes: 30_000 } });
  const [one, two] = openStreams(b, 2);
  b.pair.right.pause();
  t.equal(one?.sendData(Buffer.alloc(30_000, 'x'), false), false);
  t.equal(two?.sendData(Buffer.from('two'), false), false);
  t.equal(one?.sendOwned(Buffer.from('one'), false), false);
  t.same([one?.pendingBytes, two?.pendingBytes], [3, 3]);
  b.pair.right.resume();
  b.pair.flush();
  const sent = dataOf(b.peer.take()).replaceAll(/x+\|?/g, '');
  t.ok(sent === 'two|one' || sent === 'one|two', sent);
  t.same(
    b.requests.map(r => r.events),
    [['drain'], ['drain']],
  );
  t.end();
});

test('a producer that ignores backpressure loses its stream', t => {
  const b = bench('server', { peerSettings: windowOf(0), http2: { maxPendingBytes: 10 } });
  const [stream] = openStreams(b, 1);
  stream?.sendData(Buffer.alloc(11), false);
  stream?.sendData(Buffer.alloc(1), false);
  b.pair.flush();
  t.equal(rstOf(b.peer.take(), 1), ErrorCode.INTERNAL_ERROR);
  t.same(b.requests[0]?.events, ['reset 2 local']);
  t.end();
});

test('stream credit returns as the application consumes, connection credit at once', t => {
  const http2 = { streamWindowBytes: 40_000, connectionWindowBytes: 100_000 };
  const b = bench('server', { http2 });
  const [slow] = openStreams(b, 2);
  b.peer.data(1, Buffer.alloc(40_000));
  b.pair.flush();
  let frames = b.peer.take();
  t.same([updatesOf(frames, 0), updatesOf(frames, 1)], [40_000, 0]);
  t.equal(b.connection.unconsumedBytes, 40_000);
  slow?.consume(9_999);
  b.pair.flush();
  t.equal(updatesOf(b.peer.take(), 1), 0);
  slow?.consume(1);
  b.pair.flush();
  frames = b.peer.take();
  t.same([updatesOf(frames, 0), updatesOf(frames, 1)], [0, 10_000]);
  t.end();
});

test('slow readers never stall another stream, however much comes for it', t => {
  const b = bench('server', { http2: { streamWindowBytes: 40_000, connectionWindowBytes: 100_000 } });
  openStreams(b, 21);
  for (let id = 1; id < 41; id += 2) b.peer.data(id, Buffer.alloc(40_000));
  b.pair.flush();
  t.equal(updatesOf(b.peer.take(), 0), 20 * 40_000);
  const fast = b.requests[20]?.stream;
  for (let round = 0; round < 50; round++) {
    b.peer.data(41, Buffer.alloc(10_000));
    b.pair.flush();
    fast?.consume(10_000);
  }
  b.pair.flush();
  t.equal(updatesOf(b.peer.take(), 41), 500_000);
  t.equal(b.connection.state, 'open');
  t.end();
});

test('above maxUnconsumedBytes connection credit returns only as the application consumes', t => {
  const http2 = { streamWindowBytes: 60_000, connectionWindowBytes: 80_000, maxUnconsumedBytes: 50_000 };
  const b = bench('server', { http2 });
  const [one, two] = openStreams(b, 2);
  b.peer.data(1, Buffer.alloc(60_000));
  b.peer.data(3, Buffer.alloc(60_000));
  b.pair.flush();
  t.equal(updatesOf(b.peer.take(), 0), 50_000, '120,000 received, 70,000 of it withheld');
  one?.consume(60_000);
  b.pair.flush();
  t.equal(updatesOf(b.peer.take(), 0), 60_000);
  two?.reset(ErrorCode.CANCEL);
  b.pair.flush();
  t.equal(b.connection.unconsumedBytes, 0, 'a stream that is over no longer counts');
  t.end();
});

test('padding is credited without the application', t => {
  const b = bench('server', { http2: { streamWindowBytes: 400 } });
  openStreams(b, 1);
  b.peer.send(FrameType.DATA, 8, 1, Buffer.concat([Buffer.from([200]), Buffer.alloc(200)]));
  b.pair.flush();
  t.equal(updatesOf(b.peer.take(), 1), 201);
  t.end();
});

test('a peer that never opens its window has the stream reset after the stall timeout', t => {
  const b = bench('server', {
    peerSettings: windowOf(1),
    http2: { sendStallTimeoutMs: 30_000, pingIntervalMs: 0 },
  });
  const [stream] = openStreams(b, 1);
  stream?.sendData(Buffer.from('abc'), true);
  b.clock.advance(25_000);
  b.peer.windowUpdate(1, 1);
  b.pair.flush();
  b.clock.advance(25_000);
  t.equal(stream?.pendingBytes, 1, 'progress starts the deadline anew');
  b.clock.advance(20_000);
  b.pair.flush();
  t.equal(rstOf(b.peer.take(), 1), ErrorCode.ENHANCE_YOUR_CALM);
  t.end();
});

test('a peer that does not read at all is cut off after the stall timeout', t => {
  const http2 = { sendStallTimeoutMs: 30_000, pingIntervalMs: 0 };
  const b = bench('server', { http2, channel: { highWaterBytes: 1000 } });
  const [stream] = openStreams(b, 1);
  b.pair.right.pause();
  stream?.sendData(Buffer.alloc(5_000), false);
  b.clock.advance(50_000);
  b.pair.flush();
  t.match(b.closes, [{ code: 'timeout', message: 'the peer has read nothing for 30000 ms' }]);
  t.equal(b.clock.pendingTimers, 0);
  t.end();
});

test('events of two streams do not mix: DATA in pieces goes to its own handler', t => {
  const b = bench('client', { channel: { fragment: () => 3 } });
  const events: string[][] = [[], []];
  for (const own of events) b.connection.openStream(POST, false, recordingHandler(own));
  for (const id of [1, 3]) b.peer.headers(id, [':status', '200'], false);
  for (const part of ['aaaa', 'bbbb']) for (const id of [1, 3]) b.peer.data(id, `${id}${part}`);
  b.pair.flush();
  const texts = events.map(own =>
    own
      .slice(1)
      .map(e => e.slice(5))
      .join(''),
  );
  t.same(texts, ['1aaaa1bbbb', '3aaaa3bbbb']);
  t.end();
});
