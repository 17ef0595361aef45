import type { RequestHead } from '#shared/http/exchange.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { TelemetryPolicy } from '#shared/route/telemetry-policy.ts';
import type { Span } from '#shared/tracing/span.ts';
import { findContext } from './found-context.ts';
import { RequestTrace, type TraceSink } from './request-trace.ts';
import { makeTraceId } from './trace-id.ts';

export interface ThreadTracerOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Of requests that are in no trace yet, 0 to 1; a service's telemetry policy wins. */
  readonly samplingRatio: number;
  /** Spans for the main thread, and how many there was no room for since the last time. */
  readonly send: (spans: readonly Span[], dropped: number) => void;
}

/** Spans that wait in the thread; more are dropped and counted. */
const MAX_HELD = 2_048;
const FLUSH_MS = 200;
const MAX_BATCH = 512;
/** Batches that the main thread has not taken yet: what it cannot keep up with waits here, where it is bounded. */
const MAX_AHEAD = 4;
/** The wall clock counts whole milliseconds. */
const CLOCK_TOLERANCE_MS = 2;

/** Traces of one thread. The decision to trace is that of whoever began the trace, where it has been made. */
export class ThreadTracer implements TraceSink {
  readonly random: () => number;
  readonly #options: ThreadTracerOptions;
  /** From the monotonic clock, which is fine enough for spans, to the wall clock. */
  #offsetMs = 0;
  #held: Span[] = [];
  #dropped = 0;
  #ahead = 0;
  #timer: Timer | undefined;

  constructor(options: ThreadTracerOptions) {
    this.#options = options;
    this.random = options.random;
  }

  /** Puts the new span into the request's headers. @returns undefined when the request is not traced */
  begin(request: RequestHead, policy: TelemetryPolicy | undefined): RequestTrace | undefined {
    if (policy?.traceSpans === false) return undefined;
    const found = findContext(request.headers);
    if (found?.sampled === false) return undefined;
    if (found?.sampled === undefined && this.random() >= this.#ratio(policy)) return undefined;
    this.#setWallClock();
    const context = found ?? { traceId: makeTraceId(this.random), parentId: '', format: 'w3c' };
    return new RequestTrace(this, request, context, policy?.traceTags);
  }

  now(): number {
    return this.#offsetMs + this.#options.clock.monotonic();
  }

  add(span: Span): void {
    if (this.#held.length >= MAX_HELD) this.#dropped++;
    else this.#held.push(span);
    this.#schedule();
  }

  /** The main thread has taken a batch. */
  onTaken(): void {
    this.#ahead--;
    if (this.#held.length > 0) this.#schedule();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#held.length > 0) this.#sendBatch();
  }

  /** The wall clock may be set, and a machine may sleep. */
  #setWallClock(): void {
    const { clock } = this.#options;
    const offsetMs = clock.now() - clock.monotonic();
    if (Math.abs(offsetMs - this.#offsetMs) > CLOCK_TOLERANCE_MS) this.#offsetMs = offsetMs;
  }

  #ratio(policy: TelemetryPolicy | undefined): number {
    const percent = policy?.traceSamplingPercent;
    return percent === undefined ? this.#options.samplingRatio : percent / 100;
  }

  #schedule(): void {
    if (this.#ahead >= MAX_AHEAD) return;
    this.#timer ??= this.#options.clock.setTimer(FLUSH_MS, () => {
      this.#timer = undefined;
      while (this.#held.length > 0 && this.#ahead < MAX_AHEAD) this.#sendBatch();
    });
  }

  #sendBatch(): void {
    const batch = this.#held.slice(0, MAX_BATCH);
    this.#held = this.#held.slice(MAX_BATCH);
    this.#ahead++;
    this.#options.send(batch, this.#dropped);
    this.#dropped = 0;
  }
}
