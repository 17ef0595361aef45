import type { RequestHead, ResponseHead, ServerExchange } from '#shared/http/exchange.ts';
import { opensTunnel } from '#shared/http/tunnel.ts';
import { applyHeaderChange } from '#shared/route/filters.ts';
import type { HeaderChange } from '#shared/route/route-filter.ts';
import type { FilterResponse } from '../filters/filter-response.ts';
import { grpcStatusFor, type Refusal, refusalResponse } from '../filters/refusal.ts';
import type { Downstream } from './environment.ts';
import { FAILURES, type RequestFailure } from './error-response.ts';
import { failureAnswer, isGrpc } from './failure-answer.ts';
import { RequestRecord } from './request-record.ts';

const TUNNEL_REFUSED = 403;

/**
 * What a request gets where the waypoint itself answers, and its end: exactly one record is made of each.
 *
 * The lowest of the layers that one request consists of: its answer, its times (`timed-request.ts`), its
 * endpoints (`picked-request.ts`), its tries (`tried-request.ts`), its way through filters and routes (`request-flow.ts`). They are one object, since there is one a
 * request and they refer to each other at each step.
 */
export abstract class AnsweredRequest {
  protected readonly downstream: Downstream;
  protected readonly exchange: ServerExchange;
  protected readonly request: RequestHead;
  protected readonly record: RequestRecord;
  protected responseChanges: readonly HeaderChange[] = [];
  protected responseStarted = false;
  protected done = false;

  constructor(downstream: Downstream, exchange: ServerExchange) {
    this.downstream = downstream;
    this.exchange = exchange;
    this.request = exchange.request;
    this.record = new RequestRecord(downstream, this.request, isGrpc(this.request));
    downstream.env.inFlight.enter();
  }

  /** Gives back what the request holds, and completes its record. */
  protected abstract release(): void;

  protected fail(failure: RequestFailure, detail?: string): void {
    const row = FAILURES[failure];
    this.record.flags = this.record.attempts > 1 ? `${row.flag},URX` : row.flag;
    this.record.detail =
      this.record.detail === undefined
        ? (detail ?? row.body)
        : `${detail ?? row.body}; ${this.record.detail}`;
    if (this.record.grpc) this.record.grpcStatus = String(row.grpcStatus);
    this.answer(failureAnswer(row, this.record.grpc));
  }

  /** The answer of a filter that lets nothing pass. */
  protected refuse(refusal: Refusal): void {
    this.record.flags = refusal.flag;
    this.record.detail = refusal.detail;
    if (this.record.grpc) this.record.grpcStatus = String(grpcStatusFor(refusal));
    this.answer(refusalResponse(refusal, this.record.grpc));
  }

  protected answer({ head: { contentLength, headers, status: given }, body }: FilterResponse): void {
    this.responseStarted = true;
    // There is nobody at the other end of the tunnel that a filter's 2xx would open.
    const status = opensTunnel(this.request, given) ? TUNNEL_REFUSED : given;
    this.record.status = status;
    // A copy: some answers are made once and given to many.
    const head = { status, headers: [...headers], contentLength };
    for (const change of this.responseChanges) applyHeaderChange(change, head.headers);
    this.tapResponse(head);
    this.exchange.sendResponse(head, body.length === 0);
    if (body.length > 0) {
      this.record.responseBytes = Buffer.byteLength(body);
      this.exchange.sendBody(Buffer.from(body));
      this.exchange.endBody();
    }
    this.finish();
  }

  protected tapResponse(head: ResponseHead): void {
    const { startMs, tapped } = this.record;
    tapped?.onResponse(head, this.downstream.env.clock.monotonic() - startMs);
  }

  /** Idempotent. */
  protected finish(): void {
    if (this.done) return;
    this.done = true;
    this.release();
    this.record.end();
    this.downstream.env.ended.add(this.record);
    this.downstream.env.inFlight.leave();
  }
}
