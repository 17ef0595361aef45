import { test } from 'tap';
import { BENCH_SERVICES, pathOf, rulePrefixes } from './address-plan.ts';
import { grpcMessage } from './answer-body.ts';
import { h2loadArgs, parseH2load, parseH2loadLog, percentilesMs } from './h2load.ts';
import { BODIES, cellName, cellsOf, l7Metrics, PROTOCOLS, streamsOf, tableCostName, TABLES } from './plan.ts';

test('what is measured', async t => {
  const quick = cellsOf({ protocols: ['h1'], full: false }).map(cellName);
  t.same(quick, [
    'h1, 1 KB, 1 connection',
    'h1, 1 KB, 32 connections',
    'h1, 1 KB, 512 connections',
    'h1, 1 MB, 32 connections',
    'h1, 1 KB, 32 connections, 1000 rules',
  ]);
  const full = cellsOf({ protocols: PROTOCOLS, full: true });
  t.equal(full.length, 54, 'every protocol, table, body and number of connections');
  t.equal(new Set(full.map(cellName)).size, 54, 'each under a name of its own');
  t.equal(streamsOf({ protocol: 'h1', rules: 1, body: '1 KB', connections: 32 }), 1, 'HTTP/1.1 does one');
  t.equal(streamsOf({ protocol: 'grpc', rules: 1, body: '1 KB', connections: 1 }), 10);
});

test('what each engine must reach', async t => {
  const goals = (engine: 'native' | 'node'): readonly unknown[] =>
    l7Metrics({ protocols: PROTOCOLS, full: false }, engine)
      .filter(metric => metric.name.endsWith('32 connections: RPS') && metric.name.includes('1 KB'))
      .map(metric => metric.goal);
  const atLeast = (value: number): unknown => ({ kind: 'ratio_at_least', value });
  t.same(goals('node'), [atLeast(2), atLeast(1.2), atLeast(1.2)], 'the portable one, of issue 5');
  t.same(goals('native'), [atLeast(3), atLeast(2), atLeast(2)], 'the native one, of issue 6');
  const metrics = l7Metrics({ protocols: ['h1'], full: false }, 'native');
  const goalOf = (name: string): unknown => metrics.find(metric => metric.name === name)?.goal;
  t.same(goalOf('h1, 1 KB, 32 connections: p99'), { kind: 'ratio_at_most', value: 1 });
  t.same(goalOf(tableCostName('h1')), { kind: 'at_most', value: 1.05 }, 'whatever the peer needs');
});

test('the last rule of a table is the one that matches, and no other', async t => {
  for (const rules of TABLES) {
    const prefixes = rulePrefixes(rules);
    t.equal(prefixes.length, rules);
    for (const body of BODIES)
      t.same(
        prefixes.flatMap((prefix, i) => (pathOf(body).startsWith(prefix) ? [i] : [])),
        [rules - 1],
      );
  }
});

test('every service has an address and a port of its own', async t => {
  const unique = (of: (service: (typeof BENCH_SERVICES)[number]) => unknown): number =>
    new Set(BENCH_SERVICES.map(of)).size;
  t.equal(
    unique(service => service.vip),
    BENCH_SERVICES.length,
  );
  t.equal(
    unique(service => service.edgePort),
    BENCH_SERVICES.length,
  );
});

test('a message of gRPC says how long it is', async t => {
  const message = grpcMessage(1024);
  t.equal(message.length, 1024);
  t.equal(message.readUInt32BE(1), 1019);
});

const PRINTED = `finished in 2.01s, 3555.50 req/s, 247.61KB/s
requests: 7111 total, 7121 started, 7111 done, 7111 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 7112 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 7.61MB (7974708) total, 59.05KB (60472) headers (space savings 83.93%), 7.35MB (7281664) data`;

test('what h2load prints', async t => {
  t.same(parseH2load(PRINTED, 1024), { requests: 7111, requestsPerSecond: 3555.5 });
  for (const kind of ['failed', 'errored', 'timeout'])
    t.throws(() => parseH2load(PRINTED.replace(`0 ${kind}`, `3 ${kind}`), 1024), {
      message: new RegExp(`3 requests ${kind}`),
    });
  t.throws(() => parseH2load(PRINTED, 1025), /7281664 bytes came in 7111 answers/, 'an answer was cut short');
  t.throws(() => parseH2load('unable to connect', 1024), /no .* in: unable/);
});

test('what h2load writes of each request', async t => {
  const durations = parseH2loadLog('1700\t200\t3000\n1701\t200\t1000\n1702\t200\t2000\n');
  t.same(durations, [3000, 1000, 2000]);
  t.same(percentilesMs(durations, [0, 0.5, 0.99]), [1, 2, 3]);
  t.same(percentilesMs([], [0.5]), [Number.NaN], 'nothing was measured');
});

test('gRPC is posted, with its fields', async t => {
  const target = { url: 'http://x/', connections: 2, streams: 3, seconds: 4, logPath: '/log' };
  t.notOk(h2loadArgs(target).includes('-d'));
  const grpc = h2loadArgs({ ...target, messagePath: '/message' });
  t.same(grpc.slice(grpc.indexOf('-d'), -2), [
    '-d',
    '/message',
    '-H',
    'content-type: application/grpc',
    '-H',
    'te: trailers',
  ]);
});
