import type { ClientExchange, ExchangeError, RequestHead } from '#shared/http/exchange.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import type { PoolLimits, UpstreamAttempt } from '../upstream/attempt.ts';
import { SharedUse } from '../upstream/shared-use.ts';

export const TEST_LIMITS: PoolLimits = {
  maxConnections: 2,
  maxPendingRequests: 2,
  maxRequestsPerConnection: Number.POSITIVE_INFINITY,
  maxStreamsPerConnection: Number.POSITIVE_INFINITY,
  maxConnectionDurationMs: Number.POSITIVE_INFINITY,
  idleTimeoutMs: undefined,
  keepalive: undefined,
  shared: new SharedUse(),
};
const HEAD = requestHead();

/** A try that keeps what its pool tells it. */
export class RecordedAttempt implements UpstreamAttempt {
  readonly head: RequestHead;
  readonly endStream = true;
  fresh = false;
  waitingIn: object | undefined;
  waitingUnder: SharedUse | undefined;
  waitingSinceMs = 0;
  state = 'waiting';
  reused: boolean | undefined;
  exchange: ClientExchange | undefined;

  constructor(head = HEAD) {
    this.head = head;
  }

  onExchange(exchange: ClientExchange, reused: boolean): void {
    this.exchange = exchange;
    this.state = 'sent';
    this.reused = reused;
  }
  onNoExchange(error: ExchangeError): void {
    this.state = error.code;
  }
  onInformational(): void {}
  onResponse(): void {}
  onBody(): boolean {
    return true;
  }
  onBodyEnd(): void {
    this.state = 'done';
  }
  onAbort(error: ExchangeError): void {
    this.state = error.code;
  }
  onWritable(): void {}
}
