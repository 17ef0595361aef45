import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { HandshakeLimiter, type LimitedHandshake } from './handshake-limiter.ts';

/** Handshakes by their addresses, and what became of them. */
class Lab {
  readonly clock = new FakeClock();
  readonly limiter: HandshakeLimiter;
  readonly started: string[] = [];
  readonly evicted: string[] = [];

  constructor(maxActive: number, maxWaiting: number) {
    this.limiter = new HandshakeLimiter(this.clock, maxActive, maxWaiting);
  }

  /** @param isOurs it is for us to go on, the other side has said all it has to */
  enter(peer: string, isOurs = false): LimitedHandshake | undefined {
    let since: number | undefined;
    const handshake: LimitedHandshake = {
      peer,
      start: () => {
        this.started.push(peer);
        since = isOurs ? undefined : this.clock.monotonic();
      },
      waitsSince: () => since,
      evict: () => {
        this.evicted.push(peer);
        this.limiter.leave(handshake, false);
      },
    };
    return this.limiter.enter(handshake) ? handshake : undefined;
  }

  many(count: number, peer: (i: number) => string, isOurs = false): number {
    return Array.from({ length: count }, (_, i) => this.enter(peer(i), isOurs)).filter(
      one => one !== undefined,
    ).length;
  }
}

test('places are given in order of arrival, and what is too much is turned away', t => {
  const lab = new Lab(1, 1);
  const { limiter, started } = lab;
  const [a, b, c] = ['a', 'b', 'c'].map(peer => lab.enter(peer));
  if (a === undefined || b === undefined) throw new Error('two');
  t.equal(c, undefined);
  t.same(started, ['a']);
  limiter.leave(a, true);
  t.same(started, ['a', 'b']);
  limiter.leave(b, false);
  t.same(limiter.counts, {
    active: 0,
    waiting: 0,
    startedTotal: 2,
    okTotal: 1,
    failedTotal: 1,
    rejectedTotal: 1,
  });
  t.equal(lab.clock.pendingTimers, 0, 'no timer is left');
  t.end();
});

test('one address that finishes nothing leaves places to run and to wait to the others', t => {
  const lab = new Lab(8, 8);
  const { limiter, started } = lab;
  const hostile = Array.from({ length: 20 }, () => lab.enter('10.6.6.6'));
  t.same(started, ['10.6.6.6', '10.6.6.6'], 'a quarter of the places');
  t.equal(hostile.filter(one => one !== undefined).length, 4, 'and a quarter of the queue');
  t.not(lab.enter('10.0.0.1'), undefined);
  t.same(started.slice(2), ['10.0.0.1'], 'nobody else waits behind it');
  if (hostile[0] !== undefined) limiter.leave(hostile[0], false);
  t.equal(started.at(-1), '10.6.6.6', 'its own queue goes on when one of its own ends');
  t.match(limiter.counts, { active: 3, waiting: 1 });
  t.end();
});

test('the next place is for the address that has the fewest', t => {
  const lab = new Lab(4, 16);
  const first = lab.enter('a');
  lab.many(3, i => `b${i}`);
  lab.many(4, () => 'b0');
  lab.enter('c');
  if (first === undefined) throw new Error('one');
  lab.limiter.leave(first, true);
  t.equal(lab.started.at(-1), 'c', 'not for who has one, though he came before');
  t.end();
});

test('several addresses that hold every place and say nothing lose one to each that has none', t => {
  const lab = new Lab(8, 32);
  t.equal(
    lab.many(40, i => `evil-${i % 4}`),
    40,
  );
  t.same([lab.limiter.counts.active, lab.limiter.counts.waiting], [8, 32]);
  t.not(lab.enter('good'), undefined, 'it has a place in the queue, which the longest gives');
  t.equal(lab.evicted.length, 1);
  lab.clock.advance(999);
  t.notOk(lab.started.includes('good'), 'who has come a moment ago is waited for');
  lab.clock.advance(1);
  t.equal(lab.started.at(-1), 'good');
  t.same(lab.limiter.counts.active, 8);
  t.end();
});

test('who has done his part loses nothing: that we are slow is not his fault', t => {
  const lab = new Lab(8, 32);
  lab.many(8, i => `storm-${i % 4}`, true);
  lab.enter('late');
  lab.clock.advance(10_000);
  t.notOk(lab.started.includes('late'));
  t.same(lab.evicted, []);
  t.end();
});

test('addresses that have a place each do not take those of others', t => {
  const lab = new Lab(4, 16);
  lab.many(4, i => `one-${i}`);
  lab.many(4, i => `one-${i}`);
  lab.clock.advance(10_000);
  t.same(lab.evicted, []);
  t.end();
});
