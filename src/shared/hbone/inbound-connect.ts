import type { CancelSignal } from '../lifecycle/cancellation.ts';
import type { ByteChannel, SocketEndpoint } from '../engine/channel.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { ConnectRequest } from './connect-request.ts';

/** 400 malformed or not for this workload, 401 denied by policy, 503 upstream not dialled or own state not ready. */
export type RefusalStatus = 400 | 401 | 503;

/**
 * One CONNECT request that waits for its answer. Exactly one of `accept` and `refuse` is called; a second call throws.
 * Until then the client's early bytes wait under flow control.
 */
export interface InboundConnect {
  readonly request: ConnectRequest;
  /** SPIFFE id of the verified client certificate. */
  readonly peerIdentity: SpiffeId;
  /** Address the client dialled (the pod's) and the one it dialled from. */
  readonly local: SocketEndpoint;
  readonly remote: SocketEndpoint;
  /** Aborts when the client gives up before the answer: stop dialling then. */
  readonly signal: CancelSignal;
  /** Answers 200. The channel ends as the tunnel does: half-close is END_STREAM, abort is RST_STREAM. */
  accept(): ByteChannel;
  /**
   * Answers with the status. `reason` is for the log of this side; it is not sent to the peer.
   * @param isLimitReached the workload has as many connections as it may, which the peer is told (RFC 9209 §2.3.12)
   */
  refuse(status: RefusalStatus, reason: string, isLimitReached?: boolean): void;
}
