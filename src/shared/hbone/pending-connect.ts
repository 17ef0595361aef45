import { Cancellation, type CancelSignal } from '../lifecycle/cancellation.ts';
import type { ByteChannel, SocketEndpoint } from '../engine/channel.ts';
import type { SecureChannel } from '../engine/engine.ts';
import { ErrorCode } from '../http2/error-code.ts';
import type { Http2Stream, StreamReset } from '../http2/stream.ts';
import type { ConnectRequest } from './connect-request.ts';
import { LIMIT_REACHED_FIELDS } from './limit-reached.ts';
import type { InboundConnect, RefusalStatus } from './inbound-connect.ts';
import { TunnelChannel } from './tunnel-channel.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';

const OK_FIELDS = [':status', '200'];

/** A CONNECT stream until it is answered. */
export class PendingConnect implements InboundConnect {
  readonly request: ConnectRequest;
  readonly peerIdentity: SpiffeId;
  readonly local: SocketEndpoint;
  readonly remote: SocketEndpoint;
  /** Receives the stream's events from the first one on; early bytes wait in it. */
  readonly tunnel: TunnelChannel;
  readonly #stream: Http2Stream;
  #isAnswered = false;
  #isGone = false;
  #cancellation: Cancellation | undefined;

  constructor(stream: Http2Stream, request: ConnectRequest, channel: SecureChannel, peerIdentity: SpiffeId) {
    this.request = request;
    this.peerIdentity = peerIdentity;
    this.local = channel.localAddress;
    this.remote = channel.remoteAddress;
    this.#stream = stream;
    this.tunnel = new ServerTunnel(channel, () => this.#onGone());
    this.tunnel.attach(stream);
  }

  /** Made on demand: most requests are answered in the turn they arrive. */
  get signal(): CancelSignal {
    this.#cancellation ??= new Cancellation();
    if (this.#isGone) this.#cancellation.cancel();
    return this.#cancellation;
  }

  accept(): ByteChannel {
    this.#answer();
    this.#stream.sendHeaders(OK_FIELDS, false);
    return this.tunnel;
  }

  refuse(status: RefusalStatus, _reason: string, isLimitReached = false): void {
    this.#answer();
    this.#stream.sendHeaders(
      [':status', String(status), ...(isLimitReached ? LIMIT_REACHED_FIELDS : [])],
      true,
    );
    this.#stream.reset(ErrorCode.NO_ERROR);
  }

  #answer(): void {
    if (this.#isAnswered) throw new Error('a CONNECT request is answered once');
    this.#isAnswered = true;
  }

  #onGone(): void {
    this.#isGone = true;
    if (!this.#isAnswered) this.#cancellation?.cancel();
  }
}

class ServerTunnel extends TunnelChannel {
  readonly #onGone: () => void;

  constructor(channel: SecureChannel, onGone: () => void) {
    super(channel);
    this.#onGone = onGone;
  }

  override onReset(reset: StreamReset): void {
    this.#onGone();
    super.onReset(reset);
  }
}
