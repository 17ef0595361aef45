import { type ByteChannel, ChannelError, type SocketEndpoint } from '../engine/channel.ts';
import type { ConnectRequestInit } from './connect-request.ts';

/** Where a tunnel goes and who must be there. */
export interface HboneTarget {
  /** SPIFFE id we present. */
  readonly sourceIdentity: string;
  /** SPIFFE ids of which the peer must prove one; never empty. */
  readonly destinationIdentities: readonly string[];
  /** Address that is dialled: the destination's, port 15008. */
  readonly remote: SocketEndpoint;
  /** Uid of the workload (or waypoint) expected there: a recycled pod IP never gets an old session. */
  readonly workloadUid: string;
  readonly request: ConnectRequestInit;
}

/** An open tunnel (the 200 has arrived). */
export interface HboneTunnel extends ByteChannel {
  /** The id the peer proved. */
  readonly peerIdentity: string;
}

/** The peer answered the CONNECT with something other than 200. Code `policy` for 401, `unreachable` for the rest. */
export class ConnectRefusedError extends ChannelError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(status === 401 || status === 403 ? 'policy' : 'unreachable', message);
    this.name = 'ConnectRefusedError';
    this.status = status;
  }
}
