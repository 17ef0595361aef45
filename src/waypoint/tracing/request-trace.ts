import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader } from '#shared/http/headers.ts';
import type { TraceTag } from '#shared/route/telemetry-policy.ts';
import type { AttributeValue, Span } from '#shared/tracing/span.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import { displayName } from '#shared/workload/workload-service.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { RequestLine } from '../telemetry/request-log.ts';
import type { FoundContext } from './found-context.ts';
import {
  attemptAttributes,
  pushMissing,
  requestAttributes,
  requestError,
  tagAttributes,
} from './span-attributes.ts';
import { makeSpanId } from './trace-id.ts';
import { writeContext } from './write-context.ts';

export interface TraceSink {
  /** Wall clock, ms with fractions. */
  now(): number;
  /** In [0, 1). */
  readonly random: () => number;
  add(span: Span): void;
}

interface OpenAttempt {
  /** Among the tries of the request. */
  readonly ordinal: number;
  readonly spanId: string;
  readonly startMs: number;
  readonly attributes: AttributeValue[];
  error: string;
}

/** A request that is traced: a span for the whole of it, and one below it for each try. Made for sampled requests alone. */
export class RequestTrace {
  readonly traceId: string;
  readonly #spanId: string;
  readonly #parentId: string;
  readonly #traceState: string;
  readonly #format: FoundContext['format'];
  readonly #path: string;
  readonly #startMs: number;
  readonly #sink: TraceSink;
  /** As the client sent them: filters may change headers. */
  readonly #tags: readonly AttributeValue[];
  #attempts = 0;
  /** Several, where a request is hedged. */
  #open: OpenAttempt[] = [];

  /** @param context its `parentId` empty: the trace begins here */
  constructor(
    sink: TraceSink,
    request: RequestHead,
    context: Omit<FoundContext, 'sampled'>,
    tags: readonly TraceTag[] = [],
  ) {
    this.traceId = context.traceId;
    this.#parentId = context.parentId;
    this.#format = context.format;
    this.#spanId = makeSpanId(sink.random);
    this.#traceState = getHeader(request.headers, 'tracestate') ?? '';
    this.#path = request.path;
    this.#startMs = sink.now();
    this.#sink = sink;
    this.#tags = tagAttributes(tags, request.headers);
    writeContext(request.headers, this.traceId, this.#spanId, this.#format);
  }

  /**
   * Another try begins: what is sent names its span as parent.
   * @param beside others go on, which otherwise are over
   */
  onAttempt(
    { method, headers }: RequestHead,
    { targetPort, workload }: BalancedEndpoint,
    ordinal: number,
    beside: boolean,
  ): void {
    if (!beside) this.#endAll();
    const spanId = makeSpanId(this.#sink.random);
    const address = formatHostPort(workload.addresses[0] ?? '', targetPort);
    this.#open.push({
      ordinal,
      spanId,
      startMs: this.#sink.now(),
      attributes: attemptAttributes(method, address, workload, this.#attempts++),
      error: '',
    });
    writeContext(headers, this.traceId, spanId, this.#format);
  }

  onAttemptStatus(ordinal: number, status: number): void {
    const attempt = this.#find(ordinal);
    if (attempt === undefined) return;
    attempt.attributes.push('http.response.status_code', status);
    // A client's span is an error for any status that says so: semantic conventions of HTTP.
    if (status >= 400) attempt.error = `HTTP ${status}`;
  }

  onAttemptFailed(ordinal: number, code: string, message: string): void {
    const attempt = this.#find(ordinal);
    if (attempt === undefined) return;
    attempt.attributes.push('error.type', code);
    attempt.error = message;
    this.onAttemptOver(ordinal);
  }

  /** Its status has been told, and nothing more comes of it. */
  onAttemptOver(ordinal: number): void {
    const attempt = this.#find(ordinal);
    if (attempt === undefined) return;
    this.#open = this.#open.filter(one => one !== attempt);
    this.#end(attempt);
  }

  end(line: RequestLine): void {
    this.#endAll();
    const attributes = requestAttributes(line, this.#path);
    pushMissing(attributes, this.#tags);
    const error = requestError(line);
    if (error !== '') attributes.push('error.type', line.flags === '-' ? String(line.status) : line.flags);
    this.#sink.add({
      traceId: this.traceId,
      spanId: this.#spanId,
      parentSpanId: this.#parentId,
      traceState: this.#traceState,
      name:
        line.grpcStatus === '' ? `${line.request.method} ${displayName(line.service)}` : this.#path.slice(1),
      kind: 'server',
      startMs: this.#startMs,
      endMs: this.#sink.now(),
      attributes,
      error,
    });
  }

  #find(ordinal: number): OpenAttempt | undefined {
    return this.#open.find(attempt => attempt.ordinal === ordinal);
  }

  #endAll(): void {
    for (const attempt of this.#open.splice(0)) this.#end(attempt);
  }

  #end({ attributes, error, spanId, startMs }: OpenAttempt): void {
    this.#sink.add({
      traceId: this.traceId,
      spanId,
      parentSpanId: this.#spanId,
      traceState: this.#traceState,
      name: String(attributes[1]),
      kind: 'client',
      startMs,
      endMs: this.#sink.now(),
      attributes,
      error,
    });
  }
}
