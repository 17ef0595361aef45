import { test } from 'tap';
import type { ChannelError } from '#shared/engine/channel.ts';
import { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { type NegotiatedChannel, NegotiatedPool } from './negotiated-pool.ts';
import { RecordedAttempt, TEST_LIMITS } from '../testing/recorded-attempt.ts';
import { SharedUse } from './shared-use.ts';

interface Bench {
  readonly pool: NegotiatedPool;
  readonly clock: FakeClock;
  readonly dials: number;
  /** Settles the oldest connection that is being made. @returns whether it was given up at once */
  connect(alpn: string | Error): Promise<boolean>;
  readonly shared: SharedUse;
  start(): RecordedAttempt;
}

function bench(): Bench {
  const clock = new FakeClock();
  const dials: PromiseWithResolvers<NegotiatedChannel>[] = [];
  let dialled = 0;
  const shared = new SharedUse();
  const pool = new NegotiatedPool({
    timers: new CoarseTimers(clock, 100),
    queueTimeoutMs: 3_000,
    connect: () => {
      const dial = Promise.withResolvers<NegotiatedChannel>();
      dials.push(dial);
      dialled++;
      return dial.promise;
    },
  });
  return {
    pool,
    clock,
    shared,
    get dials() {
      return dialled;
    },
    async connect(alpn) {
      const dial = dials.shift();
      const pair = memoryChannelPair();
      const { left, right } = pair;
      right.setHandler({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
      const abort = left.abort.bind(left);
      let aborted = false;
      const channel = Object.assign(left, {
        alpn: String(alpn),
        abort: (reason: ChannelError) => {
          aborted = true;
          abort(reason);
        },
      });
      if (alpn instanceof Error) dial?.reject(alpn);
      else dial?.resolve(channel);
      await new Promise(resolve => setImmediate(resolve));
      pair.flush();
      return aborted;
    },
    start() {
      const attempt = new RecordedAttempt();
      pool.start(attempt, { ...TEST_LIMITS, shared });
      return attempt;
    },
  };
}

const states = (attempts: readonly RecordedAttempt[]): string[] => attempts.map(({ state }) => state);

test('until the server has chosen there is one connection, whoever waits', async t => {
  const b = bench();
  const attempts = [b.start(), b.start()];
  t.equal(b.dials, 1);
  await b.connect('h2');
  t.same(states(attempts), ['sent', 'sent'], 'HTTP/2: both on the first');
  t.equal(b.dials, 1);
  t.equal(b.pool.connections, 1);
  b.pool.close();
});

test('with HTTP/1.1 each has a connection, and the first is the one that was negotiated on', async t => {
  const b = bench();
  const attempts = [b.start(), b.start()];
  await b.connect('');
  t.same(states(attempts), ['sent', 'waiting']);
  t.equal(b.dials, 2);
  await b.connect('http/1.1');
  t.same(states(attempts), ['sent', 'sent']);
  b.pool.close();
});

test('when the first connection fails, all that wait are told, and the next one asks anew', async t => {
  const b = bench();
  const attempts = [b.start(), b.start()];
  await b.connect(new Error('refused'));
  t.same(states(attempts), ['connect_failure', 'connect_failure']);
  const next = b.start();
  await b.connect('h2');
  t.equal(next.state, 'sent');
  t.equal(b.shared.connections, 1, 'counted once');
  b.pool.close();
});

test('a server that chooses another protocol later is asked anew', async t => {
  const b = bench();
  const first = b.start();
  await b.connect('http/1.1');
  const second = b.start();
  await b.connect('h2');
  t.same(states([first, second]), ['sent', 'connect_failure']);
  const third = b.start();
  await b.connect('h2');
  t.equal(third.state, 'sent');
  b.pool.close();
});

test('a connection that nobody waits for any more is given up', async t => {
  const b = bench();
  b.pool.cancel(b.start());
  t.equal(await b.connect('h2'), true);
  t.equal(b.pool.connections, 0);
});

test('an endpoint that is gone leaves nobody waiting', async t => {
  const b = bench();
  const attempt = b.start();
  b.pool.close();
  t.equal(attempt.state, 'connect_failure');
  await b.connect(new Error('refused'));
});
