import fc from 'fast-check';
import { REQUEST_LABELS, REQUEST_METRICS, type TelemetryPolicy } from '../route/telemetry-policy.ts';
import { few, flag, maybe, name, percent, text } from './arbitrary-values.ts';

/** For property tests: any valid telemetry policy, as the wire can carry it. */

export const telemetry: fc.Arbitrary<TelemetryPolicy> = fc.record({
  traceSamplingPercent: maybe(percent),
  traceSpans: maybe(flag),
  traceTags: few(fc.record({ name, header: maybe(text), value: text })),
  accessLog: maybe(flag),
  accessLogFilter: maybe(fc.constantFrom('response.code >= 400', "request.headers['x'] == 'y'")),
  metrics: few(
    fc.record({
      metric: fc.constantFrom(...REQUEST_METRICS),
      disabled: flag,
      labels: few(fc.record({ name: fc.constantFrom(...REQUEST_LABELS), value: text })),
    }),
  ),
});
