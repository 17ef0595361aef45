import { test } from 'tap';
import { type Lease, leaseObject, mayTake, observe, readLease } from './lease.ts';

const LEASE: Lease = {
  holder: 'other',
  durationMs: 15_000,
  renewTime: '2026-01-01T00:00:00.000000Z',
  acquireTime: '2026-01-01T00:00:00.000000Z',
  transitions: 3,
  resourceVersion: '7',
};
const ID = { namespace: 'mesh', name: 'leader' };

const ROWS: readonly (readonly [sentence: string, holder: string, ageMs: number, may: boolean])[] = [
  ['its own lease, however old', 'me', 60_000, true],
  ['a lease that was released', '', 0, true],
  ['a lease another one renewed a moment ago', 'other', 14_999, false],
  ['a lease that has not changed for its duration', 'other', 15_000, true],
];

test('who may take a lease', t => {
  for (const [sentence, holder, ageMs, may] of ROWS) {
    t.equal(mayTake({ lease: { ...LEASE, holder }, seenMs: 1000 }, 'me', 1000 + ageMs), may, sentence);
  }
  t.end();
});

test('the age of a lease is how long it has not changed here, whatever times are written in it', t => {
  const first = observe(undefined, LEASE, 100);
  t.same(observe(first, { ...LEASE }, 5000), { lease: LEASE, seenMs: 100 });
  const renewed = { ...LEASE, resourceVersion: '8' };
  t.same(observe(first, renewed, 5000), { lease: renewed, seenMs: 5000 });
  t.end();
});

test('a lease of a day, which no replica asks for, is one of a minute', t => {
  const ghost = { spec: { holderIdentity: 'ghost', leaseDurationSeconds: 86_400 } };
  t.equal(readLease(ghost).durationMs, 60_000);
  const observed = observe(undefined, readLease(ghost), 0);
  t.equal(mayTake(observed, 'me', 59_999), false);
  t.equal(mayTake(observed, 'me', 60_000), true);
  t.end();
});

test('a lease that is taken, renewed, released', t => {
  const wall = Date.UTC(2026, 0, 2);
  t.match(leaseObject(ID, 'me', undefined, wall), {
    kind: 'Lease',
    spec: { holderIdentity: 'me', leaseDurationSeconds: 6, leaseTransitions: 0 },
  });
  t.match(leaseObject(ID, 'me', LEASE, wall), {
    metadata: { resourceVersion: '7' },
    spec: {
      holderIdentity: 'me',
      leaseTransitions: 4,
      acquireTime: '2026-01-02T00:00:00.000000Z',
      renewTime: '2026-01-02T00:00:00.000000Z',
    },
  });
  t.match(leaseObject(ID, 'me', { ...LEASE, holder: 'me' }, wall), {
    spec: {
      leaseTransitions: 3,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-02T00:00:00.000000Z',
    },
  });
  t.match(leaseObject(ID, '', { ...LEASE, holder: 'me' }, wall), {
    spec: { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 3 },
  });
  t.end();
});

test('a lease with nonsense in it is a lease that nobody holds', t => {
  t.match(readLease({ spec: { holderIdentity: 7, leaseDurationSeconds: -1 } }), {
    holder: '',
    durationMs: 15_000,
    resourceVersion: '',
  });
  t.end();
});
