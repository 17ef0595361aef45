import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import type { Engine, SecureChannel, TcpChannel } from '#shared/engine/engine.ts';
import type { HbonePool } from '#shared/hbone/session-pool.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { leadsToSelf } from '#shared/workload/ip.ts';
import { type Workload, workloadIdentity } from '#shared/workload/workload.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { HBONE_PORT } from '../ports.ts';
import type { PoolClient } from './client-pools.ts';
import { type OriginatedTls, tlsTowards } from './originated-tls.ts';
import { proxyHeader } from './proxy-header.ts';
import type { SecureUpstream } from './secure-upstream.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export interface EndpointDialerOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly hbone: HbonePool;
  /** TLS of the waypoint's own. */
  readonly secure: SecureUpstream;
  /** The waypoint's own SPIFFE id. */
  readonly identity: string;
  readonly connectTimeoutMs: number;
  /** Of the waypoint. */
  readonly ownIps: readonly string[];
}

/** Where a connection leads, how it is made, and for whom. */
export interface DialledConnection {
  readonly endpoint: BalancedEndpoint;
  readonly connection: UpstreamConnection;
  /** Undefined: for the waypoint itself, or for whoever's request comes. */
  readonly client: PoolClient | undefined;
}

/** Makes connections to endpoints: plain, through a tunnel of the mesh, and with TLS of the waypoint's own over either. */
export class EndpointDialer {
  readonly #options: EndpointDialerOptions;

  constructor(options: EndpointDialerOptions) {
    this.#options = options;
  }

  /** Of making a connection. */
  timeoutMs({ connectTimeoutMs }: UpstreamConnection): number {
    return connectTimeoutMs ?? this.#options.connectTimeoutMs;
  }

  /** Rejects with a `ChannelError`. @param alpn offered where TLS is spoken */
  connect(to: DialledConnection, alpn: readonly string[]): Promise<ByteChannel> {
    const tls = tlsTowards(to.endpoint.workload, to.connection);
    if (tls !== undefined) return this.#secured(to, tls, alpn);
    const timeoutMs = this.timeoutMs(to.connection);
    return isTunnelled(to) ? this.#tunnel(to, timeoutMs) : this.#dial(to, timeoutMs);
  }

  /** The server chooses what is spoken. Rejects with a `ChannelError`. */
  negotiate(to: DialledConnection, alpn: readonly string[]): Promise<SecureChannel> {
    const tls = tlsTowards(to.endpoint.workload, to.connection);
    return tls === undefined
      ? Promise.reject(new ChannelError('protocol', 'without TLS there is nothing to negotiate'))
      : this.#secured(to, tls, alpn);
  }

  /** The deadline is of the handshake too. Who takes a tunnel is spoken TLS with inside of it. */
  async #secured(to: DialledConnection, tls: OriginatedTls, alpn: readonly string[]): Promise<SecureChannel> {
    const { clock, secure } = this.#options;
    const timeoutMs = this.timeoutMs(to.connection);
    const startMs = clock.monotonic();
    const leftMs = (): number => timeoutMs - (clock.monotonic() - startMs);
    const context = secure.context(tls);
    const { endpoint } = to;
    const options = { alpn: tls.alpn.length > 0 ? tls.alpn : alpn, endpoint };
    if (isTunnelled(to)) {
      const tunnel = await this.#tunnel(to, timeoutMs);
      return secure.handshakeWithin(tunnel, context, tls, options, leftMs());
    }
    const channel = await this.#dial(to, timeoutMs);
    return secure.handshake(channel, context, tls, options, leftMs());
  }

  #dial(to: DialledConnection, timeoutMs: number): Promise<TcpChannel> {
    const { targetPort: port, workload } = to.endpoint;
    const { keepalive } = to.connection;
    const ip = this.#addressOf(workload);
    if (typeof ip !== 'string') return Promise.reject(ip);
    return introduced(this.#options.engine.connect({ remote: { ip, port }, timeoutMs, keepalive }), to);
  }

  #tunnel(to: DialledConnection, timeoutMs: number): Promise<ByteChannel> {
    const { targetPort, workload } = to.endpoint;
    const { hbone, identity } = this.#options;
    const ip = this.#addressOf(workload);
    if (typeof ip !== 'string') return Promise.reject(ip);
    const target = {
      sourceIdentity: identity,
      destinationIdentities: [workloadIdentity(workload)],
      remote: { ip, port: HBONE_PORT },
      workloadUid: workload.uid,
      request: { host: ip, port: targetPort },
    };
    return introduced(
      this.#withTimeout(timeoutMs, signal => hbone.connect(target, signal)),
      to,
    );
  }

  /** Or why there is none to dial. */
  #addressOf({ addresses: [ip], uid }: Workload): string | ChannelError {
    if (ip === undefined) return new ChannelError('unreachable', `workload ${uid} has no address`);
    if (!leadsToSelf(ip, this.#options.ownIps)) return ip;
    return new ChannelError('unreachable', `${ip} of workload ${uid} would lead the waypoint to itself`);
  }

  async #withTimeout<T>(timeoutMs: number, connect: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const reason = new ChannelError('connect_timeout', `no tunnel within ${timeoutMs} ms`);
    const timer = this.#options.clock.setTimer(timeoutMs, () => controller.abort(reason));
    try {
      return await connect(controller.signal);
    } finally {
      timer.cancel();
    }
  }
}

function isTunnelled({ endpoint }: DialledConnection): boolean {
  return endpoint.workload.tunnelProtocol !== 'none';
}

/** The same, beginning with the header of the PROXY protocol where the endpoint asks for it. */
function introduced<Channel extends ByteChannel>(
  made: Promise<Channel>,
  { client, connection }: DialledConnection,
): Promise<Channel> {
  const version = connection.proxyProtocol;
  if (version === undefined) return made;
  return made.then(channel => {
    channel.write(proxyHeader(version, client?.ends));
    return channel;
  });
}
