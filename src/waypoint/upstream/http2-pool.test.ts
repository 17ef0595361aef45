import { test } from 'tap';
import { ExchangeError } from '#shared/http/exchange.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { RecordedAttempt, TEST_LIMITS } from '../testing/recorded-attempt.ts';
import { Http2Pool } from './http2-pool.ts';

const PING = 0x6;
const PREFACE_BYTES = 24;

/** Types of the frames a client has sent, in order. */
function framesOf(sent: Buffer): number[] {
  const types: number[] = [];
  for (let at = PREFACE_BYTES; at + 9 <= sent.length; at += 9 + sent.readUIntBE(at, 3))
    types.push(sent[at + 3] ?? -1);
  return types;
}

test('PINGs of the policy: at its interval, and a server that answers none loses its connection', async t => {
  const clock = new FakeClock();
  const pair = memoryChannelPair();
  const sent: Buffer[] = [];
  pair.right.setHandler({
    onData: slice => void sent.push(Buffer.from(slice)),
    onEnd() {},
    onDrain() {},
    onClose() {},
  });
  const timers = new CoarseTimers(clock, 100);
  const pool = new Http2Pool({ timers, queueTimeoutMs: 3_000, connect: async () => pair.left });
  const attempt = new RecordedAttempt();
  pool.start(attempt, { ...TEST_LIMITS, keepalive: { intervalMs: 5_000, timeoutMs: 1_000 } });
  await new Promise(resolve => setImmediate(resolve));
  const pings = (): number => {
    pair.flush();
    return framesOf(Buffer.concat(sent)).filter(type => type === PING).length;
  };
  t.equal(attempt.state, 'sent');
  clock.advance(4_999);
  t.equal(pings(), 0);
  clock.advance(1);
  t.equal(pings(), 1);
  clock.advance(999);
  t.same([pool.connections, attempt.state], [1, 'sent']);
  clock.advance(1);
  pair.flush();
  t.same([pool.connections, attempt.state], [0, 'connection_closed']);
});

test('a session that has been idle for longer than the policy says is not used again', async t => {
  const clock = new FakeClock();
  let connections = 0;
  const pool = new Http2Pool({
    timers: new CoarseTimers(clock, 100),
    queueTimeoutMs: 3_000,
    connect: async () => {
      connections++;
      return memoryChannelPair().left;
    },
  });
  const start = async (idleTimeoutMs: number): Promise<string> => {
    const attempt = new RecordedAttempt();
    pool.start(attempt, { ...TEST_LIMITS, idleTimeoutMs });
    await new Promise(resolve => setImmediate(resolve));
    attempt.exchange?.abort(new ExchangeError('cancelled', 'the test has seen enough'));
    return `${attempt.state} ${connections}`;
  };
  t.equal(await start(500), 'sent 1');
  clock.advance(400);
  t.equal(await start(500), 'sent 1');
  clock.advance(501);
  t.equal(await start(500), 'sent 2');
  clock.advance(5_000);
  t.equal(await start(Number.POSITIVE_INFINITY), 'sent 2', 'without a bound');
});

test('a session in a tunnel that is going away carries what is under way, and nothing more', async t => {
  const clock = new FakeClock();
  const pairs: ReturnType<typeof memoryChannelPair>[] = [];
  const pool = new Http2Pool({
    timers: new CoarseTimers(clock, 100),
    queueTimeoutMs: 3_000,
    connect: async () => {
      const pair = memoryChannelPair();
      pairs.push(pair);
      return pair.left;
    },
  });
  const start = async (): Promise<RecordedAttempt> => {
    const attempt = new RecordedAttempt();
    pool.start(attempt, TEST_LIMITS);
    await new Promise(resolve => setImmediate(resolve));
    return attempt;
  };
  const first = await start();
  await start();
  t.equal(pairs.length, 1);
  const [carried] = pairs;
  if (carried !== undefined) carried.left.isRetiring = true;
  const third = await start();
  t.same([first.state, third.state, pairs.length], ['sent', 'sent', 2]);
  await start();
  t.equal(pairs.length, 2);
});

test('an upgrade waits for the SETTINGS of its server, which say whether it takes any; others do not', async t => {
  const clock = new FakeClock();
  const pair = memoryChannelPair();
  const pool = new Http2Pool({
    timers: new CoarseTimers(clock, 100),
    queueTimeoutMs: 3_000,
    connect: async () => pair.left,
  });
  const upgrade = new RecordedAttempt(requestHead({ upgrade: 'websocket' }));
  const ordinary = new RecordedAttempt();
  pool.start(ordinary, TEST_LIMITS);
  await new Promise(resolve => setImmediate(resolve));
  pool.start(upgrade, TEST_LIMITS);
  await new Promise(resolve => setImmediate(resolve));
  t.same([ordinary.state, upgrade.state, pool.connections], ['sent', 'waiting', 1]);
  const server = new Http2Connection(
    'server',
    pair.right,
    clock,
    { enableConnectProtocol: true },
    {
      onStream: () => SILENT,
      onGoaway() {},
      onCapacity() {},
      onClose() {},
    },
  );
  pair.flush();
  t.same([upgrade.state, pool.connections], ['sent', 1]);
  server.close(0, 'the test is over');
  pair.flush();
});

/** It answers nothing. */
const SILENT = { onHeaders() {}, onData() {}, onEnd() {}, onReset() {}, onDrain() {} };
