import { createHash, randomBytes } from 'node:crypto';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { ChannelRecorder, tcpPair } from '../testing/loopback.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { ChannelError } from './channel.ts';
import { type BidirectionalCopy, type CopyOptions, type CopyResult, copyBidirectional } from './copy.ts';
import { createTestEngine } from '../testing/engine.ts';

const HOUR_MS = 3_600_000;

interface Joined {
  readonly client: ChannelRecorder;
  readonly server: ChannelRecorder;
  readonly copy: BidirectionalCopy;
  readonly clock: FakeClock;
  readonly results: CopyResult[];
  readonly flush: () => void;
}

function join(options: Partial<CopyOptions> = {}, highWaterBytes = 1_000): Joined {
  const clock = new FakeClock();
  const results: CopyResult[] = [];
  const down = memoryChannelPair({ highWaterBytes });
  const up = memoryChannelPair({ highWaterBytes });
  const onClose = (result: CopyResult): void => void results.push(result);
  const copy = copyBidirectional(down.right, up.left, { clock, ...options, onClose });
  const flush = (): void => {
    for (let busy = true; busy; ) {
      busy = down.step();
      busy = up.step() || busy;
    }
  };
  return {
    client: new ChannelRecorder(down.left),
    server: new ChannelRecorder(up.right),
    copy,
    clock,
    results,
    flush,
  };
}

test('each direction keeps its own half-close, and both ends in order are a clean close', async t => {
  const { client, server, copy, results, flush, clock } = join();
  client.channel.write(Buffer.from('question'));
  client.channel.end();
  flush();
  t.ok(server.ended);
  t.equal(server.text, 'question');
  t.notOk(client.ended);
  t.equal(copy.bytesSent, 8, 'counters are live');
  server.channel.write(Buffer.from('answer'));
  server.channel.end();
  flush();
  t.equal(client.text, 'answer');
  t.same(results, [{ bytesSent: 8, bytesReceived: 6, error: undefined, closedBy: undefined }]);
  t.equal(clock.pendingTimers, 0);
});

test('a reset of one side resets the other and is told apart', async t => {
  for (const side of ['downstream', 'upstream'] as const) {
    const joined = join();
    const [failing, other] =
      side === 'downstream' ? [joined.client, joined.server] : [joined.server, joined.client];
    failing.channel.abort(new ChannelError('aborted', 'crash'));
    joined.flush();
    t.equal(other.error?.code, 'reset');
    t.match(joined.results, [{ closedBy: side, error: { code: 'reset' } }]);
    t.equal(joined.clock.pendingTimers, 0);
  }
});

test('an abort from here (policy, drain) resets both sides once', async t => {
  const { client, server, copy, results, flush } = join();
  copy.abort(new ChannelError('policy', 'denied now'));
  copy.abort(new ChannelError('drain', 'too late'));
  flush();
  t.equal(client.error?.code, 'reset');
  t.equal(server.error?.code, 'reset');
  t.match(results, [{ closedBy: 'local', error: { code: 'policy' } }]);
});

test('a slow reader stops its own direction, not the other', async t => {
  const { client, server, copy, flush } = join({}, 1_000);
  server.channel.pause();
  client.channel.write(Buffer.alloc(10_000));
  client.channel.write(Buffer.alloc(10_000));
  flush();
  client.channel.write(Buffer.alloc(10_000));
  flush();
  t.equal(copy.bytesSent, 20_000, 'no more is read than what overflows the mark');
  server.channel.write(Buffer.from('still moving'));
  flush();
  t.equal(client.text, 'still moving');
  server.channel.resume();
  flush();
  t.equal(copy.bytesSent, 30_000);
  t.equal(server.bytes, 30_000);
});

test('half-closed and quiet for an hour is ended; half-closed and busy is not', async t => {
  const { client, server, results, flush, clock } = join();
  client.channel.end();
  flush();
  for (let i = 0; i < 10; i++) {
    clock.advance(HOUR_MS / 2);
    server.channel.write(Buffer.from('x'));
    flush();
  }
  t.same(results, []);
  clock.advance(1.25 * HOUR_MS);
  flush();
  t.match(results, [{ closedBy: 'local', error: { code: 'timeout', message: /half-closed/ } }]);
  t.equal(clock.pendingTimers, 0);
});

test('an idle timeout, where one is set, is for open connections too', async t => {
  const { results, flush, clock } = join({ idleTimeoutMs: 1_000 });
  clock.advance(1_250);
  flush();
  t.match(results, [{ error: { code: 'timeout', message: /idle/ } }]);
});

test('64 MB of random data over sockets, both ways at once, arrive unchanged', async t => {
  const engine = createTestEngine({ clock: systemClock });
  const down = await tcpPair(engine);
  const up = await tcpPair(engine);
  const finished = Promise.withResolvers<CopyResult>();
  copyBidirectional(down.server, up.server, { clock: systemClock, onClose: finished.resolve });
  const ends = [new ChannelRecorder(down.client), new ChannelRecorder(up.client)];
  const received = ends.map(recorder => {
    const hash = createHash('sha256');
    recorder.onSlice = slice => void hash.update(slice);
    return hash;
  });
  const sent = await Promise.all(ends.map(sendRandom));
  await Promise.all(ends.map(e => e.close()));
  t.equal(received[1]?.digest('hex'), sent[0]);
  t.equal(received[0]?.digest('hex'), sent[1]);
  t.same(await finished.promise, {
    bytesSent: 32_000_000,
    bytesReceived: 32_000_000,
    error: undefined,
    closedBy: undefined,
  });
});

async function sendRandom(end: ChannelRecorder): Promise<string> {
  const hash = createHash('sha256');
  const block = randomBytes(320_000);
  for (let i = 0; i < 100; i++) {
    block.writeUInt32BE(i, i * 100);
    hash.update(block);
    const drains = end.drains;
    if (!end.channel.write(block)) await end.until(() => end.drains > drains || end.closed);
  }
  end.channel.end();
  return hash.digest('hex');
}
