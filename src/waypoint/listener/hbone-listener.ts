import { ChannelError } from '#shared/engine/channel.ts';
import type { Engine, Listener, ListenTarget, TcpChannel, TlsContext } from '#shared/engine/engine.ts';
import type { InboundConnect } from '#shared/hbone/inbound-connect.ts';
import { type HboneServerSession, serveHbone } from '#shared/hbone/server.ts';
import type { Http2Options } from '#shared/http2/options.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { formatHostPort } from '#shared/workload/ip.ts';

export interface HboneListenerOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The waypoint's certificate as it is now. Throws `ChannelError` when there is none that is valid. */
  readonly tlsContext: () => TlsContext;
  readonly handshakeTimeoutMs: number;
  readonly http2: Partial<Http2Options>;
  readonly onConnect: (connect: InboundConnect) => void;
}

const ALPN = ['h2'];

/** The HBONE connections that ztunnels and other waypoints hold open to this one. */
export class HboneListener {
  readonly #options: HboneListenerOptions;
  readonly #sessions = new Set<HboneServerSession>();
  #listeners: Listener[] = [];
  #draining = false;
  #closedBy: ChannelError | undefined;

  constructor(options: HboneListenerOptions) {
    this.#options = options;
  }

  get openSessions(): number {
    return this.#sessions.size;
  }

  /** Rejects when the address is taken. @returns the address bound */
  async listen(target: ListenTarget): Promise<Listener['address']> {
    const listener = await this.#options.engine.listen(target, channel => void this.#serve(channel));
    this.#listeners.push(listener);
    return listener.address;
  }

  /** Stops accepting and sends GOAWAY; open tunnels live on. */
  async drain(): Promise<void> {
    this.#draining = true;
    await Promise.all(this.#listeners.splice(0).map(listener => listener.close()));
    for (const session of this.#sessions) session.drain();
  }

  close(reason: ChannelError): void {
    this.#closedBy ??= reason;
    for (const session of this.#sessions) session.close(reason);
  }

  /** Never rejects: a peer that fails the handshake is logged and forgotten. */
  async #serve(channel: TcpChannel): Promise<void> {
    const { clock, engine, handshakeTimeoutMs, http2, onConnect } = this.#options;
    const { remoteAddress } = channel;
    try {
      const options = { alpn: ALPN, timeoutMs: handshakeTimeoutMs, verifyPeer: true };
      const secure = await engine.secureServer(channel, this.#contextFor(channel), options);
      const session: HboneServerSession = serveHbone(secure, {
        clock,
        http2,
        onConnect,
        onBadRequest: (status, reason) =>
          this.#warn('bad HBONE request', remoteAddress, `${status}: ${reason}`),
        onClose: () => this.#sessions.delete(session),
      });
      this.#sessions.add(session);
      // A handshake may outlast the listener, and a session that only drains would still take tunnels for a while.
      if (this.#closedBy !== undefined) session.close(this.#closedBy);
      else if (this.#draining) session.drain();
    } catch (error) {
      this.#warn('HBONE handshake failed', remoteAddress, errorMessage(error));
    }
  }

  /** A channel nobody took over is closed here; one in a handshake is the engine's. */
  #contextFor(channel: TcpChannel): TlsContext {
    try {
      return this.#options.tlsContext();
    } catch (error) {
      const message = errorMessage(error);
      channel.abort(new ChannelError('tls_handshake', message, { cause: error }));
      throw error;
    }
  }

  #warn(message: string, remote: { ip: string; port: number }, error: string): void {
    this.#options.logger.warn(message, { 'src.addr': formatHostPort(remote.ip, remote.port), error });
  }
}
