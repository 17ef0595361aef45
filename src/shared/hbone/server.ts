import type { ChannelError } from '../engine/channel.ts';
import type { SecureChannel } from '../engine/engine.ts';
import type { Http2Options } from '../http2/options.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { InboundConnect } from './inbound-connect.ts';

export interface HboneServerOptions {
  readonly clock: Clock;
  /** Called in the turn the request arrives; may answer later. */
  readonly onConnect: (connect: InboundConnect) => void;
  /** A request that was answered without `onConnect` (not CONNECT, bad authority): status and why, for the log. */
  readonly onBadRequest?: (status: number, reason: string) => void;
  readonly onClose?: (error: ChannelError | undefined) => void;
  readonly http2?: Partial<Http2Options>;
}

/** One accepted HBONE connection. */
export interface HboneServerSession {
  readonly peerIdentity: string;
  readonly openStreams: number;
  /** GOAWAY; open tunnels live on; the connection closes after the last. */
  drain(): void;
  /** Ends connection and tunnels at once. Idempotent. */
  close(reason: ChannelError): void;
}

/**
 * Serves HBONE on a channel whose handshake is done. Throws `ChannelError` `tls_handshake` when the peer's
 * certificate carries no single SPIFFE id or the ALPN is not h2.
 */
export function serveHbone(channel: SecureChannel, options: HboneServerOptions): HboneServerSession {
  void [channel, options];
  throw new Error('not built yet');
}
