import { type Test, test } from 'tap';
import { ErrorCode } from './error-code.ts';
import { CLIENT_PREFACE, Flag, FrameType } from './frame.ts';
import { SettingId } from './settings.ts';
import {
  type Bench,
  bench,
  type BenchOptions,
  GET,
  goawayOf,
  POST,
  rawFrame,
  type RawPeer,
  recordingHandler,
  rstOf,
  settingsPayload,
  uint32,
} from './testing/raw-peer.ts';

const {
  DATA,
  HEADERS,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  PUSH_PROMISE,
  PING,
  GOAWAY,
  WINDOW_UPDATE,
  CONTINUATION,
} = FrameType;

/** Ends the connection and sees to it that no timer outlives it. */
function finish(t: Test, b: Bench): void {
  b.connection.close(ErrorCode.NO_ERROR, 'test over');
  b.clock.advance(2_000);
  b.pair.flush();
  t.equal(b.closes.length, 1, 'onClose exactly once');
  t.equal(b.clock.pendingTimers, 0, 'no timer is left');
}

interface Violation {
  readonly rule: string;
  readonly send: (peer: RawPeer) => void;
  /** GOAWAY with this code, or RST_STREAM of stream 1. */
  readonly goaway?: number;
  readonly rst?: number;
  readonly options?: BenchOptions;
}

const open = (peer: RawPeer): void => peer.headers(1, POST, false);
const openEnded = (peer: RawPeer): void => peer.headers(1, POST, true);

const VIOLATIONS: readonly Violation[] = [
  {
    rule: 'a client that does not begin with the preface is refused (§3.4)',
    send: p => p.write(Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')),
    goaway: ErrorCode.PROTOCOL_ERROR,
    options: { handshake: false },
  },
  {
    rule: 'the first frame must be SETTINGS (§3.4)',
    send: p => p.write(CLIENT_PREFACE, rawFrame(PING, 0, 0, Buffer.alloc(8))),
    goaway: ErrorCode.PROTOCOL_ERROR,
    options: { handshake: false },
  },
  {
    rule: 'a frame above SETTINGS_MAX_FRAME_SIZE is refused (§4.2)',
    send: p => p.write(Buffer.from([0x10, 0, 1, DATA, 0, 0, 0, 0, 1])),
    goaway: ErrorCode.FRAME_SIZE_ERROR,
  },
  { rule: 'DATA on stream 0 (§6.1)', send: p => p.data(0, 'x'), goaway: ErrorCode.PROTOCOL_ERROR },
  { rule: 'DATA on an idle stream (§5.1)', send: p => p.data(1, 'x'), goaway: ErrorCode.PROTOCOL_ERROR },
  {
    rule: 'padding as long as the DATA frame (§6.1)',
    send: p => {
      open(p);
      p.send(DATA, Flag.PADDED, 1, Buffer.from([3, 0, 0]));
    },
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'DATA after END_STREAM is a stream error (§5.1)',
    send: p => {
      openEnded(p);
      p.data(1, 'x');
    },
    rst: ErrorCode.STREAM_CLOSED,
  },
  {
    rule: 'HEADERS after END_STREAM is a stream error (§5.1)',
    send: p => {
      openEnded(p);
      p.headers(1, GET, true);
    },
    rst: ErrorCode.STREAM_CLOSED,
  },
  {
    rule: 'HEADERS on an even stream (§5.1.1)',
    send: p => p.headers(2, GET, true),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'HEADERS on a lower stream than before (§5.1.1)',
    send: p => {
      p.headers(5, GET, true);
      p.headers(3, GET, true);
    },
    goaway: ErrorCode.STREAM_CLOSED,
  },
  {
    rule: 'trailers without END_STREAM (§8.1)',
    send: p => {
      open(p);
      p.headers(1, ['a', 'b'], false);
    },
    rst: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'HEADERS on a CONNECT tunnel (§8.5)',
    send: p => {
      p.headers(1, [':method', 'CONNECT', ':authority', '10.0.0.1:80'], false);
      p.headers(1, ['a', 'b'], true);
    },
    rst: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'less DATA than content-length (§8.1.1)',
    send: p => {
      p.headers(1, [...POST, 'content-length', '5'], false);
      p.data(1, 'four', true);
    },
    rst: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'more DATA than content-length (§8.1.1)',
    send: p => {
      p.headers(1, [...POST, 'content-length', '3'], false);
      p.data(1, 'four');
    },
    rst: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'content-length and END_STREAM on HEADERS (§8.1.1)',
    send: p => p.headers(1, [...POST, 'content-length', '3'], true),
    rst: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'a malformed request (§8.3)',
    send: p => p.headers(1, GET.slice(2), true),
    rst: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'another frame within a header block (§4.3)',
    send: p => {
      p.send(HEADERS, 0, 1, p.block(GET));
      p.send(PING, 0, 0, Buffer.alloc(8));
    },
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'CONTINUATION of another stream (§6.10)',
    send: p => {
      p.send(HEADERS, 0, 1, p.block(GET));
      p.send(CONTINUATION, Flag.END_HEADERS, 3);
    },
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'CONTINUATION without HEADERS (§6.10)',
    send: p => p.send(CONTINUATION, 4, 1),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'a header block that does not decode (§4.3)',
    send: p => p.send(HEADERS, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
    goaway: ErrorCode.COMPRESSION_ERROR,
  },
  { rule: 'HEADERS on stream 0 (§6.2)', send: p => p.send(HEADERS, 5, 0), goaway: ErrorCode.PROTOCOL_ERROR },
  {
    rule: 'padding longer than HEADERS (§6.2)',
    send: p => p.send(HEADERS, Flag.PADDED | 5, 1, Buffer.from([9, 0x82])),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'PRIORITY of 4 bytes is a stream error (§6.3)',
    send: p => p.send(PRIORITY, 0, 1, Buffer.alloc(4)),
    rst: ErrorCode.FRAME_SIZE_ERROR,
  },
  {
    rule: 'PRIORITY on stream 0 (§6.3)',
    send: p => p.send(PRIORITY, 0, 0, Buffer.alloc(5)),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'a stream that depends on itself',
    send: p => p.send(PRIORITY, 0, 1, Buffer.from([0, 0, 0, 1, 16])),
    rst: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'RST_STREAM on an idle stream (§6.4)',
    send: p => p.send(RST_STREAM, 0, 1, uint32(8)),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'RST_STREAM of 3 bytes (§6.4)',
    send: p => p.send(RST_STREAM, 0, 1, Buffer.alloc(3)),
    goaway: ErrorCode.FRAME_SIZE_ERROR,
  },
  {
    rule: 'SETTINGS on a stream (§6.5)',
    send: p => p.send(SETTINGS, 0, 1),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'SETTINGS of 5 bytes (§6.5)',
    send: p => p.send(SETTINGS, 0, 0, Buffer.alloc(5)),
    goaway: ErrorCode.FRAME_SIZE_ERROR,
  },
  {
    rule: 'SETTINGS ACK with payload (§6.5)',
    send: p => p.send(SETTINGS, 1, 0, Buffer.alloc(6)),
    goaway: ErrorCode.FRAME_SIZE_ERROR,
  },
  {
    rule: 'SETTINGS_ENABLE_PUSH of 2 (§6.5.2)',
    send: p => p.send(SETTINGS, 0, 0, settingsPayload([SettingId.ENABLE_PUSH, 2])),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'SETTINGS_INITIAL_WINDOW_SIZE of 2^31 (§6.5.2)',
    send: p => p.send(SETTINGS, 0, 0, settingsPayload([SettingId.INITIAL_WINDOW_SIZE, 2 ** 31])),
    goaway: ErrorCode.FLOW_CONTROL_ERROR,
  },
  {
    rule: 'SETTINGS_MAX_FRAME_SIZE of 16383 (§6.5.2)',
    send: p => p.send(SETTINGS, 0, 0, settingsPayload([SettingId.MAX_FRAME_SIZE, 16_383])),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'SETTINGS_ENABLE_CONNECT_PROTOCOL taken back (RFC 8441 §3)',
    send: p => {
      p.send(SETTINGS, 0, 0, settingsPayload([SettingId.ENABLE_CONNECT_PROTOCOL, 1]));
      p.send(SETTINGS, 0, 0, settingsPayload([SettingId.ENABLE_CONNECT_PROTOCOL, 0]));
    },
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'more settings in a frame than anyone needs',
    send: p => p.send(SETTINGS, 0, 0, Buffer.alloc(600)),
    goaway: ErrorCode.ENHANCE_YOUR_CALM,
  },
  {
    rule: 'PUSH_PROMISE (§8.4)',
    send: p => p.send(PUSH_PROMISE, 4, 1, uint32(2)),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'PING on a stream (§6.7)',
    send: p => p.send(PING, 0, 1, Buffer.alloc(8)),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'PING of 7 bytes (§6.7)',
    send: p => p.send(PING, 0, 0, Buffer.alloc(7)),
    goaway: ErrorCode.FRAME_SIZE_ERROR,
  },
  {
    rule: 'GOAWAY on a stream (§6.8)',
    send: p => p.send(GOAWAY, 0, 1, Buffer.alloc(8)),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'GOAWAY of 7 bytes (§6.8)',
    send: p => p.send(GOAWAY, 0, 0, Buffer.alloc(7)),
    goaway: ErrorCode.FRAME_SIZE_ERROR,
  },
  {
    rule: 'WINDOW_UPDATE of 3 bytes (§6.9)',
    send: p => p.send(WINDOW_UPDATE, 0, 0, Buffer.alloc(3)),
    goaway: ErrorCode.FRAME_SIZE_ERROR,
  },
  {
    rule: 'WINDOW_UPDATE of 0 on the connection (§6.9)',
    send: p => p.windowUpdate(0, 0),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'WINDOW_UPDATE of 0 on a stream (§6.9)',
    send: p => {
      open(p);
      p.windowUpdate(1, 0);
    },
    rst: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'WINDOW_UPDATE past 2^31-1 on the connection (§6.9.1)',
    send: p => p.windowUpdate(0, 2 ** 31 - 1),
    goaway: ErrorCode.FLOW_CONTROL_ERROR,
  },
  {
    rule: 'WINDOW_UPDATE past 2^31-1 on a stream (§6.9.1)',
    send: p => {
      open(p);
      p.windowUpdate(1, 2 ** 31 - 1);
    },
    rst: ErrorCode.FLOW_CONTROL_ERROR,
  },
  {
    rule: 'WINDOW_UPDATE on an idle stream (§5.1)',
    send: p => p.windowUpdate(1, 1),
    goaway: ErrorCode.PROTOCOL_ERROR,
  },
  {
    rule: 'DATA beyond the window of the stream (§6.9)',
    send: p => {
      open(p);
      p.data(1, Buffer.alloc(11));
    },
    rst: ErrorCode.FLOW_CONTROL_ERROR,
    options: { http2: { streamWindowBytes: 10 } },
  },
];

for (const violation of VIOLATIONS) {
  test(`refused: ${violation.rule}`, t => {
    const b = bench('server', violation.options ?? {});
    violation.send(b.peer);
    b.pair.flush();
    const frames = b.peer.take();
    t.equal(goawayOf(frames)?.code, violation.goaway, goawayOf(frames)?.debug ?? 'no GOAWAY');
    t.equal(rstOf(frames, 1), violation.rst);
    t.equal(b.connection.state, violation.goaway === undefined ? 'open' : 'closed');
    finish(t, b);
    t.end();
  });
}

test('DATA beyond the window of the connection ends it', t => {
  const options = { streamWindowBytes: 40_000, connectionWindowBytes: 65_535, maxUnconsumedBytes: 0 };
  const b = bench('server', { http2: options });
  for (const id of [1, 3]) {
    b.peer.headers(id, POST, false);
    b.peer.data(id, Buffer.alloc(35_000));
  }
  b.pair.flush();
  t.equal(goawayOf(b.peer.take())?.code, ErrorCode.FLOW_CONTROL_ERROR);
  finish(t, b);
  t.end();
});

test('a request is delivered whatever way its bytes are cut, with padding, priority and CONTINUATION', t => {
  for (let size = 1; size < 40; size++) {
    const b = bench('server', { channel: { fragment: () => size } });
    const block = b.peer.block([...POST, 'x', 'y']);
    const padded = Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 16]), block.subarray(0, 5), Buffer.alloc(4)]);
    b.peer.send(HEADERS, Flag.PADDED | Flag.PRIORITY, 1, padded);
    b.peer.send(CONTINUATION, 0, 1, block.subarray(5, 7));
    b.peer.send(CONTINUATION, Flag.END_HEADERS, 1, block.subarray(7));
    b.peer.send(DATA, Flag.PADDED, 1, Buffer.from([2, 0x61, 0x62, 0, 0]));
    b.peer.send(0xbe, 0xff, 1, Buffer.from('unknown frames are ignored'));
    b.peer.data(1, 'c');
    b.peer.headers(1, ['trailer', '1'], true);
    b.pair.flush();
    const [request] = b.requests;
    t.same(request?.fields, [...POST, 'x', 'y']);
    const text = request?.events.map(e => e.replace(/^data /, '')).join('');
    t.equal(text, 'abcend trailer 1');
    finish(t, b);
  }
  t.end();
});

test('DATA on a stream that both sides have ended breaks the connection (§5.1)', t => {
  const b = bench('server');
  b.peer.headers(1, GET, true);
  b.pair.flush();
  b.requests[0]?.stream.sendHeaders([':status', '204'], true);
  b.peer.data(1, 'late');
  b.pair.flush();
  t.equal(goawayOf(b.peer.take())?.code, ErrorCode.STREAM_CLOSED);
  finish(t, b);
  t.end();
});

test('PING is answered with its own data', t => {
  const b = bench('server');
  b.peer.send(PING, 0, 0, Buffer.from('12345678'));
  b.pair.flush();
  const [pong] = b.peer.take();
  t.match(pong, { type: PING, flags: Flag.ACK, payload: Buffer.from('12345678') });
  finish(t, b);
  t.end();
});

test('half-close: each direction ends on its own', t => {
  const b = bench('server');
  b.peer.headers(1, [':method', 'CONNECT', ':authority', '10.0.0.1:80'], false);
  b.pair.flush();
  const [request] = b.requests;
  request?.stream.sendHeaders([':status', '200'], false);
  request?.stream.sendData(Buffer.from('bye'), true);
  b.pair.flush();
  t.equal(b.connection.openStreams, 1);
  t.same(
    b.peer.take().map(f => [f.type, f.flags]),
    [
      [HEADERS, Flag.END_HEADERS],
      [DATA, Flag.END_STREAM],
    ],
  );
  b.peer.data(1, 'late', true);
  b.pair.flush();
  t.same(request?.events, ['data late', 'end']);
  t.equal(b.connection.openStreams, 0);
  finish(t, b);
  t.end();
});

test('a stream we reset is not complained about when its frames were under way', t => {
  const b = bench('server');
  b.peer.headers(1, POST, false);
  b.pair.flush();
  b.requests[0]?.stream.reset(ErrorCode.CANCEL);
  b.peer.data(1, 'late');
  b.peer.windowUpdate(1, 5);
  b.peer.headers(1, ['late', 'trailer'], true);
  b.pair.flush();
  t.same(
    b.peer.take().map(f => f.type),
    [RST_STREAM],
  );
  t.same(b.requests[0]?.events, []);
  finish(t, b);
  t.end();
});

test('a header list that is too large is answered 431, and the next request is understood', t => {
  const b = bench('server', { http2: { maxHeaderListBytes: 500 } });
  b.peer.headers(1, [...POST, 'x-large', 'v'.repeat(600), 'x-later', 'indexed'], false);
  b.peer.headers(3, [...GET, 'x-later', 'indexed'], true);
  b.pair.flush();
  const frames = b.peer.take();
  const [head] = frames;
  t.same(head && b.peer.decode(head), [':status', '431']);
  t.equal(rstOf(frames, 1), ErrorCode.NO_ERROR);
  t.same(
    b.requests.map(r => r.fields.slice(-2)),
    [['x-later', 'indexed']],
  );
  finish(t, b);
  t.end();
});

test('client: interim heads, response and trailers', t => {
  const b = bench('client');
  const events: string[] = [];
  const stream = b.connection.openStream(GET, true, recordingHandler(events));
  t.equal(stream?.id, 1);
  b.peer.headers(1, [':status', '103', 'link', 'x'], false);
  b.peer.headers(1, [':status', '200', 'content-length', '2'], false);
  b.peer.data(1, 'ok');
  b.peer.headers(1, ['grpc-status', '0'], true);
  b.pair.flush();
  t.same(events, [
    'headers :status 103 link x',
    'headers :status 200 content-length 2',
    'data ok',
    'end grpc-status 0',
  ]);
  finish(t, b);
  t.end();
});

const BAD_RESPONSES: readonly (readonly [rule: string, send: (peer: RawPeer) => void])[] = [
  ['DATA before the head', p => p.data(1, 'x')],
  ['no :status', p => p.headers(1, ['a', 'b'], true)],
  ['101', p => p.headers(1, [':status', '101'], false)],
  ['an interim head that ends the stream', p => p.headers(1, [':status', '100'], true)],
  ['a body for HEAD', p => (p.headers(1, [':status', '200'], false), p.data(1, 'x'))],
];

for (const [rule, send] of BAD_RESPONSES) {
  test(`client refuses: ${rule}`, t => {
    const b = bench('client');
    const events: string[] = [];
    b.connection.openStream([':method', 'HEAD', ...GET.slice(2)], true, recordingHandler(events));
    b.pair.flush();
    send(b.peer);
    b.pair.flush();
    t.equal(rstOf(b.peer.take(), 1), ErrorCode.PROTOCOL_ERROR);
    t.equal(events.at(-1), 'reset 1 local');
    finish(t, b);
    t.end();
  });
}

test('client: the answer to HEAD or 304 may declare a length that does not come', t => {
  const b = bench('client');
  const events: string[] = [];
  b.connection.openStream([':method', 'HEAD', ...GET.slice(2)], true, recordingHandler(events));
  b.peer.headers(1, [':status', '200', 'content-length', '9'], true);
  b.pair.flush();
  t.same(events, ['headers :status 200 content-length 9 end', 'end']);
  finish(t, b);
  t.end();
});

test('an error thrown by a handler costs the connection, not the process', t => {
  const b = bench('server', {
    onStream: () => {
      throw new Error('bug');
    },
  });
  b.peer.headers(1, GET, true);
  b.pair.flush();
  t.equal(goawayOf(b.peer.take())?.code, ErrorCode.INTERNAL_ERROR);
  finish(t, b);
  t.match(b.closes[0]?.message, 'internal error on an HTTP/2 connection: bug');
  t.end();
});
