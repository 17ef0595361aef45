import type { RequestHead, ResponseHead } from '#shared/http/exchange.ts';
import { getHeader } from '#shared/http/headers.ts';
import { parseTraceparent } from '#shared/observability/trace-context.ts';
import type { RequestLine } from '../telemetry/request-log.ts';
import { matchesStatus } from './match-tap.ts';
import { redactHeaders, redactPath } from './redact.ts';
import type { TapEvent, TapFields } from './tap-event.ts';
import type { TapRequest } from './tap-filter.ts';

/** A tap of this thread that shows a request. */
export interface TapWatcher {
  readonly request: TapRequest;
  show(event: TapEvent): void;
}

/**
 * One request as those who watch it see it: `request` when its head has come, `response`, `end`. Who asked for a status is
 * told nothing until it is known. Made only while somebody watches.
 */
export class TappedRequest {
  readonly #id: string;
  readonly #time: string;
  readonly #head: RequestHead;
  readonly #fields: TapFields;
  #watchers: readonly TapWatcher[];
  #statusKnown = false;

  /** Copies what the waypoint may change of the request on its way. */
  constructor(
    id: string,
    time: string,
    head: RequestHead,
    fields: TapFields,
    watchers: readonly TapWatcher[],
  ) {
    this.#id = id;
    this.#time = time;
    this.#head = { ...head, headers: [...head.headers] };
    this.#fields = fields;
    this.#watchers = watchers;
    for (const watcher of watchers)
      if (watcher.request.filter.status === undefined) this.#showRequest(watcher);
  }

  /** The head that goes to the client. */
  onResponse(head: ResponseHead, elapsedMs: number): void {
    this.#onStatus(head.status);
    for (const watcher of this.#watchers) {
      const fields = {
        response_code: head.status,
        duration_ms: round(elapsedMs),
        ...(watcher.request.headers ? { headers: redactHeaders(head.headers) } : {}),
      };
      watcher.show({ event: 'response', id: this.#id, fields });
    }
  }

  /** The line its access log gets, or would get. */
  onEnd(line: RequestLine): void {
    this.#onStatus(line.status);
    const fields = endFields(line);
    for (const watcher of this.#watchers) watcher.show({ event: 'end', id: this.#id, fields });
  }

  /** Those who asked for another status drop out; the others of them learn of the request now. */
  #onStatus(status: number): void {
    if (this.#statusKnown) return;
    this.#statusKnown = true;
    this.#watchers = this.#watchers.filter(({ request }) => matchesStatus(request.filter.status, status));
    for (const watcher of this.#watchers)
      if (watcher.request.filter.status !== undefined) this.#showRequest(watcher);
  }

  #showRequest(watcher: TapWatcher): void {
    const { authority, headers, method, path, protocol } = this.#head;
    const trace = parseTraceparent(getHeader(headers, 'traceparent') ?? '');
    const fields = {
      time: this.#time,
      ...this.#fields,
      method,
      authority,
      path: redactPath(path),
      protocol,
      ...(trace === undefined ? {} : { trace_id: trace.traceId }),
      ...(watcher.request.headers ? { headers: redactHeaders(headers) } : {}),
    };
    watcher.show({ event: 'request', id: this.#id, fields });
  }
}

function endFields(line: RequestLine): TapFields {
  const { endpoint } = line;
  return {
    ...(line.endpointAddress === '' ? {} : { 'dst.addr': line.endpointAddress }),
    ...(endpoint === undefined ? {} : { 'dst.workload': endpoint.name, 'dst.namespace': endpoint.namespace }),
    route: line.route,
    attempts: line.attempts,
    response_code: line.status,
    ...(line.grpcStatus === '' ? {} : { grpc_status: line.grpcStatus }),
    response_flags: line.flags,
    bytes_recv: line.requestBytes,
    bytes_sent: line.responseBytes,
    duration_ms: round(line.durationMs),
    ...(line.upstreamMs < 0 ? {} : { upstream_duration_ms: round(line.upstreamMs) }),
    ...(line.detail === undefined ? {} : { error: line.detail }),
  };
}

function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
