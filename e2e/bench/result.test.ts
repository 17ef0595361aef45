import { test } from 'tap';
import { parseIperf, parseWrk } from './load.ts';
import { formatTable, median, summarize } from './result.ts';

test('medians, ratios and goals', async t => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  const rows = summarize(
    [
      { name: 'rps', unit: '1/s', goal: { kind: 'ratio_at_least', value: 0.95 } },
      { name: 'p99', unit: 'ms', goal: { kind: 'ratio_at_most', value: 1.5 } },
      { name: 'memory', unit: 'MB', goal: { kind: 'at_most', value: 100 } },
      { name: 'cpu', unit: 's', goal: { kind: 'none' } },
      { name: 'not measured', unit: 's', goal: { kind: 'none' } },
    ],
    new Map([
      ['rps', [90, 110]],
      ['p99', [2]],
      ['memory', [101]],
      ['cpu', [5]],
    ]),
    new Map([
      ['rps', [100]],
      ['p99', [1]],
      ['memory', [500]],
      ['cpu', [1]],
    ]),
  );
  t.same(
    rows.map(r => [r.name, r.ratio, r.ok]),
    [
      ['rps', 1, true],
      ['p99', 2, false],
      ['memory', 101 / 500, false],
      ['cpu', 5, true],
    ],
  );
  t.match(formatTable(rows), /p99 \(ms\) +2\.00 +1\.00 +2\.00 +≤ 1\.5 +NO/);
});

test('what the load tools print', async t => {
  const wrk = `Latency Distribution
     50%  530.00us
     75%    1.00ms
     99%    3.48ms
  207676 requests in 4.00s, 31.69MB read
Requests/sec:  51919.14`;
  t.same(parseWrk(wrk), { requestsPerSecond: 51919.14, requests: 207676, p50Ms: 0.53, p99Ms: 3.48 });
  t.throws(() => parseWrk(`${wrk}\n  Socket errors: connect 0, read 3, write 0, timeout 0`), /read 3/);
  t.throws(() => parseWrk(`${wrk}\n  Non-2xx or 3xx responses: 7`), /responses: 7/);
  t.throws(() => parseWrk('unable to connect'), /no .* in the output/);
  const iperf = '{"end": {"sum_received": {"bytes": 1000, "bits_per_second": 2.5e9, "sender": true}}}';
  t.same(parseIperf(iperf), { gbitPerSecond: 2.5, bytes: 1000 });
});
