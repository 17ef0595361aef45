import type { AuthzConnection } from '#shared/authz/connection.ts';
import type { ChannelError } from '#shared/engine/channel.ts';
import type { BidirectionalCopy } from '#shared/engine/copy.ts';
import type { Timer } from '#shared/lifecycle/clock.ts';
import type { TcpCells } from '#shared/observability/tcp-metrics.ts';
import type { Downstream } from '../request/environment.ts';
import type { SharedUse } from '../upstream/shared-use.ts';

/** As counted by a copy: downstream to upstream is sent. */
export interface CopiedBytes {
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** One proxied connection, to be cut when policy no longer allows it. */
export interface LiveConnection {
  readonly downstream: Downstream;
  readonly authz: AuthzConnection;
  readonly startMs: number;
  copy: BidirectionalCopy | undefined;
  cells: TcpCells | undefined;
  /** Of the copy's bytes, those that are in the metrics. */
  countedReceived: number;
  countedSent: number;
  denied: ChannelError | undefined;
  /** When it has lasted long enough. */
  limit: Timer | undefined;
  /** What its connection to an endpoint counts against, that being made included. */
  use: SharedUse | undefined;
}

export function newConnection(
  downstream: Downstream,
  authz: AuthzConnection,
  startMs: number,
): LiveConnection {
  return {
    downstream,
    authz,
    startMs,
    copy: undefined,
    cells: undefined,
    countedReceived: 0,
    countedSent: 0,
    denied: undefined,
    limit: undefined,
    use: undefined,
  };
}

/** Counts its connection to an endpoint against what is allowed. @returns false: that is used up */
export function occupy(live: LiveConnection, use: SharedUse): boolean {
  if (live.use === use) return true;
  vacate(live);
  if (use.connectionsFull) return false;
  use.connections++;
  live.use = use;
  return true;
}

export function vacate(live: LiveConnection): void {
  if (live.use !== undefined) live.use.connections--;
  live.use = undefined;
}

/** Puts the bytes since the last call in the metrics. `copied`: so far. */
export function countBytes(live: LiveConnection, copied: CopiedBytes): void {
  const { cells } = live;
  if (cells === undefined) return;
  cells.received.value += copied.bytesSent - live.countedReceived;
  cells.sent.value += copied.bytesReceived - live.countedSent;
  live.countedReceived = copied.bytesSent;
  live.countedSent = copied.bytesReceived;
}
