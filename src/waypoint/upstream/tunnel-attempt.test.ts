import { test } from 'tap';
import { ChannelError } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { TEST_LIMITS } from '../testing/recorded-attempt.ts';
import type { UpstreamPool } from './attempt.ts';
import { StaleConnectionError, TunnelAttempt, TunnelRefusedError } from './tunnel-attempt.ts';

const head = requestHead({ method: 'CONNECT', authority: 'a.example:443' });
const PREFIX = 'CONNECT a.example:443 through the proxy 10.0.0.1:3128: ';

interface Bench {
  readonly attempt: TunnelAttempt;
  readonly clock: FakeClock;
  /** What was asked of pool and exchange. */
  readonly asked: string[];
  /** The error it ends with; undefined: it is open. */
  readonly outcome: Promise<ChannelError | undefined>;
  /** It gets a connection. */
  connect(reused?: boolean): void;
}

function bench(): Bench {
  const asked: string[] = [];
  const pool: UpstreamPool = {
    connections: 0,
    pending: 0,
    start: () => void asked.push('start'),
    cancel: () => void asked.push('cancel'),
    close() {},
    retire() {},
    reap() {},
  };
  const clock = new FakeClock();
  const attempt = new TunnelAttempt(head, { ip: '10.0.0.1', port: 3128 }, false);
  const exchange = {
    sendBody: () => true,
    endBody() {},
    abort: () => void asked.push('abort'),
    resumeBody() {},
  };
  const outcome = attempt.open(pool, TEST_LIMITS, clock, 1_000).then(
    () => undefined,
    (error: unknown) => (error instanceof ChannelError ? error : undefined),
  );
  return {
    attempt,
    clock,
    asked,
    outcome,
    connect: (reused = false) => attempt.onExchange(exchange, reused),
  };
}

const answer = (b: Bench, status: number): void =>
  b.attempt.onResponse({ status, headers: [], contentLength: undefined });

const lost = new ExchangeError('connection_closed', 'closed before a response');
const refused = new ChannelError('connect_refused', 'refused');

const FAILURES: readonly (readonly [string, (b: Bench) => void, string, string, readonly string[]])[] = [
  [
    'no connection, for a reason of its own',
    b => b.attempt.onNoExchange(new ExchangeError('connect_failure', 'nobody', { cause: refused })),
    'connect_refused',
    'nobody',
    ['start'],
  ],
  [
    'too many wait for one',
    b => b.attempt.onNoExchange(new ExchangeError('overflow', 'too many')),
    'protocol',
    'too many',
    ['start'],
  ],
  [
    'a new connection that is lost',
    b => {
      b.connect();
      b.attempt.onAbort(lost);
    },
    'protocol',
    'closed before a response',
    ['start'],
  ],
  [
    'an answer that is no tunnel',
    b => {
      b.connect();
      answer(b, 403);
    },
    'connect_refused',
    'answered with 403',
    ['start', 'abort'],
  ],
  [
    'no connection in time',
    b => b.clock.advance(1_000),
    'connect_timeout',
    'no answer within 1000 ms',
    ['start', 'cancel'],
  ],
  [
    'no answer in time',
    b => {
      b.connect();
      b.clock.advance(1_000);
    },
    'connect_timeout',
    'no answer within 1000 ms',
    ['start', 'abort'],
  ],
];

test('why there is no tunnel', async t => {
  for (const [name, happen, code, message, asked] of FAILURES) {
    const b = bench();
    happen(b);
    t.match(await b.outcome, { code, message: `${PREFIX}${message}` }, name);
    t.same(b.asked, asked, name);
  }
});

test('who may try again, and who was told no', async t => {
  const stale = bench();
  stale.connect(true);
  stale.attempt.onAbort(lost);
  t.ok((await stale.outcome) instanceof StaleConnectionError, 'a connection that had been used before');
  const fresh = bench();
  fresh.connect();
  fresh.attempt.onAbort(lost);
  t.notOk((await fresh.outcome) instanceof StaleConnectionError);
  const told = bench();
  told.connect();
  answer(told, 407);
  const error = await told.outcome;
  t.equal(error instanceof TunnelRefusedError ? error.status : 0, 407);
});

test('once it is open the time is over, and later answers are nobody’s', async t => {
  const b = bench();
  b.connect();
  b.attempt.onInformational();
  answer(b, 200);
  b.clock.advance(5_000);
  answer(b, 500);
  t.equal(await b.outcome, undefined);
  t.same(b.asked, ['start']);
  const late = bench();
  late.clock.advance(1_000);
  late.connect();
  await late.outcome;
  t.same(late.asked, ['start', 'cancel', 'abort'], 'a connection that comes too late is given up');
});
