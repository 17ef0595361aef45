import { test } from 'tap';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { type ConnectionTable, dropsOf } from './connection-table.ts';
import { ConnectionTables, type TablePlace } from './connection-tables.ts';

const NODE: TablePlace = { key: 'node', kind: 'node', name: 'node', netnsFd: undefined };
const pod = (n: number): TablePlace => ({ key: `pod-${n}`, kind: 'pod', name: `pod shop/${n}`, netnsFd: n });

function setUp(places: TablePlace[], tables: Map<number | undefined, ConnectionTable>) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const metrics = new MetricSet();
  const looks: (number | undefined)[] = [];
  const watch = new ConnectionTables({
    places: () => places,
    clock,
    logger: loggerInto(lines),
    metrics,
    read: netnsFd => {
      looks.push(netnsFd);
      return tables.get(netnsFd);
    },
  });
  const value = (name: string, where: string): number | undefined =>
    metrics
      .snapshot()
      .find(f => f.name === name)
      ?.series.find(s => s.labelValues[0] === where)?.value;
  return { clock, lines, looks, value, watch };
}

test('a table that is full: a line, a warning and a count, until it has had room for half a minute', t => {
  const tables = new Map<number | undefined, ConnectionTable>([
    [undefined, { entries: 10, most: 100, drops: 7 }],
    [1, { entries: 50, most: 100, drops: 0 }],
  ]);
  const { clock, lines, value, watch } = setUp([NODE, pod(1)], tables);
  watch.start();
  t.same(watch.warnings(), [], 'what was dropped before it looked is of the past');
  t.same(
    [value('ambient_conntrack_fill_ratio', 'node'), value('ambient_conntrack_fill_ratio', 'pod')],
    [0.1, 0.5],
  );
  tables.set(1, { entries: 100, most: 100, drops: 40 });
  clock.advance(10_000);
  t.match(watch.warnings(), [
    /^connection tracking of pod shop\/1 is full \(100 of 100 entries, 40 packets dropped in 10 s\): new connections hang; raise/,
  ]);
  t.equal(value('ambient_conntrack_drops_total', 'pod'), 40);
  t.equal(value('ambient_conntrack_drops_total', 'node'), 0);
  tables.set(1, { entries: 99, most: 100, drops: 55 });
  clock.advance(10_000);
  t.match(watch.warnings(), [/15 packets dropped/], 'as it is now; dropping is being full, whatever is left');
  tables.set(1, { entries: 98, most: 100, drops: 55 });
  clock.advance(20_000);
  t.equal(watch.warnings().length, 1);
  clock.advance(10_000);
  t.same(watch.warnings(), []);
  t.match(lines, [
    /error\ttest::conntrack\tconnection tracking is full: new connections are dropped\twhere="pod shop\/1" entries=100 most=100 dropped=40/,
    /info\ttest::conntrack\tconnection tracking has room again\twhere="pod shop\/1"/,
  ]);
  watch.stop();
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('many pods are looked at a few at a time, each every ten seconds; one that has gone is not', t => {
  const places = Array.from({ length: 100 }, (_, n) => pod(n + 1));
  const tables = new Map(
    places.map(({ netnsFd }) => [netnsFd, { entries: 1, most: 100, drops: 0 }] as const),
  );
  const { clock, looks, watch } = setUp(places, tables);
  watch.start();
  t.equal(looks.length, 16);
  places.splice(16, 4);
  clock.advance(32_000);
  t.notOk(looks.includes(17));
  t.ok(looks.filter(fd => fd === 1).length >= 3);
  t.ok(looks.filter(fd => fd === 100).length >= 3);
  watch.stop();
  t.end();
});

test('a kernel without connection tracking, or that does not let us in, is left alone', t => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const watch = new ConnectionTables({
    places: () => [NODE, pod(1)],
    clock,
    logger: loggerInto(lines),
    metrics: new MetricSet(),
    read: netnsFd => {
      if (netnsFd !== undefined) throw new Error('EPERM');
      return undefined;
    },
  });
  watch.start();
  clock.advance(60_000);
  t.same(watch.warnings(), []);
  t.equal(lines.length, 1);
  watch.stop();
  t.end();
});

/** [sentence, the file, drops] */
const STATISTICS: readonly (readonly [string, string, number])[] = [
  [
    'two processors',
    'entries  found drop early_drop\n00000004  00000000 0000000a 00000000\n00000004  00000000 00000001 00000000\n',
    11,
  ],
  ['columns of another kernel', 'entries drop  x\n00000004 000000ff 00000000\n', 255],
  ['no such column', 'entries found\n00000004 00000001\n', 0],
  ['nothing', '', 0],
];

for (const [sentence, text, drops] of STATISTICS) {
  test(`what the kernel says of drops: ${sentence}`, t => {
    t.equal(dropsOf(text), drops);
    t.end();
  });
}
