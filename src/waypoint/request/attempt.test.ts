import { test } from 'tap';
import type { HeaderList } from '#shared/http/headers.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { workload } from '#shared/testing/topology.ts';
import { EndpointLoad } from '../balance/endpoint.ts';
import { Latency } from '../balance/latency.ts';
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
