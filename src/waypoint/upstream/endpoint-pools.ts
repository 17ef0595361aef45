import type { ByteChannel } from '#shared/engine/channel.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { UpstreamPool } from './attempt.ts';
import { type PoolClient, ClientPools } from './client-pools.ts';
import { type DialledConnection, EndpointDialer, type EndpointDialerOptions } from './endpoint-dialer.ts';
import { Http1Pool } from './http1-pool.ts';
import { Http2Pool } from './http2-pool.ts';
import { NegotiatedPool } from './negotiated-pool.ts';
import { PoolSets } from './pool-sets.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export type UpstreamProtocol = 'http1' | 'http2';
/** `negotiated`: what the server chooses in the TLS handshake. */
export type PoolProtocol = UpstreamProtocol | 'negotiated';

export interface EndpointPoolsOptions extends EndpointDialerOptions {
  readonly timers: CoarseTimers;
  /** An idle connection is closed after this. */
  readonly idleTimeoutMs: number;
  /** Nobody waits longer for a connection. */
  readonly queueTimeoutMs: number;
}

const ALPN = { http1: ['http/1.1'], http2: ['h2'], negotiated: ['h2', 'http/1.1'] } as const;
const NO_ALPN: readonly string[] = [];

/** All upstream connections of one thread. */
export class EndpointPools {
  readonly #dialer: EndpointDialer;
  readonly #clock: Clock;
  readonly #options: EndpointPoolsOptions;
  readonly #shared = new PoolSets();
  /** Where connections tell whose they are. */
  readonly #ofClients = new ClientPools();
  #reaper: Timer | undefined;

  constructor(options: EndpointPoolsOptions) {
    this.#dialer = new EndpointDialer(options);
    this.#clock = options.clock;
    this.#options = options;
  }

  /** @param client whose request it is; undefined: the waypoint's own */
  get(
    endpoint: BalancedEndpoint,
    protocol: PoolProtocol,
    connection: UpstreamConnection,
    client: PoolClient | undefined,
  ): UpstreamPool {
    if (connection.proxyProtocol !== undefined && client !== undefined) {
      const own = this.#ofClients.of(client).of(endpoint, connection);
      return (own[protocol] ??= this.#makePool(protocol, { endpoint, connection, client }));
    }
    const pools = this.#shared.of(endpoint, connection);
    return (pools[protocol] ??= this.#makePool(protocol, { endpoint, connection, client: undefined }));
  }

  /** A connection of its own, for plain TCP. Rejects with a `ChannelError`. */
  connect(
    endpoint: BalancedEndpoint,
    connection: UpstreamConnection,
    client: PoolClient,
  ): Promise<ByteChannel> {
    return this.#dialer.connect({ endpoint, connection, client }, NO_ALPN);
  }

  /** Of making a connection. */
  connectTimeoutMs(connection: UpstreamConnection): number {
    return this.#dialer.timeoutMs(connection);
  }

  /** The client's connection has ended, and with it what was made for it alone. */
  leave(client: PoolClient): void {
    this.#ofClients.leave(client);
  }

  /** The workload is gone or is another one now: nothing of it is used again. */
  evict(uid: string): void {
    this.#shared.evict(uid);
    this.#ofClients.evict(uid);
  }

  /** The waypoint has another certificate: connections made with the old one are used up, not used again. */
  renew(): void {
    this.#shared.retire();
    this.#ofClients.retire();
  }

  close(): void {
    this.#shared.close();
    this.#ofClients.close();
    this.#reaper?.cancel();
    this.#reaper = undefined;
  }

  /** For the admin page. */
  dump(): readonly object[] {
    return [...this.#shared.rows(), ...this.#ofClients.rows()];
  }

  #makePool(protocol: PoolProtocol, to: DialledConnection): UpstreamPool {
    const { queueTimeoutMs, timers } = this.#options;
    const dialer = this.#dialer;
    const alpn = ALPN[protocol];
    const options = { timers, queueTimeoutMs, connect: () => dialer.connect(to, alpn) };
    if (this.#reaper === undefined) this.#startReaper();
    switch (protocol) {
      case 'http1':
        return new Http1Pool(options);
      case 'http2':
        return new Http2Pool(options);
      case 'negotiated':
        return new NegotiatedPool({ ...options, connect: () => dialer.negotiate(to, alpn) });
    }
  }

  #startReaper(): void {
    const { idleTimeoutMs } = this.#options;
    this.#reaper = this.#clock.setTimer(idleTimeoutMs / 4, () => {
      const nowMs = this.#clock.monotonic();
      this.#shared.reap(nowMs, idleTimeoutMs);
      this.#ofClients.reap(nowMs, idleTimeoutMs);
      this.#startReaper();
    });
  }
}
