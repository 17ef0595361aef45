import { test } from 'tap';
import { loggerInto } from '../testing/logger-into.ts';
import { MetricSet } from '../observability/metric-set.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import type { Delivery } from './otlp-transport.ts';
import type { Span } from './span.ts';
import { SpanExporter } from './span-exporter.ts';

function span(name: string): Span {
  return {
    traceId: '1'.repeat(32),
    spanId: '1'.repeat(16),
    parentSpanId: '',
    traceState: '',
    name,
    kind: 'server',
    startMs: 0,
    endMs: 1,
    attributes: [],
    error: '',
  };
}

const spans = (count: number): Span[] => Array.from({ length: count }, (_, i) => span(String(i)));

function setup() {
  const clock = new FakeClock();
  const metrics = new MetricSet();
  const sent: number[] = [];
  const lines: string[] = [];
  let answer: Delivery = { ok: true };
  const exporter = new SpanExporter({
    transport: {
      address: 'http://collector',
      send: body => {
        sent.push(Number(body.toString()));
        return Promise.resolve(answer);
      },
      close: () => undefined,
    },
    encode: batch => Buffer.from(String(batch.length)),
    clock,
    random: () => 0.5,
    logger: loggerInto(lines, { level: 'warn' }),
    metrics,
  });
  const counts = (): Record<string, number> =>
    Object.fromEntries(
      metrics.snapshot().flatMap(f => f.series.map(s => [s.labelValues[0] ?? 'exported', s.value])),
    );
  /** Moves time on, and lets what was sent be answered. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise(resolve => setImmediate(resolve));
  };
  return { exporter, sent, lines, counts, pass, clock, answerWith: (a: Delivery) => void (answer = a) };
}

test('spans are gathered for a second, or until a batch is full', async t => {
  const { counts, exporter, pass, sent } = setup();
  exporter.add(spans(3), 0);
  exporter.add(spans(2), 0);
  t.same(sent, []);
  await pass(1_000);
  t.same(sent, [5]);
  exporter.add(spans(600), 0);
  t.same(sent, [5, 512], 'a full one is sent at once');
  await pass(0);
  await pass(1_000);
  t.same(sent, [5, 512, 88]);
  t.match(counts(), { exported: 605 });
});

test('a collector that is away is tried again with backoff; then its batch is dropped and counted', async t => {
  const { answerWith, clock, counts, exporter, lines, pass, sent } = setup();
  answerWith({ ok: false, reason: 'no route', retriable: true });
  exporter.add(spans(4), 0);
  await pass(1_000);
  for (const delay of [1_000, 2_000, 4_000]) {
    const before = sent.length;
    await pass(delay - 1);
    t.equal(sent.length, before, `not before ${delay} ms`);
    await pass(1);
    t.equal(sent.length, before + 1);
  }
  await pass(8_000);
  t.equal(sent.length, 5);
  t.match(counts(), { exported: 0, not_taken: 4 });
  t.match(lines[0], /spans not delivered.*collector="http:\/\/collector".*no route/);
  t.equal(clock.pendingTimers, 0);
});

test('what a collector refuses is not sent again', async t => {
  const { answerWith, counts, exporter, pass, sent } = setup();
  answerWith({ ok: false, reason: 'HTTP 400', retriable: false });
  exporter.add(spans(4), 0);
  await pass(1_000);
  await pass(60_000);
  t.same(sent, [4]);
  t.match(counts(), { not_taken: 4 });
});

test('the queue is bounded; what there is no room for is counted, that of the threads too', async t => {
  const { answerWith, counts, exporter, pass } = setup();
  answerWith({ ok: false, reason: 'busy', retriable: true });
  exporter.add(spans(8_000), 7);
  exporter.add(spans(1_000), 0);
  t.match(counts(), { queue_full: 808, thread_full: 7 });
  await pass(0);
});

test('at the end what is there is sent once', async t => {
  const { clock, exporter, sent } = setup();
  exporter.add(spans(2), 0);
  await exporter.close();
  t.same(sent, [2]);
  t.equal(clock.pendingTimers, 0);
});
