import { test } from 'tap';
import { parsePrometheusText } from '../../traffic/prometheus-text.ts';
import { type Scrape, TrafficLog } from './traffic-log.ts';

const LABELS = (name: string): string =>
  `reporter="source",source_workload="${name}",source_workload_namespace="shop",destination_workload="b",destination_workload_namespace="shop"`;

function scrape(atMs: number, lines: string): Scrape {
  return { pod: 'shop/z', atMs, samples: parsePrometheusText(lines) };
}

/** So many connections were opened, and closed, of workload `name`. */
function connections(name: string, opened: number, closed: number): string {
  return `istio_tcp_connections_opened_total{${LABELS(name)}} ${opened}\nistio_tcp_connections_closed_total{${LABELS(name)}} ${closed}`;
}

function logOf(): TrafficLog {
  return new TrafficLog({ windowMs: 20_000, memoryMs: 600_000, maxFlows: 3 });
}

test('rates are over what has passed of the window', t => {
  const log = logOf();
  t.equal(
    log.record(0, new Map([['z', scrape(0, connections('a', 100, 90))]])),
    undefined,
    'nothing to compare with',
  );
  t.match(
    log.window(),
    { seconds: 0, flows: [{ open: 10, count: { opened: 0 } }] },
    'what is open is known at once',
  );
  const passed = log.record(5_000, new Map([['z', scrape(5_000, connections('a', 110, 90))]]));
  t.match(passed, { seconds: 5, flows: [{ open: 20, count: { opened: 10 } }] });
  log.record(10_000, new Map([['z', scrape(10_000, connections('a', 111, 111))]]));
  t.match(log.window(), { seconds: 10, flows: [{ open: 0, count: { opened: 11 } }] }, 'of both together');
  for (const at of [15_000, 20_000, 25_000, 30_000])
    log.record(at, new Map([['z', scrape(at, connections('a', 111, 111))]]));
  t.match(log.window(), { seconds: 20, flows: [{ count: { opened: 0 } }] }, 'who is silent is remembered');
  t.end();
});

test('a proxy that is started anew counts from nothing', t => {
  const log = logOf();
  log.record(0, new Map([['z', scrape(0, connections('a', 100, 100))]]));
  log.record(5_000, new Map([['z', scrape(5_000, connections('a', 3, 1))]]));
  t.match(log.window().flows, [{ open: 2, count: { opened: 3 } }]);
  t.end();
});

test('a proxy that does not answer once is caught up with, one that was away for long starts anew', t => {
  const log = logOf();
  log.record(0, new Map([['z', scrape(0, connections('a', 100, 100))]]));
  log.record(5_000, new Map());
  log.record(10_000, new Map([['z', scrape(10_000, connections('a', 104, 104))]]));
  t.match(log.window().flows, [{ count: { opened: 4 } }]);
  log.record(100_000, new Map());
  log.record(105_000, new Map([['z', scrape(105_000, connections('a', 900, 900))]]));
  t.match(log.window().flows, [{ count: { opened: 0 } }]);
  t.end();
});

test('so many flows and no more, and those that were silent for long make room', t => {
  const log = logOf();
  const four = ['a', 'b', 'c', 'd'].map(name => connections(name, 2, 1)).join('\n');
  log.record(0, new Map([['z', scrape(0, four)]]));
  log.record(5_000, new Map([['z', scrape(5_000, four)]]));
  t.equal(log.window().flows.length, 3);
  t.ok(log.isFull);
  log.record(10_000, new Map([['z', scrape(10_000, connections('a', 2, 2))]]));
  log.record(700_000, new Map([['z', scrape(700_000, '')]]));
  t.equal(log.window().flows.length, 0);
  t.notOk(log.isFull);
  t.end();
});

test('what was refused is remembered for longer than a rate', t => {
  const log = logOf();
  const denied = (n: number): string =>
    `istio_tcp_connections_failed_total{${LABELS('a')},response_flags="DENY"} ${n}`;
  log.record(0, new Map([['z', scrape(0, denied(0))]]));
  log.record(5_000, new Map([['z', scrape(5_000, denied(2))]]));
  for (let at = 10_000; at <= 60_000; at += 5_000) log.record(at, new Map([['z', scrape(at, denied(2))]]));
  t.match(log.window().flows, [{ denied: 2, count: { denied: 0 } }]);
  t.end();
});
