import { test } from 'tap';
import type { ByteChannel } from '#shared/engine/channel.ts';
import { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { type MemoryChannel, memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { DEFAULT_POOL } from '#shared/route/traffic-policy.ts';
import type { AppProtocol } from '#shared/workload/workload.ts';
import { RecordedAttempt, TEST_LIMITS } from '../testing/recorded-attempt.ts';
import type { PoolLimits } from './attempt.ts';
import { chooseUpstreamProtocol } from './choose-protocol.ts';
import { Http1Pool } from './http1-pool.ts';
import { shareOf, SharedUse, UNLIMITED } from './shared-use.ts';

test('what is spoken with an endpoint', t => {
  const rows: readonly (readonly [AppProtocol | undefined, 'http1' | 'http2', string | undefined, string])[] =
    [
      ['http11', 'http2', undefined, 'http1'],
      ['http2', 'http1', undefined, 'http2'],
      ['grpc', 'http1', undefined, 'http2'],
      ['unknown', 'http1', undefined, 'http1'],
      ['unknown', 'http2', undefined, 'http2'],
      [undefined, 'http2', undefined, 'http2'],
      ['unknown', 'http2', 'websocket', 'http1'],
      ['http2', 'http1', 'websocket', 'http2'],
    ];
  for (const [declared, downstream, upgrade, chosen] of rows) {
    t.equal(
      chooseUpstreamProtocol(declared, downstream, { upgrade }),
      chosen,
      `${declared} from ${downstream}`,
    );
  }
  const speak = (over: Partial<typeof DEFAULT_POOL>, upgrade: string | undefined): string =>
    chooseUpstreamProtocol('http11', 'http1', { upgrade }, { ...DEFAULT_POOL, ...over });
  t.equal(speak({ h2Upgrade: true }, undefined), 'http2', 'a policy may ask for HTTP/2');
  t.equal(speak({ h2Upgrade: true }, 'websocket'), 'http1', 'but a WebSocket needs what the port speaks');
  t.equal(
    chooseUpstreamProtocol(
      'http2',
      'http1',
      { upgrade: undefined },
      { ...DEFAULT_POOL, useClientProtocol: true },
    ),
    'http1',
  );
  t.end();
});

interface PoolBench {
  readonly pool: Http1Pool;
  readonly clock: FakeClock;
  /** The server's ends, in order of connecting. */
  readonly servers: MemoryChannel[];
  /** The pool's ends. */
  readonly clients: MemoryChannel[];
  /** Settles the oldest connection attempt. */
  connect(error?: Error): Promise<void>;
  answer(server: number, fields?: string): void;
  start(limits?: Partial<PoolLimits>, fresh?: boolean): RecordedAttempt;
}

function bench(): PoolBench {
  const clock = new FakeClock();
  const dials: { resolve: (channel: ByteChannel) => void; reject: (error: Error) => void }[] = [];
  const servers: MemoryChannel[] = [];
  const clients: MemoryChannel[] = [];
  const pairs: ReturnType<typeof memoryChannelPair>[] = [];
  const pool = new Http1Pool({
    timers: new CoarseTimers(clock, 100),
    queueTimeoutMs: 3_000,
    connect: () => new Promise((resolve, reject) => dials.push({ resolve, reject })),
  });
  return {
    pool,
    clock,
    servers,
    clients,
    async connect(error) {
      const dial = dials.shift();
      if (error !== undefined) dial?.reject(error);
      else {
        const pair = memoryChannelPair();
        pairs.push(pair);
        servers.push(pair.right);
        clients.push(pair.left);
        pair.right.setHandler({ onData() {}, onEnd: () => pair.right.end(), onDrain() {}, onClose() {} });
        dial?.resolve(pair.left);
      }
      await new Promise(resolve => setImmediate(resolve));
    },
    answer(server, fields = '') {
      servers[server]?.write(Buffer.from(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`));
      for (const pair of pairs) pair.flush();
    },
    start(limits = {}, fresh = false) {
      const attempt = new RecordedAttempt();
      attempt.fresh = fresh;
      pool.start(attempt, { ...TEST_LIMITS, ...limits });
      return attempt;
    },
  };
}

test('a connection is made for each that waits, up to the limit, and used again', async t => {
  const b = bench();
  const [first, second, third] = [b.start(), b.start(), b.start({ maxPendingRequests: 9 })];
  await b.connect();
  await b.connect();
  t.same([first.state, second.state, third.state], ['sent', 'sent', 'waiting']);
  t.equal(b.pool.connections, 2);
  b.answer(0);
  t.same([first.state, third.state, third.reused], ['done', 'sent', true]);
});

test('a request whose idle connection was found closed takes no other idle one', async t => {
  const b = bench();
  b.start();
  await b.connect();
  b.answer(0);
  const stale = b.start({}, true);
  t.equal(stale.state, 'waiting', 'one is idle, and may have ended as the other had');
  await b.connect();
  t.same([stale.state, stale.reused], ['sent', false]);
});

/** What a GOAWAY to the session that carries it does. */
function retire(channel: MemoryChannel | undefined): void {
  if (channel !== undefined) channel.isRetiring = true;
}

test('a connection in a tunnel that is going away carries what is under way, and nothing more', async t => {
  const b = bench();
  const [busy, idle] = [b.start(), b.start()];
  await b.connect();
  await b.connect();
  b.answer(1);
  t.same([busy.state, idle.state, b.pool.connections], ['sent', 'done', 2]);
  for (const client of b.clients) retire(client);
  const next = b.start();
  t.equal(next.state, 'waiting', 'the idle one is not used');
  await b.connect();
  t.same([next.state, next.reused], ['sent', false]);
  b.answer(0);
  t.equal(busy.state, 'done');
  b.answer(2);
  t.same([next.state, b.pool.connections], ['done', 1], 'both are closed, the third is kept');
});

test('a first request is sent though the tunnel is going away already', async t => {
  const b = bench();
  const first = b.start();
  const connected = b.connect();
  retire(b.clients[0]);
  await connected;
  t.equal(first.state, 'sent');
});

test('beyond the limit of waiting requests: overflow', async t => {
  const b = bench();
  const attempts = Array.from({ length: 3 }, () => b.start());
  t.equal(attempts[2]?.state, 'overflow');
  t.equal(b.pool.pending, 2);
});

test('a failed connection leaves nobody waiting for one that is not being made', async t => {
  const b = bench();
  const limits = { maxConnections: 1, maxPendingRequests: 9 };
  const [first, second, third] = [b.start(limits), b.start(limits), b.start(limits)];
  await b.connect(new Error('refused'));
  t.same([first.state, second.state, third.state], ['connect_failure', 'waiting', 'waiting']);
  await b.connect(new Error('refused'));
  t.same([second.state, third.state], ['connect_failure', 'waiting']);
  await b.connect();
  t.equal(third.state, 'sent');
});

test('a failed connection costs one request its try', async t => {
  const b = bench();
  const [first, second] = [b.start(), b.start()];
  await b.connect(new Error('refused'));
  t.same([first.state, second.state], ['connect_failure', 'waiting']);
  await b.connect();
  t.equal(second.state, 'sent');
});

test('when every connection fails, each that waits is told', async t => {
  const b = bench();
  const attempts = [b.start({ maxConnections: 1 }), b.start({ maxConnections: 1 })];
  await b.connect(new Error('refused'));
  await b.connect(new Error('refused'));
  t.same(
    attempts.map(attempt => attempt.state),
    ['connect_failure', 'connect_failure'],
  );
});

test('a request given up while it waits is passed over', async t => {
  const b = bench();
  const [first, second] = [b.start(), b.start()];
  b.pool.cancel(first);
  await b.connect();
  t.same([first.state, second.state], ['waiting', 'sent']);
});

test('a server that closes after each response is dialled again for those who wait', async t => {
  const b = bench();
  const first = b.start({ maxConnections: 1 });
  const second = b.start({ maxConnections: 1 });
  await b.connect();
  b.answer(0, 'Connection: close\r\n');
  t.equal(first.state, 'done');
  t.equal(second.state, 'waiting');
  await b.connect();
  t.equal(second.state, 'sent');
});

test('maxRequestsPerConnection is kept', async t => {
  const b = bench();
  b.start({ maxRequestsPerConnection: 1 });
  await b.connect();
  b.answer(0);
  t.equal(b.pool.connections, 0);
});

test('idle connections are reaped by age, retired ones serve who waits and close', async t => {
  const b = bench();
  b.start();
  await b.connect();
  b.answer(0);
  t.equal(b.pool.connections, 1);
  b.pool.reap(b.clock.monotonic(), 0);
  t.equal(b.pool.connections, 1, 'not old enough');
  b.pool.reap(b.clock.monotonic() + 1, 0);
  t.equal(b.pool.connections, 0);
  const waiting = b.start();
  b.pool.retire();
  await b.connect();
  t.equal(waiting.state, 'sent');
  b.answer(1);
  t.equal(waiting.state, 'done');
  t.equal(b.pool.connections, 0);
});

test('a closed pool tells those who wait', async t => {
  const b = bench();
  const waiting = b.start();
  b.pool.close();
  t.equal(waiting.state, 'connect_failure');
});

test('bounds of the service hold over all its endpoints, except that each gets a first connection', async t => {
  const shared = new SharedUse();
  shared.limit({ ...UNLIMITED, maxConnections: 1, maxPending: 2 }, new FakeClock());
  const [a, b] = [bench(), bench()];
  const first = a.start({ shared });
  await a.connect();
  t.equal(first.state, 'sent');
  const second = a.start({ shared });
  t.equal(a.pool.connections, 1, 'no second connection to the same endpoint');
  const other = b.start({ shared });
  t.equal(b.pool.connections, 1, 'another endpoint would never be reached otherwise');
  t.equal(a.start({ shared }).state, 'overflow', 'two wait already');
  a.answer(0);
  t.equal(second.state, 'sent');
  await b.connect();
  t.equal(other.state, 'sent');
  t.same([shared.connections, shared.pending], [2, 0]);
  a.answer(0, 'Connection: close\r\n');
  t.equal(shared.connections, 1);
});

test('nobody waits longer than the timeout of the queue; then it fails fast, until a connection is there', async t => {
  const b = bench();
  const hung = b.start();
  b.clock.advance(2_900);
  t.equal(hung.state, 'waiting');
  b.clock.advance(400);
  t.equal(hung.state, 'connect_failure');
  t.equal(b.start().state, 'connect_failure', 'told at once');
  t.equal(b.pool.connections, 1, 'the dial goes on');
  await b.connect();
  t.equal(b.start().state, 'sent');
});

test('a queue that fails fast tries one connection at a time', async t => {
  const b = bench();
  b.start();
  b.clock.advance(3_300);
  await b.connect(new Error('no route'));
  t.equal(b.pool.connections, 0);
  t.same([b.start().state, b.start().state], ['connect_failure', 'connect_failure']);
  t.equal(b.pool.connections, 1);
  await b.connect();
  t.equal(b.start().state, 'sent');
});

test('who waits for busy connections for too long is told that they are busy', async t => {
  const b = bench();
  b.start({ maxConnections: 1 });
  await b.connect();
  const waiting = b.start({ maxConnections: 1 });
  b.clock.advance(3_300);
  t.equal(waiting.state, 'overflow');
  b.answer(0);
  t.equal(b.start({ maxConnections: 1 }).state, 'sent', 'one that has become free ends it');
});

test('a connection older than the policy allows is used no more', async t => {
  const b = bench();
  b.start({ maxConnectionDurationMs: 1_000 });
  await b.connect();
  b.clock.advance(1_000);
  b.answer(0);
  t.equal(b.pool.connections, 0);
});

test("idle time of the policy wins over the waypoint's", async t => {
  const b = bench();
  b.start({ idleTimeoutMs: 500 });
  await b.connect();
  b.answer(0);
  b.clock.advance(501);
  b.pool.reap(b.clock.monotonic(), 60_000);
  t.equal(b.pool.connections, 0);
});

test('what has been idle for longer than the policy says is not used again, though nobody has reaped it', async t => {
  const b = bench();
  const limits = { idleTimeoutMs: 500 };
  b.start(limits);
  await b.connect();
  b.answer(0);
  b.clock.advance(400);
  t.equal(b.start(limits).state, 'sent', 'not that long');
  b.answer(0);
  b.clock.advance(501);
  const late = b.start(limits);
  t.equal(late.state, 'waiting');
  await b.connect();
  t.same([late.state, late.reused], ['sent', false]);
});

test('threads share a bound; each has at least one', t => {
  t.equal(shareOf(100, 4), 25);
  t.equal(shareOf(10, 4), 3);
  t.equal(shareOf(1, 4), 1);
  t.equal(shareOf(undefined, 4), Number.POSITIVE_INFINITY);
  t.end();
});
