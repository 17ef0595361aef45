import { ChannelError } from '#shared/engine/channel.ts';
import type { SecureChannel, TcpChannel } from '#shared/engine/engine.ts';
import { serveHbone, type HboneServerSession } from '#shared/hbone/server.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import { connectionError } from '../connections/carry.ts';
import type { PodContext } from '../pod/pod-context.ts';
import { serveConnect } from './serve-connect.ts';

const ALPN = ['h2'];

/** The HBONE connections that other proxies hold open to one local workload. */
export class HboneListener {
  readonly #pod: PodContext;
  readonly #sessions = new Set<HboneServerSession>();
  #draining = false;
  #closedBy: ChannelError | undefined;

  constructor(pod: PodContext) {
    this.#pod = pod;
  }

  get openSessions(): number {
    return this.#sessions.size;
  }

  accept(channel: TcpChannel): void {
    const { hbone } = this.#pod.places;
    const refusal = hbone.take();
    if (refusal === undefined) {
      void this.#serve(
        channel,
        once(() => hbone.give()),
      );
      return;
    }
    this.#warn('HBONE connection refused', channel.remoteAddress, refusal.message);
    channel.abort(refusal);
  }

  /** GOAWAY to every peer; open tunnels live on. */
  drain(): void {
    this.#draining = true;
    for (const session of this.#sessions) session.drain();
  }

  close(reason: ChannelError): void {
    this.#closedBy ??= reason;
    for (const session of this.#sessions) session.close(reason);
  }

  /**
   * Never rejects: a peer that fails the handshake is logged and forgotten.
   * @param giveBack the place of the connection
   */
  async #serve(channel: TcpChannel, giveBack: () => void): Promise<void> {
    const { certificates, engine, settings } = this.#pod.traffic;
    const { remoteAddress } = channel;
    try {
      const context = this.#contextOr(channel, () => certificates.get(this.#pod.identity));
      const secure = await engine.secureServer(channel, context, {
        alpn: ALPN,
        timeoutMs: settings.handshakeTimeoutMs,
        verifyPeer: true,
      });
      this.#keep(secure, giveBack);
    } catch (error) {
      giveBack();
      this.#warn('HBONE handshake failed', remoteAddress, connectionError(error).message);
    }
  }

  #keep(secure: SecureChannel, giveBack: () => void): void {
    const { settings, clock } = this.#pod.traffic;
    const { remoteAddress } = secure;
    let session: HboneServerSession | undefined;
    session = serveHbone(secure, {
      clock,
      http2: settings.http2,
      onConnect: connect => serveConnect(this.#pod, connect),
      onBadRequest: (status, reason) =>
        this.#warn('bad HBONE request', remoteAddress, `${status}: ${reason}`),
      onClose: () => {
        giveBack();
        // A channel that broke meanwhile may be told of before there is a session.
        if (session !== undefined) this.#sessions.delete(session);
        session = undefined;
      },
    });
    if (session === undefined) return;
    this.#sessions.add(session);
    // The handshake ended behind the close or the drain of this listener.
    if (this.#closedBy !== undefined) session.close(this.#closedBy);
    else if (this.#draining) session.drain();
  }

  /** A channel nobody took over is closed here; one in a handshake is the engine's. */
  #contextOr<T>(channel: TcpChannel, get: () => T): T {
    try {
      return get();
    } catch (error) {
      channel.abort(connectionError(error));
      throw error;
    }
  }

  #warn(message: string, remote: { ip: string; port: number }, error: string): void {
    const { uid } = this.#pod.current().workload;
    this.#pod.traffic.logger.warn(message, {
      'src.addr': formatHostPort(remote.ip, remote.port),
      dst: uid,
      error,
    });
  }
}

/** A session that fails may be told of by its end as well. */
function once(fn: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) fn();
    isDone = true;
  };
}
