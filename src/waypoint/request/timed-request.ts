import { ExchangeError, type ExchangeErrorCode } from '#shared/http/exchange.ts';
import { getHeader } from '#shared/http/headers.ts';
import { asksForTunnel } from '#shared/http/tunnel.ts';
import type { RouteTimeouts } from '#shared/route/model.ts';
import { AnsweredRequest } from './answered-request.ts';
import { FAILURES, type RequestFailure } from './error-response.ts';
import { parseGrpcTimeout } from './grpc-timeout.ts';
import type { RequestBody } from './request-body.ts';
import { type DeadlineOwner, RequestDeadlines } from './request-deadlines.ts';
import { type IdleOwner, StreamIdle } from './stream-idle.ts';

/** A request that has only so long: as a whole, for a try, for its response, and without anything moving. */
export abstract class TimedRequest extends AnsweredRequest implements DeadlineOwner, IdleOwner {
  /** Undefined: it has none. */
  protected body: RequestBody | undefined;
  protected deadlines: RequestDeadlines | undefined;
  protected idle: StreamIdle | undefined;
  /** Of gRPC, monotonic: what is left of it is told to the upstream; 0 is none. */
  protected grpcDeadlineMs = 0;
  #responseMs = 0;

  abstract onTryTimeout(): void;
  abstract onRetryDue(): void;
  protected abstract cancelAttempt(error: ExchangeError): void;

  protected startDeadlines({ idleMs = 0, requestMs = 0, responseMs = 0 }: RouteTimeouts): void {
    const asked = this.record.grpc ? getHeader(this.request.headers, 'grpc-timeout') : undefined;
    const grpcMs = asked === undefined ? undefined : parseGrpcTimeout(asked);
    const limitMs = grpcMs === undefined || (requestMs > 0 && requestMs < grpcMs) ? requestMs : grpcMs;
    if (grpcMs !== undefined || limitMs > 0) this.useDeadlines().startRequest(limitMs);
    if (this.record.grpc && limitMs > 0) this.grpcDeadlineMs = this.record.startMs + limitMs;
    this.#responseMs = responseMs;
    // Whoever asks for a tunnel has said all with the head.
    const isComplete = this.body === undefined || this.body.ended || asksForTunnel(this.request);
    if (isComplete) this.awaitResponse();
    if (idleMs > 0) this.#watchIdle(idleMs, 'timeout of the route');
    else this.watchStreamIdle();
  }

  /** An HTTP/1.1 connection looks after its own silence. */
  protected watchStreamIdle(): void {
    if (this.request.protocol === 'HTTP/2' && this.idle === undefined)
      this.#watchIdle(this.downstream.env.streamIdleTimeoutMs, 'STREAM_IDLE_TIMEOUT');
  }

  /** The request is complete: from now on its response has so long. */
  protected awaitResponse(): void {
    if (this.#responseMs > 0) this.useDeadlines().startResponse(this.#responseMs);
  }

  protected useDeadlines(): RequestDeadlines {
    return (this.deadlines ??= new RequestDeadlines(this.downstream.env.timers, this));
  }

  onRequestTimeout(): void {
    this.breakOff('request_timeout', 'timeout', 'request timeout of the route');
  }

  onIdle(reason: string): void {
    this.breakOff('stream_idle', 'timeout', reason);
  }

  /** The answer of the failure where none has begun; a broken message where one has. */
  protected breakOff(failure: RequestFailure, code: ExchangeErrorCode, message: string): void {
    const error = new ExchangeError(code, message);
    this.cancelAttempt(error);
    if (!this.responseStarted) return this.fail(failure, message);
    this.record.flags = FAILURES[failure].flag;
    this.record.detail = message;
    this.exchange.abort(error);
    this.finish();
  }

  #watchIdle(timeoutMs: number, name: string): void {
    const { connectionTimers } = this.downstream.env;
    this.idle?.end();
    this.idle = new StreamIdle(connectionTimers, timeoutMs, name, this);
  }

  protected override release(): void {
    this.deadlines?.end();
    this.idle?.end();
    this.body?.commit();
    this.record.requestBytes = this.body?.bytes ?? 0;
  }
}
