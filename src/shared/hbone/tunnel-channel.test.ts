import { test } from 'tap';
import type { Http2Stream } from '../http2/stream.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import { TunnelChannel } from './tunnel-channel.ts';

const ENDPOINT = { ip: '127.0.0.1', port: 15008 };
const RESET = { code: 8, origin: 'peer', unprocessed: false, message: 'the peer reset it' } as const;

function setUp() {
  const tunnel = new TunnelChannel({
    localAddress: ENDPOINT,
    remoteAddress: ENDPOINT,
    readsAreOwned: false,
  });
  const stream = new CreditedStream();
  tunnel.attach(stream);
  return {
    tunnel,
    stream,
    comes: (text: string) => tunnel.onData(Buffer.from(text)),
    ends: () => tunnel.onEnd([]),
  };
}

/** Counts what the peer may send again. */
class CreditedStream implements Http2Stream {
  readonly id = 1;
  readonly pendingBytes = 0;
  readonly unconsumedBytes = 0;
  readonly localEnded = false;
  readonly remoteEnded = false;
  consumed = 0;

  consume(bytes: number): void {
    this.consumed += bytes;
  }

  sendData(): boolean {
    return true;
  }

  sendOwned(): boolean {
    return true;
  }

  sendHeaders(): void {}
  sendTrailers(): void {}
  reset(): void {}
}

/** What is delivered later has been. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

test('an end without bytes, before anybody listens, is told to who listens', async t => {
  const { tunnel, ends } = setUp();
  ends();
  const heard = new ChannelRecorder(tunnel);
  await turn();
  t.equal(heard.ended, true);
  t.equal(heard.closed, false, 'our direction is open');
});

test('what comes before anybody listens is held, at the cost of its own stream, and its end comes behind it', async t => {
  const { tunnel, stream, comes, ends } = setUp();
  comes('one ');
  comes('two');
  ends();
  t.equal(stream.consumed, 0);
  const heard = new ChannelRecorder(tunnel);
  t.equal(heard.bytes, 0, 'not within the call');
  let textAtEnd = '';
  heard.onEnd = () => (textAtEnd = heard.text);
  await turn();
  t.equal(textAtEnd, 'one two');
  t.equal(stream.consumed, 7);
});

test('what comes after `resume`, and before what was held is delivered, stays behind it', async t => {
  const { tunnel, comes, ends } = setUp();
  const heard = new ChannelRecorder(tunnel);
  tunnel.pause();
  comes('one ');
  tunnel.resume();
  comes('two ');
  ends();
  t.equal(heard.ended, false);
  await turn();
  t.equal(heard.text, 'one two ');
  t.equal(heard.ended, true);
});

test('an end while nobody wants anything waits for `resume`', async t => {
  const { tunnel, ends } = setUp();
  const heard = new ChannelRecorder(tunnel);
  tunnel.pause();
  ends();
  await turn();
  t.equal(heard.ended, false);
  tunnel.resume();
  await turn();
  t.equal(heard.ended, true);
});

test('a handler that pauses gets the rest after `resume`', async t => {
  const { tunnel, comes } = setUp();
  comes('x'.repeat(16 * 1024));
  comes('y'.repeat(16 * 1024));
  const heard = new ChannelRecorder(tunnel);
  heard.onSlice = () => tunnel.pause();
  await turn();
  const first = heard.bytes;
  t.ok(first > 0 && first < 32 * 1024);
  heard.onSlice = () => {};
  tunnel.resume();
  await turn();
  t.equal(heard.bytes, 32 * 1024);
});

test('a reset before anybody listens drops what was held, and is told once', async t => {
  const { tunnel, comes } = setUp();
  comes('one');
  tunnel.onReset(RESET);
  const heard = new ChannelRecorder(tunnel);
  t.equal(heard.closed, false, 'not within the call');
  await turn();
  t.equal(heard.bytes, 0);
  t.match(heard.error, { code: 'reset' });
});
