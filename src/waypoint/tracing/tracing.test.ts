import { createServer, get, type IncomingHttpHeaders } from 'node:http';
import { test, type Test } from 'tap';
import type { RouteRule } from '#shared/route/model.ts';
import type { TelemetryPolicy } from '#shared/route/telemetry-policy.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { routeRule } from '#shared/testing/route.ts';
import { endpointOf, noRoutes, service, waypointOf, workload } from '#shared/testing/topology.ts';
import type { Span } from '#shared/tracing/span.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import { WaypointLab } from '../testing/waypoint-lab.ts';
import { ThreadTracer } from './thread-tracer.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CLIENT = 'b7ad6b7169203331';
const GATEWAY = service('waypoint');

/** A service whose first answer is a 503, retried, behind a waypoint that traces every request. */
async function deploy(t: Test, telemetry: Partial<TelemetryPolicy> = {}) {
  const lab = await WaypointLab.create({ traceSamplingRatio: 1 });
  t.teardown(() => lab.close());
  const seen: IncomingHttpHeaders[] = [];
  const app = createServer((req, res) => {
    seen.push(req.headers);
    res.writeHead(seen.length === 1 ? 503 : 200).end();
  });
  const ports = [
    { servicePort: 80, targetPort: await lab.app(app, lab.ip(10)), appProtocol: 'http11' as const },
  ];
  const echo = { ...service('echo', { vip: '10.96.0.10', waypoint: waypointOf(GATEWAY) }), ports };
  const pod = workload('echo-1', { addresses: [lab.ip(10)], services: endpointOf(echo) });
  await lab.enrol(pod);
  const rule: RouteRule = routeRule({
    backends: [
      {
        weight: 1,
        service: 'default/echo.default.svc.cluster.local',
        port: 80,
        subset: undefined,
        filters: [],
      },
    ],
    retry: { ...DEFAULT_RETRY_POLICY, on: ['5xx'], backoffBaseMs: 1, backoffMaxMs: 1 },
  });
  const routes = noRoutes(echo, { rules: [rule], routed: true });
  const policy = { ...routes.telemetry, ...telemetry };
  lab.apply({ services: [GATEWAY, echo], workloads: [pod], routes: [{ ...routes, telemetry: policy }] });
  const spans: Span[] = [];
  lab.onEvent = event => {
    if (event.kind !== 'spans') return;
    spans.push(...event.spans);
    lab.thread.onSpansTaken();
  };
  const port = await lab.client('10.96.0.10', 80);
  const ask = (headers: Record<string, string>): Promise<unknown> =>
    new Promise(resolve =>
      get({ host: '127.0.0.1', port, path: '/pay?token=s3cret', headers, agent: false }, res =>
        res.resume().on('end', resolve),
      ),
    );
  return { lab, seen, spans, ask };
}

const attribute = (span: Span | undefined, name: string): unknown =>
  span?.attributes[span.attributes.indexOf(name) + 1];

test('a request is a span, each of its tries one below it, and the upstream is told the span of its try', async t => {
  const { ask, lab, seen, spans } = await deploy(t);
  await ask({ traceparent: `00-${TRACE}-${CLIENT}-01`, 'user-agent': 'test/1' });
  await lab.access(1);
  lab.thread.close(new (await import('#shared/engine/channel.ts')).ChannelError('drain', 'end'));
  t.same(
    spans.map(({ kind }) => kind),
    ['client', 'client', 'server'],
  );
  const [first, second, request] = spans;
  t.ok(spans.every(({ traceId }) => traceId === TRACE));
  t.equal(request?.parentSpanId, CLIENT);
  t.same([first?.parentSpanId, second?.parentSpanId], [request?.spanId, request?.spanId]);
  t.same(
    seen.map(headers => headers['traceparent']),
    [first, second].map(span => `00-${TRACE}-${span?.spanId}-01`),
  );
  t.equal(attribute(first, 'http.response.status_code'), 503);
  t.equal(first?.error, 'HTTP 503');
  t.equal(attribute(second, 'http.request.resend_count'), 1);
  t.equal(second?.error, '');
  t.match(
    Object.fromEntries(
      Array.from(
        { length: (request?.attributes.length ?? 0) / 2 },
        (_, i) => request?.attributes.slice(2 * i, 2 * i + 2) ?? [],
      ),
    ),
    {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'url.path': '/pay',
      'url.query': 'token=[redacted]',
      'user_agent.original': 'test/1',
      'network.protocol.version': '1.1',
      'istio.destination_workload': 'echo-1',
      'istio.destination_service': 'echo.default.svc.cluster.local',
      response_flags: '-',
    },
  );
  t.ok((request?.endMs ?? 0) >= (second?.endMs ?? 1), 'the request ends last');
});

test('who began a trace decides; a service may sample otherwise or not at all', async t => {
  const rows: readonly (readonly [string, Record<string, string>, object, number])[] = [
    ['in no trace: sampled by the waypoint', {}, {}, 3],
    ['in a trace that is not sampled', { traceparent: `00-${TRACE}-${CLIENT}-00` }, {}, 0],
    ['the service samples nothing', {}, { traceSamplingPercent: 0 }, 0],
    ['but goes on with a trace', { b3: `${TRACE}-${CLIENT}-1` }, { traceSamplingPercent: 0 }, 3],
    ['the service has no spans', { b3: `${TRACE}-${CLIENT}-1` }, { traceSpans: false }, 0],
  ];
  const { ChannelError } = await import('#shared/engine/channel.ts');
  for (const [sentence, headers, telemetry, expected] of rows) {
    const { ask, lab, spans } = await deploy(t, telemetry);
    await ask(headers);
    await lab.access(1);
    lab.thread.close(new ChannelError('drain', 'end'));
    t.equal(spans.length, expected, sentence);
  }
});

test('tags that a service asks for: a text, and a header of the request; none takes the place of another attribute', async t => {
  const tag = (name: string, header: string | undefined, value: string) => ({ name, header, value });
  const traceTags = [
    tag('stage', undefined, 'prod'),
    tag('user', 'x-user', 'nobody'),
    tag('tenant', 'x-tenant', 'none'),
    tag('absent', 'x-absent', ''),
    tag('response_flags', undefined, 'mine'),
  ];
  const { ask, lab, spans } = await deploy(t, { traceTags });
  await ask({ 'x-user': 'anna' });
  await lab.access(1);
  lab.thread.close(new (await import('#shared/engine/channel.ts')).ChannelError('drain', 'end'));
  const request = spans.find(({ kind }) => kind === 'server');
  const shown = ['stage', 'user', 'tenant', 'response_flags'].map(name => attribute(request, name));
  t.same(shown, ['prod', 'anna', 'none', '-']);
  t.notOk(request?.attributes.includes('absent'));
  t.notOk(spans.find(({ kind }) => kind === 'client')?.attributes.includes('stage'), 'tries have none');
});

test('a thread holds a bounded number of spans while the main thread does not take them', t => {
  const clock = new FakeClock();
  const batches: { spans: number; dropped: number }[] = [];
  const send = (spans: readonly Span[], dropped: number): void =>
    void batches.push({ spans: spans.length, dropped });
  const tracer = new ThreadTracer({ clock, random: () => 0, samplingRatio: 1, send });
  const span: Span = {
    traceId: '',
    spanId: '',
    parentSpanId: '',
    traceState: '',
    name: '',
    kind: 'server',
    startMs: 0,
    endMs: 0,
    attributes: [],
    error: '',
  };
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 512; i++) tracer.add(span);
    clock.advance(1_000);
  }
  t.equal(batches.length, 4, 'no more than four batches ahead');
  tracer.onTaken();
  clock.advance(1_000);
  t.same(batches.at(-1), { spans: 512, dropped: 6 * 512 - 2_048 });
  t.equal(clock.pendingTimers, 0);
  t.end();
});
