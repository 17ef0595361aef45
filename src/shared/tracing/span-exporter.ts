import { backoffDelay, type BackoffOptions } from '../lifecycle/backoff.ts';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { Cell, MetricSet } from '../observability/metric-set.ts';
import type { OtlpTransport } from './otlp-transport.ts';
import type { Span } from './span.ts';

export interface SpanExporterOptions {
  readonly transport: OtlpTransport;
  readonly encode: (spans: readonly Span[]) => Buffer;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: MetricSet;
}

/** Spans that wait to be sent; later ones are dropped. */
const MAX_QUEUE = 8_192;
const MAX_BATCH = 512;
const FLUSH_MS = 1_000;
const MAX_TRIES = 5;
const BACKOFF: BackoffOptions = { initialMs: 1_000, maxMs: 30_000, factor: 2, jitter: 0.2 };

/**
 * Sends spans to a collector in batches, one at a time, on the main thread. A collector that fails is tried again with backoff;
 * what it does not take, or there is no room for, is dropped and counted: traces never hold up or grow the proxy.
 */
export class SpanExporter {
  readonly #options: SpanExporterOptions;
  readonly #exported: Cell;
  readonly #droppedQueue: Cell;
  readonly #droppedThread: Cell;
  readonly #droppedRefused: Cell;
  #queue: Span[] = [];
  #timer: Timer | undefined;
  #sending = false;
  #tries = 0;
  #closed = false;

  constructor(options: SpanExporterOptions) {
    this.#options = options;
    const { metrics } = options;
    this.#exported = metrics
      .counter({ name: 'ambient_trace_spans_exported_total', help: 'Spans the collector took.', labels: [] })
      .cell([]);
    const dropped = metrics.counter({
      name: 'ambient_trace_spans_dropped_total',
      help: 'Spans that were not exported: no room in the queue, or in a traffic thread; refused by the collector, or not taken in time.',
      labels: ['reason'],
    });
    this.#droppedQueue = dropped.cell(['queue_full']);
    this.#droppedThread = dropped.cell(['thread_full']);
    this.#droppedRefused = dropped.cell(['not_taken']);
  }

  /** @param dropped spans that a thread had no room for */
  add(spans: readonly Span[], dropped: number): void {
    this.#droppedThread.value += dropped;
    const room = MAX_QUEUE - this.#queue.length;
    if (spans.length > room) this.#droppedQueue.value += spans.length - room;
    for (const span of spans.slice(0, room)) this.#queue.push(span);
    if (this.#sending || this.#queue.length === 0) return;
    if (this.#queue.length >= MAX_BATCH && this.#tries === 0) void this.#send();
    else this.#timer ??= this.#options.clock.setTimer(FLUSH_MS, () => void this.#send());
  }

  /** Sends what is there, once, and no more. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#sending && this.#queue.length > 0) await this.#send();
    this.#timer?.cancel();
    this.#options.transport.close();
  }

  /** Never rejects. */
  async #send(): Promise<void> {
    const { clock, encode, logger, random, transport } = this.#options;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sending = true;
    const batch = this.#queue.slice(0, MAX_BATCH);
    const delivery = await transport.send(encode(batch));
    this.#sending = false;
    const again = !delivery.ok && delivery.retriable && ++this.#tries < MAX_TRIES;
    if (!again) {
      this.#queue = this.#queue.slice(batch.length);
      this.#tries = 0;
    }
    if (delivery.ok) this.#exported.value += batch.length;
    else {
      if (!again) this.#droppedRefused.value += batch.length;
      const { reason } = delivery;
      logger.warn('spans not delivered', {
        collector: transport.address,
        spans: batch.length,
        again,
        error: reason,
      });
    }
    if (this.#closed || this.#queue.length === 0) return;
    const delayMs = again
      ? backoffDelay(BACKOFF, this.#tries - 1, random())
      : this.#queue.length >= MAX_BATCH
        ? 0
        : FLUSH_MS;
    this.#timer ??= clock.setTimer(delayMs, () => void this.#send());
  }
}
