import type {
  ClientExchange,
  ClientExchangeSink,
  ExchangeError,
  RequestHead,
} from '#shared/http/exchange.ts';
import type { Http2Keepalive } from '#shared/route/traffic-policy.ts';
import type { SharedUse } from './shared-use.ts';

/** One try of a request, as a pool sees it: it wants a connection, and then receives the response. */
export interface UpstreamAttempt extends ClientExchangeSink {
  readonly head: RequestHead;
  readonly endStream: boolean;
  /** It wants a connection that is new, or has just proven to be alive: an idle one was found closed. */
  readonly fresh: boolean;
  /** The pool it waits in; undefined once it has its exchange, has failed, or was given up. */
  waitingIn: object | undefined;
  /** While it waits: what its waiting counts against, and since when. */
  waitingUnder: SharedUse | undefined;
  waitingSinceMs: number;
  /** The head has been sent. `reused`: on a connection that carried a request before. */
  onExchange(exchange: ClientExchange, reused: boolean): void;
  /** There will be no exchange: `connect_failure`, `overflow`, or `protocol_error` for a head that cannot be sent. */
  onNoExchange(error: ExchangeError): void;
}

/** Bounds of one pool, and of all pools of its service together, from the service's traffic policy. */
export interface PoolLimits {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequestsPerConnection: number;
  /** Of HTTP/2. */
  readonly maxStreamsPerConnection: number;
  /** An older connection is used no more. */
  readonly maxConnectionDurationMs: number;
  /** Undefined: the waypoint's. */
  readonly idleTimeoutMs: number | undefined;
  /** PINGs of HTTP/2; undefined: the codec's. */
  readonly keepalive: Http2Keepalive | undefined;
  readonly shared: SharedUse;
}

/** Connections of one protocol to one port of one workload. */
export interface UpstreamPool {
  /** May call `onExchange` or `onNoExchange` before it returns. */
  start(attempt: UpstreamAttempt, limits: PoolLimits): void;
  /** The attempt no longer waits. Has no effect on one that has its exchange. */
  cancel(attempt: UpstreamAttempt): void;
  /** The endpoint is gone: those who wait are told, exchanges under way end in their time. */
  close(): void;
  /** Nothing new comes; those who wait are still served, by connections that are closed after it. */
  retire(): void;
  /** Closes what has been idle for `idleTimeoutMs`, or for what its limits say instead. */
  reap(nowMs: number, idleTimeoutMs: number): void;
  readonly connections: number;
  readonly pending: number;
}
