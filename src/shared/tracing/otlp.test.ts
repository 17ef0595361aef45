import { test } from 'tap';
import { decodeTraceRequest, grpcCollector, httpCollector } from '../testing/otlp-collector.ts';
import { grpcTransport } from './otlp-grpc.ts';
import { httpTransport } from './otlp-http.ts';
import { encodeTraceRequest } from './otlp-message.ts';
import type { Span } from './span.ts';

const SPAN: Span = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: '00f067aa0ba902b7',
  traceState: 'vendor=1',
  name: 'GET payments',
  kind: 'server',
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_001.5,
  attributes: ['text', 'é', 'count', 503, 'large', 2 ** 40, 'share', 0.5, 'flag', true],
  error: 'HTTP 503',
};
const ROOT: Span = { ...SPAN, parentSpanId: '', traceState: '', kind: 'client', error: '', attributes: [] };
const BODY = encodeTraceRequest(['service.name', 'waypoint.shop'], '0.1.0', [SPAN, ROOT]);

const EXPECTED = {
  resource_spans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { string_value: 'waypoint.shop' } }] },
      scope_spans: [
        {
          scope: { name: 'ambient-mesh/waypoint', version: '0.1.0' },
          spans: [
            {
              trace_id: SPAN.traceId,
              span_id: SPAN.spanId,
              trace_state: 'vendor=1',
              parent_span_id: SPAN.parentSpanId,
              name: 'GET payments',
              kind: 2,
              start_time_unix_nano: '1700000000000250000',
              end_time_unix_nano: '1700000000001500000',
              attributes: [
                { key: 'text', value: { string_value: 'é' } },
                { key: 'count', value: { int_value: '503' } },
                { key: 'large', value: { int_value: '1099511627776' } },
                { key: 'share', value: { double_value: 0.5 } },
                { key: 'flag', value: { bool_value: true } },
              ],
              status: { message: 'HTTP 503', code: 2 },
              flags: 1,
            },
            {
              trace_id: SPAN.traceId,
              span_id: SPAN.spanId,
              name: 'GET payments',
              kind: 3,
              start_time_unix_nano: '1700000000000250000',
              end_time_unix_nano: '1700000000001500000',
              flags: 1,
            },
          ],
        },
      ],
    },
  ],
};

test("spans are the bytes of OpenTelemetry's definitions", t => {
  t.same(decodeTraceRequest(BODY), EXPECTED);
  t.end();
});

const TRANSPORTS = [
  ['HTTP', httpCollector, httpTransport],
  ['gRPC', grpcCollector, grpcTransport],
] as const;

for (const [name, collect, connect] of TRANSPORTS) {
  test(`over ${name} a collector gets them; what it refuses is told apart from what it may take later`, async t => {
    const collector = await collect();
    t.teardown(() => collector.close());
    const transport = connect(collector.url);
    t.teardown(() => transport.close());
    t.same(await transport.send(BODY), { ok: true });
    t.same(collector.received, [EXPECTED]);
    collector.answer = 503;
    t.match(await transport.send(BODY), { ok: false, retriable: true, reason: /not now/ });
    collector.answer = 400;
    t.match(await transport.send(BODY), { ok: false, retriable: false, reason: /not now/ });
  });

  test(`over ${name} a collector that is not there may be there later`, async t => {
    const collector = await collect();
    await collector.close();
    const transport = connect(collector.url);
    t.teardown(() => transport.close());
    t.match(await transport.send(BODY), { ok: false, retriable: true });
  });
}
