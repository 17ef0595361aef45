import { ChannelError } from '../engine/channel.ts';
import type { SecureChannel } from '../engine/engine.ts';
import type { HeaderList } from '../http/headers.ts';
import type { Http2ConnectionHandler } from '../http2/connection-handler.ts';
import { Http2Connection } from '../http2/connection.ts';
import { ErrorCode } from '../http2/error-code.ts';
import type { Http2Options } from '../http2/options.ts';
import type { Http2Stream, Http2StreamHandler } from '../http2/stream.ts';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { peerIdentity } from '../spiffe/svid.ts';
import { parseConnectRequest } from './connect-request.ts';
import type { InboundConnect } from './inbound-connect.ts';
import { PendingConnect } from './pending-connect.ts';
import { tunnelOptions } from './tunnel-options.ts';

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
  readonly peerIdentity: SpiffeId;
  readonly openStreams: number;
  /** GOAWAY; open tunnels live on; the connection closes after the last. */
  drain(): void;
  /** Ends connection and tunnels at once. Idempotent. */
  close(reason: ChannelError): void;
}

/**
 * Serves HBONE on a channel whose handshake is done. Throws `ChannelError` `tls_handshake` (and aborts the channel) when
 * the peer's certificate carries no single SPIFFE id or the ALPN is not h2.
 */
export function serveHbone(channel: SecureChannel, options: HboneServerOptions): HboneServerSession {
  return new ServerSession(channel, requirePeer(channel), options);
}

class ServerSession implements HboneServerSession, Http2ConnectionHandler {
  readonly peerIdentity: SpiffeId;
  readonly #channel: SecureChannel;
  readonly #options: HboneServerOptions;
  readonly #connection: Http2Connection;
  readonly #expiry: Expiry;

  constructor(channel: SecureChannel, peer: SpiffeId, options: HboneServerOptions) {
    this.peerIdentity = peer;
    this.#channel = channel;
    this.#options = options;
    this.#connection = new Http2Connection(
      'server',
      channel,
      options.clock,
      tunnelOptions(options.http2),
      this,
    );
    this.#expiry = new Expiry(options.clock, channel.peerNotAfter, () => this.#connection.drain());
  }

  get openStreams(): number {
    return this.#connection.openStreams;
  }

  drain(): void {
    this.#connection.drain();
  }

  close(reason: ChannelError): void {
    this.#connection.close(closeCodeFor(reason), reason.message);
  }

  // === for the connection ===

  onStream(stream: Http2Stream, fields: HeaderList): Http2StreamHandler {
    return onStream(stream, fields, this.#channel, this.peerIdentity, this.#options);
  }

  onGoaway(): void {}

  onCapacity(): void {}

  onClose(error: ChannelError | undefined): void {
    this.#expiry.cancel();
    this.#options.onClose?.(error);
  }
}

/** Longest wait between two looks at the wall clock: timers stand still while a machine sleeps. */
const EXPIRY_CHECK_MS = 60_000;

/**
 * A peer whose certificate has expired takes no new tunnels: who gets no new one (removed, or compromised) must not go on
 * by a connection made before. One that was renewed has connected anew long since.
 */
class Expiry {
  readonly #clock: Clock;
  readonly #notAfter: number;
  readonly #onExpired: () => void;
  #timer: Timer | undefined;

  constructor(clock: Clock, notAfter: number, onExpired: () => void) {
    this.#clock = clock;
    this.#notAfter = notAfter;
    this.#onExpired = onExpired;
    this.#check();
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #check(): void {
    const leftMs = this.#notAfter - this.#clock.now();
    if (leftMs <= 0) this.#onExpired();
    else this.#timer = this.#clock.setTimer(Math.min(leftMs, EXPIRY_CHECK_MS), () => this.#check());
  }
}

function requirePeer(channel: SecureChannel): SpiffeId {
  const identity = peerIdentity(channel.peerUris);
  const fault =
    channel.alpn === 'h2' ? (identity.ok ? undefined : identity.reason) : 'the connection is not h2 (ALPN)';
  if (identity.ok && fault === undefined) return identity.id;
  const { ip } = channel.remoteAddress;
  const error = new ChannelError('tls_handshake', `HBONE connection from ${ip} refused: ${fault}`);
  channel.abort(error);
  throw error;
}

function onStream(
  stream: Http2Stream,
  fields: HeaderList,
  channel: SecureChannel,
  peer: SpiffeId,
  options: HboneServerOptions,
): Http2StreamHandler {
  const parsed = parseConnectRequest(fields);
  if (!parsed.ok) {
    stream.sendHeaders([':status', '400'], true);
    // The client may still be sending; it need not go on (RFC 9113 §8.1).
    stream.reset(ErrorCode.NO_ERROR);
    options.onBadRequest?.(400, parsed.reason);
    return IGNORE;
  }
  const connect = new PendingConnect(stream, parsed.request, channel, peer);
  options.onConnect(connect);
  return connect.tunnel;
}

function closeCodeFor(reason: ChannelError): number {
  return reason.code === 'drain' || reason.code === 'aborted' ? ErrorCode.NO_ERROR : ErrorCode.CANCEL;
}

const IGNORE: Http2StreamHandler = {
  onHeaders() {},
  onData() {},
  onEnd() {},
  onReset() {},
  onDrain() {},
};
