import { test } from 'tap';
import { countConnections, type Footprint, whatIsLeft } from './footprint.ts';
import { parseChurnReport, total } from './report.ts';

const FIRST: Footprint = { descriptors: 40, residentMb: 100, live: 0, pooled: 3 };
const left = (change: Partial<Footprint>): readonly string[] =>
  whatIsLeft(new Map([['ztunnel', FIRST]]), new Map([['ztunnel', { ...FIRST, ...change }]]));

test('what has not come back is named', async t => {
  for (const [what, change, expected] of [
    ['nothing has changed', {}, []],
    ['less of everything is well', { descriptors: 30, residentMb: 50, pooled: 0 }, []],
    ['one descriptor more is a leak', { descriptors: 41 }, ['ztunnel: 41 descriptors, 40 at first']],
    ['a connection that is still there', { live: 1 }, ['ztunnel: 1 connections or requests are left']],
    ['a pool that keeps more', { pooled: 4 }, ['ztunnel: 4 pooled connections, 3 at first']],
    ['a heap that was not swept', { residentMb: 129 }, []],
    ['memory that grows', { residentMb: 131 }, ['ztunnel: 131 MB, 100 MB at first']],
  ] as const)
    t.same(left(change), expected, what);
  t.same(whatIsLeft(new Map([['ztunnel', FIRST]]), new Map()), ['ztunnel is gone']);
});

test('what the dumps of both tiers say', async t => {
  t.same(countConnections('{"connections":[{},{}]}'), { live: 2, pooled: 0 });
  const thread = {
    inFlight: 1,
    httpConnections: 2,
    tcpConnections: 3,
    hboneSessions: 9,
    upstream: [
      { connections: 4, pending: 5 },
      { connections: 1, pending: 0 },
    ],
  };
  t.same(countConnections(JSON.stringify({ threads: [thread] })), { live: 11, pooled: 5 });
  t.throws(() => countConnections('[]'), { message: /not a dump/ });
});

test('what the churn says', async t => {
  const report = parseChurnReport('noise\n{"counts":{"orderly":2,"silent":1},"faults":["x"]}\n');
  t.same(report, { counts: { orderly: 2, silent: 1 }, faults: ['x'] });
  t.equal(total(report), 3);
  t.throws(() => parseChurnReport('killed'), { message: /said nothing: killed/ });
});
