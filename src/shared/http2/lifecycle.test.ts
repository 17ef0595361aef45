import { test } from 'tap';
import { ErrorCode } from './error-code.ts';
import { Flag, FrameType } from './frame.ts';
import type { FloodLimits } from './options.ts';
import { DEFAULT_FLOOD_LIMITS } from './options.ts';
import { SettingId } from './settings.ts';
import {
  type Bench,
  bench,
  GET,
  goawayOf,
  POST,
  type RawPeer,
  recordingHandler,
  rstOf,
  settingsPayload,
  uint32,
} from './testing/raw-peer.ts';

const { PING, SETTINGS, RST_STREAM, DATA, HEADERS, CONTINUATION, PRIORITY, GOAWAY } = FrameType;

test('SETTINGS that are not acknowledged in time end the connection', t => {
  const b = bench('client', { handshake: false });
  b.clock.advance(9_999);
  b.pair.flush();
  t.equal(goawayOf(b.peer.take()), undefined);
  b.clock.advance(1);
  b.pair.flush();
  t.equal(goawayOf(b.peer.take())?.code, ErrorCode.SETTINGS_TIMEOUT);
  t.end();
});

test('a PING every 10 s while it is answered', t => {
  const b = bench('client');
  for (let round = 0; round < 5; round++) {
    b.clock.advance(10_000);
    b.pair.flush();
    const pings = b.peer.take().filter(f => f.type === PING);
    t.equal(pings.length, 1);
    b.peer.send(PING, Flag.ACK, 0, pings[0]?.payload);
    b.pair.flush();
  }
  t.equal(b.connection.state, 'open');
  t.end();
});

test('no answer to a PING in 20 s: the connection is dead, and its streams are told', t => {
  const b = bench('client');
  const events: string[] = [];
  b.connection.openStream(GET, true, recordingHandler(events));
  b.clock.advance(29_999);
  t.same(events, []);
  b.clock.advance(1);
  b.pair.flush();
  t.same(events, ['reset 8 connection']);
  t.match(b.closes, [{ code: 'timeout' }]);
  t.equal(b.clock.pendingTimers, 0);
  t.end();
});

test('bytes of any kind are a sign of life: the answer may be queued behind them', t => {
  const b = bench('client');
  for (let second = 0; second < 60; second += 5) {
    b.clock.advance(5_000);
    b.peer.send(0xaa, 0, 0);
    b.pair.flush();
  }
  t.equal(b.connection.state, 'open');
  b.clock.advance(40_000);
  t.equal(b.connection.state, 'closed');
  t.end();
});

test('server drain: GOAWAY of 2^31-1, a round trip, GOAWAY of the last stream, end when all are done', t => {
  const b = bench('server');
  b.peer.headers(1, GET, true);
  b.pair.flush();
  b.connection.drain();
  b.pair.flush();
  let frames = b.peer.take();
  t.equal(goawayOf(frames)?.last, 2 ** 31 - 1);
  const ping = frames.find(f => f.type === PING);
  b.peer.headers(3, GET, true);
  b.peer.send(PING, Flag.ACK, 0, ping?.payload);
  b.peer.headers(5, GET, true);
  b.pair.flush();
  frames = b.peer.take();
  t.equal(goawayOf(frames)?.last, 3);
  t.equal(rstOf(frames, 5), ErrorCode.REFUSED_STREAM);
  t.equal(b.requests.length, 2);
  for (const { stream } of b.requests) stream.sendHeaders([':status', '204'], true);
  b.pair.flush();
  t.equal(b.peer.ended, true);
  b.pair.right.end();
  b.pair.flush();
  t.same(b.closes, [undefined]);
  t.equal(b.clock.pendingTimers, 0);
  t.end();
});

test('server drain goes on without the answer to its PING after the grace', t => {
  const b = bench('server');
  b.connection.drain();
  b.connection.drain();
  b.clock.advance(1_000);
  b.pair.flush();
  t.same(
    b.peer
      .take()
      .filter(f => f.type === GOAWAY)
      .map(f => f.payload.readUInt32BE(0)),
    [2 ** 31 - 1, 0],
  );
  t.equal(b.peer.ended, true);
  t.end();
});

test('client: GOAWAY refuses what the server did not take, and the rest is finished', t => {
  const b = bench('client');
  const events: string[][] = [[], [], []];
  for (const own of events) b.connection.openStream(GET, true, recordingHandler(own));
  b.peer.send(GOAWAY, 0, 0, Buffer.concat([uint32(3), uint32(0), Buffer.from('by\ne')]));
  b.pair.flush();
  t.same(events, [[], [], ['reset 7 connection unprocessed']]);
  t.same(b.goaways, ['0 by?e']);
  t.equal(b.connection.canOpenStream, false);
  t.equal(b.connection.openStream(GET, true, recordingHandler([])), undefined);
  for (const id of [1, 3]) b.peer.headers(id, [':status', '204'], true);
  b.pair.flush();
  t.same(events[1], ['headers :status 204 end', 'end']);
  t.equal(b.peer.ended, true);
  t.end();
});

test('client: REFUSED_STREAM means the request was not processed, other codes do not', t => {
  const b = bench('client');
  const events: string[] = [];
  for (const code of [ErrorCode.REFUSED_STREAM, ErrorCode.CANCEL]) {
    const stream = b.connection.openStream(GET, true, recordingHandler(events));
    b.pair.flush();
    b.peer.send(RST_STREAM, 0, stream?.id ?? 0, uint32(code));
    b.pair.flush();
  }
  t.same(events, ['reset 7 peer unprocessed', 'reset 8 peer']);
  t.end();
});

test("client: the peer's limit of streams is kept", t => {
  const b = bench('client', { peerSettings: settingsPayload([SettingId.MAX_CONCURRENT_STREAMS, 1]) });
  t.equal(b.connection.peerMaxConcurrentStreams, 1);
  b.connection.openStream(GET, true, recordingHandler([]));
  t.equal(b.connection.canOpenStream, false);
  b.pair.flush();
  b.peer.headers(1, [':status', '204'], true);
  b.pair.flush();
  t.same([b.connection.canOpenStream, b.connection.openStreams, b.connection.openedTotal], [true, 0, 1]);
  t.end();
});

test('server: streams above the limit are refused unprocessed', t => {
  const b = bench('server', { http2: { maxConcurrentStreams: 1 } });
  b.peer.headers(1, POST, false);
  b.peer.headers(3, POST, false);
  b.pair.flush();
  t.equal(rstOf(b.peer.take(), 3), ErrorCode.REFUSED_STREAM);
  t.equal(b.requests.length, 1);
  t.end();
});

test('the loss of the channel resets all streams, then closes', t => {
  const b = bench('client');
  const events: string[] = [];
  b.connection.openStream(GET, true, recordingHandler(events));
  b.pair.right.end();
  b.pair.flush();
  t.same(events, ['reset 8 connection']);
  t.equal(b.closes.length, 1);
  t.equal(b.clock.pendingTimers, 0);
  t.end();
});

test('a peer that half-closes still gets the answers it has asked for in full', t => {
  const b = bench('server');
  b.peer.headers(1, GET, true);
  b.peer.headers(3, POST, false);
  b.pair.right.end();
  b.pair.flush();
  t.same(
    b.requests.map(r => r.events),
    [['end'], ['reset 8 connection']],
  );
  b.requests[0]?.stream.sendHeaders([':status', '204'], true);
  b.pair.flush();
  t.same(b.closes, [undefined]);
  t.equal(b.peer.take().filter(f => f.type === HEADERS).length, 1);
  t.end();
});

test('a peer that does not close its side of an ended connection is cut off', t => {
  const b = bench('server');
  b.connection.close(ErrorCode.NO_ERROR, 'bye');
  b.clock.advance(1_000);
  b.pair.flush();
  t.match(b.closes, [{ code: 'drain' }]);
  t.equal(b.clock.pendingTimers, 0);
  t.end();
});

test('headers larger than a frame of the peer are continued', t => {
  const b = bench('client');
  const value = '\u00e9'.repeat(40_000);
  b.connection.openStream([...GET, 'x', value], true, recordingHandler([]));
  b.pair.flush();
  const frames = b.peer.take();
  t.same(
    frames.map(f => [f.type, f.flags]),
    [
      [HEADERS, Flag.END_STREAM],
      [CONTINUATION, 0],
      [CONTINUATION, Flag.END_HEADERS],
    ],
  );
  const whole = { type: HEADERS, flags: 0, streamId: 1, payload: Buffer.concat(frames.map(f => f.payload)) };
  t.equal(b.peer.decode(whole).at(-1), value);
  t.end();
});

// === floods: each limit by its name ===

interface Flood {
  readonly limit: keyof FloodLimits;
  readonly send: (peer: RawPeer, round: number) => void;
  /** What it counts per round. */
  readonly per?: number;
}

const FLOODS: readonly Flood[] = [
  {
    limit: 'prematureResets',
    send: (p, i) => (p.headers(1 + 2 * i, GET, true), p.send(RST_STREAM, 0, 1 + 2 * i, uint32(8))),
  },
  { limit: 'streamErrors', send: (p, i) => p.headers(1 + 2 * i, GET.slice(2), true) },
  { limit: 'settings', send: p => p.send(SETTINGS, 0, 0) },
  { limit: 'pings', send: p => p.send(PING, 0, 0, Buffer.alloc(8)) },
  { limit: 'emptyData', send: (p, i) => (i === 0 ? p.headers(1, POST, false) : p.data(1, '')) },
  { limit: 'windowUpdates', send: p => p.windowUpdate(0, 1) },
  { limit: 'priorities', send: p => p.send(PRIORITY, 0, 3, Buffer.from([0, 0, 0, 1, 1])) },
  { limit: 'unknownFrames', send: p => p.send(0xfa, 0, 0) },
];

function flood(send: (peer: RawPeer, round: number) => void, limits: FloodLimits, rounds: number): Bench {
  const b = bench('server', { http2: { floodLimits: limits } });
  for (let i = 0; i < rounds && b.connection.state === 'open'; i++) {
    send(b.peer, i);
    b.pair.flush();
  }
  return b;
}

for (const { limit, send } of FLOODS) {
  test(`flood: ${limit} ends in ENHANCE_YOUR_CALM that names it, and time earns it back`, t => {
    const limits = { ...DEFAULT_FLOOD_LIMITS, [limit]: { burst: 10, perSecond: 1 } };
    const b = flood(send, limits, 13);
    const goaway = goawayOf(b.peer.take());
    t.match(goaway, { code: ErrorCode.ENHANCE_YOUR_CALM });
    t.match(goaway?.debug, `flood limit ${limit} exceeded`);
    t.ok(b.connection.floodTotal(limit) >= 11);
    const patient = bench('server', { http2: { floodLimits: limits } });
    for (let i = 0; i < 30; i++) {
      patient.clock.advance(1_000);
      if (i % 5 === 0) patient.peer.send(PING, Flag.ACK, 0, Buffer.from('keepaliv'));
      send(patient.peer, i);
      patient.pair.flush();
    }
    t.equal(patient.connection.state, 'open');
    t.end();
  });
}

test('flood: resets of answered streams have a limit of their own', t => {
  const limits = { ...DEFAULT_FLOOD_LIMITS, resets: { burst: 10, perSecond: 1 } };
  const b = bench('server', { http2: { floodLimits: limits } });
  for (let i = 0; i < 11; i++) {
    b.peer.headers(1 + 2 * i, POST, false);
    b.pair.flush();
    b.requests.at(-1)?.stream.sendHeaders([':status', '200'], false);
    b.peer.send(RST_STREAM, 0, 1 + 2 * i, uint32(8));
    b.pair.flush();
  }
  t.match(goawayOf(b.peer.take())?.debug, 'flood limit resets exceeded');
  t.equal(b.connection.floodTotal('prematureResets'), 0);
  t.end();
});

test('WINDOW_UPDATE is earned by the bytes we send', t => {
  const limits = { ...DEFAULT_FLOOD_LIMITS, windowUpdates: { burst: 10, perSecond: 0 } };
  const b = bench('server', { http2: { floodLimits: limits } });
  b.peer.headers(1, POST, false);
  b.pair.flush();
  const stream = b.requests[0]?.stream;
  for (let i = 0; i < 200; i++) {
    stream?.sendData(Buffer.alloc(1024), false);
    b.peer.windowUpdate(0, 1024);
    b.peer.windowUpdate(1, 1024);
    b.pair.flush();
  }
  t.equal(b.connection.state, 'open');
  t.end();
});

const HEADER_FLOODS: readonly (readonly [name: string, send: (peer: RawPeer) => void, debug: string])[] = [
  [
    'too many CONTINUATION frames',
    p => {
      p.send(HEADERS, 0, 1);
      for (let i = 0; i < 65; i++) p.send(CONTINUATION, 0, 1);
    },
    'a header block has more than 64 CONTINUATION frames',
  ],
  [
    'a header block too large',
    p => {
      p.send(HEADERS, 0, 1, Buffer.alloc(100_000));
      p.send(CONTINUATION, 0, 1, Buffer.alloc(50_000));
    },
    'a header block has 150000 bytes when at most 131072 are accepted',
  ],
  [
    'a header bomb: one large entry, referred to thousands of times',
    p => {
      const entry = p.block(['x-bomb', 'b'.repeat(1_900)]);
      p.send(HEADERS, 5, 1, Buffer.concat([entry, Buffer.alloc(5_000, 0xbe)]));
    },
    'a header list grew past',
  ],
];

for (const [name, send, debug] of HEADER_FLOODS) {
  test(`flood: ${name}`, t => {
    const b = bench('server');
    send(b.peer);
    b.pair.flush();
    const goaway = goawayOf(b.peer.take());
    t.match(goaway, { code: ErrorCode.ENHANCE_YOUR_CALM });
    t.match(goaway?.debug, debug);
    t.end();
  });
}

test('flood: a peer that provokes answers and does not read them', t => {
  const http2 = { maxControlBacklogBytes: 1000 };
  const b = bench('server', { http2, channel: { highWaterBytes: 100 } });
  b.pair.right.pause();
  for (let i = 0; i < 100; i++) b.peer.send(PING, 0, 0, Buffer.alloc(8));
  b.pair.flush();
  t.equal(b.connection.state, 'closed');
  t.ok(b.pair.left.bufferedBytes < 2_500, `${b.pair.left.bufferedBytes} bytes held`);
  b.clock.advance(1_000);
  b.pair.flush();
  t.match(b.closes, [{ code: 'protocol', message: /the peer does not read/ }]);
  t.end();
});

test('DATA frames of one stream are not a flood', t => {
  const b = bench('server');
  b.peer.headers(1, POST, false);
  for (let i = 0; i < 20_000; i++) b.peer.send(DATA, 0, 1, Buffer.from('x'));
  b.pair.flush();
  t.equal(b.connection.state, 'open');
  t.end();
});

test('a drained connection lets a slow peer read its last answer', t => {
  const b = bench('server', { channel: { fragment: () => 1_000 } });
  b.peer.headers(1, GET, true);
  b.pair.flush();
  b.connection.drain();
  b.clock.advance(1_000);
  b.pair.right.pause();
  b.requests[0]?.stream.sendHeaders([':status', '200'], false);
  b.requests[0]?.stream.sendData(Buffer.alloc(50_000), true);
  for (let second = 0; second < 45; second++) {
    b.clock.advance(1_000);
    b.pair.right.resume();
    b.pair.step();
    b.pair.right.pause();
  }
  b.pair.right.resume();
  b.pair.right.end();
  b.pair.flush();
  t.same(b.closes, [undefined]);
  t.equal(b.clock.pendingTimers, 0);
  t.end();
});

test('a handler that throws while the connection ends keeps no other from being told', t => {
  const b = bench('client');
  const events: string[] = [];
  const thrower = {
    ...recordingHandler([]),
    onReset: () => {
      throw new Error('bug');
    },
  };
  b.connection.openStream(GET, true, thrower);
  b.connection.openStream(GET, true, recordingHandler(events));
  t.throws(() => b.connection.close(ErrorCode.NO_ERROR, 'bye'), { name: 'AggregateError' });
  t.same(events, ['reset 0 connection']);
  b.clock.advance(1_000);
  b.pair.flush();
  t.equal(b.closes.length, 1);
  t.end();
});
