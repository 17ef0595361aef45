import { test } from 'tap';
import { requestHead } from '#shared/testing/request-head.ts';
import { workload } from '#shared/testing/topology.ts';
import type { Span } from '#shared/tracing/span.ts';
import { EndpointLoad } from '../balance/endpoint.ts';
import { RequestTrace } from './request-trace.ts';

const REQUEST = requestHead({ authority: 'echo' });

test('of a hedged request each try has its own span, with its own status', t => {
  const spans: Span[] = [];
  let now = 0;
  const trace = new RequestTrace(
    { now: () => now, random: () => 0.5, add: span => spans.push(span) },
    REQUEST,
    { traceId: 'a'.repeat(32), parentId: '', format: 'w3c' },
  );
  const endpoint = { uid: 'one', workload: workload('one'), targetPort: 80, load: new EndpointLoad() };
  trace.onAttempt(REQUEST, endpoint, 1, false);
  now = 100;
  trace.onAttempt(REQUEST, endpoint, 2, true);
  now = 150;
  trace.onAttemptStatus(1, 200);
  trace.onAttemptFailed(2, 'cancelled', 'another try was answered first');
  now = 200;
  trace.onAttempt(REQUEST, endpoint, 3, false);
  t.match(
    spans.map(({ endMs, error, startMs }) => [startMs, endMs, error]),
    [
      [100, 150, 'another try was answered first'],
      [0, 200, ''],
    ],
    'the next try that is not beside the others ends theirs',
  );
  t.ok(spans[1]?.attributes.includes(200));
  t.end();
});
