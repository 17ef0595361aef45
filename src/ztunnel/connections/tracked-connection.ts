import type { AuthzConnection } from '#shared/authz/connection.ts';
import type { ChannelError } from '#shared/engine/channel.ts';
import type { BidirectionalCopy } from '#shared/engine/copy.ts';
import type { ConnectionPeers } from '#shared/observability/connection-peers.ts';
import type { TcpCells } from '#shared/observability/tcp-metrics.ts';
import type { ConnectionPlace } from './place-keeper.ts';

/** One connection from the moment it was accepted to its line in the log. Only the `ConnectionManager` ends it. */
export class TrackedConnection {
  readonly podUid: string;
  /** `ip:port` of who opened it. */
  readonly sourceAddress: string;
  readonly openedAtMs: number;
  readonly openedMonotonicMs: number;
  /** Owned by the manager; -1 once ended. */
  index = -1;
  peers: ConnectionPeers;
  destinationAddress = '';
  hboneAddress = '';
  /** Inbound only: what policies compare, now and whenever they change. */
  authz: AuthzConnection | undefined;
  cells: TcpCells | undefined;
  /** Owned by the manager; undefined: there was none for it. */
  place: ConnectionPlace | undefined;
  #copy: BidirectionalCopy | undefined;
  #aborted: ChannelError | undefined;
  #countedSent = 0;
  #countedReceived = 0;

  constructor(
    podUid: string,
    sourceAddress: string,
    peers: ConnectionPeers,
    nowMs: number,
    monotonicMs: number,
  ) {
    this.podUid = podUid;
    this.sourceAddress = sourceAddress;
    this.peers = peers;
    this.openedAtMs = nowMs;
    this.openedMonotonicMs = monotonicMs;
  }

  /** Set when there is no place for the connection, or somebody cut it before it was established: whoever establishes it must give it up. */
  get aborted(): ChannelError | undefined {
    return this.#aborted;
  }

  get established(): boolean {
    return this.cells !== undefined;
  }

  /** Request bytes: from who opened the connection. */
  get requestBytes(): number {
    return this.#copy?.bytesSent ?? 0;
  }

  get responseBytes(): number {
    return this.#copy?.bytesReceived ?? 0;
  }

  attach(copy: BidirectionalCopy): void {
    this.#copy = copy;
  }

  /** Cuts the connection, at once or as soon as it would be established. Idempotent. */
  abort(reason: ChannelError): void {
    this.#aborted ??= reason;
    this.#copy?.abort(this.#aborted);
  }

  /** Adds what moved since the last time to the counters, so that they grow while a long connection lives. */
  countBytes(): void {
    const { cells } = this;
    if (cells === undefined) return;
    const received = this.requestBytes;
    const sent = this.responseBytes;
    cells.received.value += received - this.#countedReceived;
    cells.sent.value += sent - this.#countedSent;
    this.#countedReceived = received;
    this.#countedSent = sent;
  }
}
