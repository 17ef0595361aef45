import { test } from 'tap';
import type { HeaderList } from '#shared/http/headers.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { workload } from '#shared/testing/topology.ts';
import { EndpointLoad } from '../balance/endpoint.ts';
import { Latency } from '../balance/latency.ts';
import { ReportedWeight } from '../balance/reported-weight.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';

const SILENT: AttemptOwner = {
  onAttemptReady: () => undefined,
  onAttemptInterim: () => undefined,
  onAttemptResponse: () => undefined,
  onAttemptBody: () => true,
  onAttemptEnd: () => undefined,
  onAttemptFailed: () => undefined,
  onAttemptWritable: () => undefined,
};
const GRPC: HeaderList = ['content-type', 'application/grpc'];

/** What its endpoint counts as after one answer that came at once. */
function latencyAfter(status: number, headers: HeaderList, trailers: HeaderList | undefined): number {
  const clock = new FakeClock();
  const load = new EndpointLoad();
  load.latency = new Latency(clock, { penaltyMs: 5_000, maxRetryAfterMs: 60_000 });
  const endpoint = { uid: 'w', workload: workload('w'), targetPort: 8080, load };
  const attempt = new Attempt(SILENT, requestHead(), true, endpoint);
  attempt.onResponse({ status, headers, contentLength: undefined }, trailers === undefined);
  attempt.onBodyEnd(trailers ?? []);
  return Math.round(load.latency.estimate(clock.monotonic()));
}

test('what is penalized: failures of HTTP, and of gRPC by trailers or without a body', t => {
  const cases: readonly [string, number, HeaderList, HeaderList | undefined, number][] = [
    ['200', 200, [], [], 30],
    ['404', 404, [], [], 30],
    ['503', 503, [], [], 5_000],
    ['429', 429, [], [], 5_000],
    ['503 that asks for more', 503, ['retry-after', '30'], [], 30_000],
    ['gRPC that succeeds', 200, GRPC, ['grpc-status', '0'], 30],
    ['gRPC that finds nothing', 200, GRPC, ['grpc-status', '5'], 30],
    ['gRPC UNAVAILABLE', 200, GRPC, ['grpc-status', '14'], 5_000],
    ['gRPC without a body', 200, [...GRPC, 'grpc-status', '8'], undefined, 5_000],
    ['gRPC that asks for more', 200, GRPC, ['grpc-status', '14', 'grpc-retry-pushback-ms', '20000'], 20_000],
  ];
  for (const [name, status, headers, trailers, expected] of cases)
    t.equal(latencyAfter(status, headers, trailers), expected, name);
  t.end();
});

test('an endpoint is heard on its load in headers and in trailers', t => {
  const report: HeaderList = ['endpoint-load-metrics', 'TEXT rps_fractional=6,cpu_utilization=0.5'];
  for (const [name, headers, trailers] of [
    ['headers', report, []],
    ['trailers', [], report],
  ] as const) {
    const load = new EndpointLoad();
    const reports = { stabilizationMs: 0, expirationMs: 1_000, updateMs: 100, errorPenalty: 0, metrics: [] };
    load.reported = new ReportedWeight(new FakeClock(), reports);
    const endpoint = { uid: 'w', workload: workload('w'), targetPort: 8080, load };
    const attempt = new Attempt(SILENT, requestHead(), true, endpoint);
    attempt.onResponse({ status: 200, headers: [...headers], contentLength: undefined }, false);
    attempt.onBodyEnd([...trailers]);
    t.equal(load.reported.current, 12, name);
  }
  t.end();
});

test('a request that began under another policy is no measure of the new one', t => {
  const clock = new FakeClock();
  clock.advance(1_000_000);
  const load = new EndpointLoad();
  const endpoint = { uid: 'w', workload: workload('w'), targetPort: 8080, load };
  const attempt = new Attempt(SILENT, requestHead(), true, endpoint);
  load.latency = new Latency(clock, undefined);
  attempt.onResponse({ status: 200, headers: [], contentLength: undefined }, true);
  t.equal(load.latency.estimate(clock.monotonic()), 30);
  t.end();
});
