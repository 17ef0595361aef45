import type { ChannelError } from '../engine/channel.ts';
import type { ServerExchange } from '../http/exchange.ts';
import type { CoarseTimers } from '../lifecycle/coarse-timers.ts';
import { DEFAULT_LIMITS, type Http1Limits } from './limits.ts';

export interface Http1ServerOptions {
  readonly timers: CoarseTimers;
  readonly limits: Http1Limits;
  /** Scheme of requests in origin form. */
  readonly scheme: 'http' | 'https';
  /** No byte of a next request. Envoy's `idle_timeout`. */
  readonly idleTimeoutMs: number;
  /** From a head's first byte to its last. Envoy's `request_headers_timeout`; then 408. */
  readonly headTimeoutMs: number;
  /** From a head's last byte to the body's last; Infinity is none. Envoy's `request_timeout`; then 408. */
  readonly requestTimeoutMs: number;
  /** No byte either way during an exchange. Envoy's `stream_idle_timeout`. */
  readonly streamIdleTimeoutMs: number;
  /** How long a closed connection is still read, so that the last response is not lost to a reset. */
  readonly lingerMs: number;
}

/** @param timers shared by the connections of the thread */
export function serverOptions(
  timers: CoarseTimers,
  overrides: Partial<Omit<Http1ServerOptions, 'timers'>> = {},
): Http1ServerOptions {
  return {
    timers,
    limits: DEFAULT_LIMITS,
    scheme: 'http',
    idleTimeoutMs: 3_600_000,
    headTimeoutMs: 10_000,
    requestTimeoutMs: Number.POSITIVE_INFINITY,
    streamIdleTimeoutMs: 300_000,
    lingerMs: 1_000,
    ...overrides,
  };
}

export interface Http1ServerHandler {
  /** The sink must be set before this returns. */
  onRequest(exchange: ServerExchange): void;
  /** The codec answered `status` by itself and closes: the bytes were no request that may be served. */
  onRefused(status: number, reason: string): void;
  /** Last. Exchanges that were live have been told before. */
  onClose(error: ChannelError | undefined): void;
}
