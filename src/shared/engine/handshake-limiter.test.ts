import { test } from 'tap';
import { HandshakeLimiter } from './handshake-limiter.ts';

test('places are given in order of arrival, and what is too much is turned away', t => {
  const limiter = new HandshakeLimiter(1, 1);
  const started: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map(name => () => void started.push(name));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three');
  t.equal(limiter.enter(a, '10.0.0.1'), true);
  t.equal(limiter.enter(b, '10.0.0.2'), true);
  t.equal(limiter.enter(c, '10.0.0.3'), false);
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
  t.end();
});

test('one address that finishes nothing leaves places to run and to wait to the others', t => {
  const limiter = new HandshakeLimiter(8, 8);
  const started: string[] = [];
  const enter = (peer: string): (() => void) | undefined => {
    const start = (): void => void started.push(peer);
    return limiter.enter(start, peer) ? start : undefined;
  };
  const hostile = Array.from({ length: 20 }, () => enter('10.6.6.6'));
  t.same(started, ['10.6.6.6', '10.6.6.6'], 'a quarter of the places');
  t.equal(hostile.filter(start => start !== undefined).length, 4, 'and a quarter of the queue');
  t.not(enter('10.0.0.1'), undefined);
  t.same(started.slice(2), ['10.0.0.1'], 'nobody else waits behind it');
  if (hostile[0] !== undefined) limiter.leave(hostile[0], false);
  t.equal(started.at(-1), '10.6.6.6', 'its own queue goes on when one of its own ends');
  t.match(limiter.counts, { active: 3, waiting: 1 });
  t.end();
});
