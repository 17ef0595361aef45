import type { CompiledPolicySet } from '#shared/authz/compile.ts';
import type { Denials } from '#shared/authz/denials.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { AccessLog } from '#shared/observability/access-log.ts';
import { logConnection } from '../telemetry/connection-log.ts';
import type { ConnectionPeers } from '#shared/observability/connection-peers.ts';
import type { TcpMetrics } from '#shared/observability/tcp-metrics.ts';
import type { ConnectionPlace } from './place-keeper.ts';
import { responseFlag } from './response-flag.ts';
import { TrackedConnection } from './tracked-connection.ts';

export interface ConnectionManagerOptions {
  readonly clock: Clock;
  readonly accessLog: AccessLog;
  /** Asked for every connection: lines that nobody wants cost nothing. */
  readonly logsConnections: () => boolean;
  readonly metrics: TcpMetrics;
  readonly denials: Denials;
}

/** How often the byte counters take in what long connections moved. */
const COUNT_INTERVAL_MS = 5_000;

/** Every connection of a thread, from accept to its one log line. */
export class ConnectionManager {
  readonly #options: ConnectionManagerOptions;
  readonly #live: TrackedConnection[] = [];
  #countTimer: Timer | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: ConnectionManagerOptions) {
    this.#options = options;
  }

  get live(): readonly TrackedConnection[] {
    return this.#live;
  }

  /**
   * Registers a connection before anything is decided about it, so that no policy change can miss it. One for which there is
   * no place is `aborted` from the beginning.
   */
  start(
    podUid: string,
    sourceAddress: string,
    peers: ConnectionPeers,
    place: ConnectionPlace,
  ): TrackedConnection {
    const { clock } = this.#options;
    const connection = new TrackedConnection(podUid, sourceAddress, peers, clock.now(), clock.monotonic());
    connection.index = this.#live.length;
    this.#live.push(connection);
    const refusal = place.take();
    if (refusal === undefined) connection.place = place;
    else connection.abort(refusal);
    if (this.#countTimer === undefined) this.#scheduleCount();
    return connection;
  }

  /** Both sides are connected: from here on it counts as opened. */
  established(connection: TrackedConnection): void {
    const { metrics } = this.#options;
    connection.cells = metrics.cells(connection.peers);
    connection.cells.opened.value++;
    metrics.socketsOpen.value += 2;
  }

  /** Ends it: the counters, and its one line. `error` undefined when both directions ended in order. Idempotent. */
  end(connection: TrackedConnection, error: ChannelError | undefined): void {
    if (connection.index < 0) return;
    this.#remove(connection);
    connection.place?.give();
    const { metrics } = this.#options;
    const { cells } = connection;
    // Whoever cut it knows why; what the sockets report after that is only the consequence.
    const cause = connection.aborted ?? error;
    if (cells !== undefined) {
      connection.countBytes();
      cells.closed.value++;
      metrics.socketsOpen.value -= 2;
    }
    if (cause !== undefined && (cells === undefined || cause.code === 'policy')) {
      metrics.countFailure(connection.peers, responseFlag(cause));
    }
    if (this.#options.logsConnections()) this.#log(connection, cause);
    if (this.#live.length === 0) this.#becomeEmpty();
  }

  /** Evaluates every inbound connection again; the losers are cut, with the rule in their log line. */
  recheck(policiesOf: (podUid: string) => CompiledPolicySet | undefined): number {
    let cut = 0;
    for (let i = this.#live.length - 1; i >= 0; i--) {
      const connection = this.#live[i];
      const policies = connection?.authz === undefined ? undefined : policiesOf(connection.podUid);
      if (connection?.authz === undefined || policies === undefined) continue;
      const decision = evaluate(policies, connection.authz);
      if (decision.allowed) continue;
      if (connection.aborted === undefined)
        this.#options.denials.count(decision, connection.peers.destination?.namespace ?? 'unknown');
      connection.abort(new ChannelError('policy', `policy changed: ${decision.reason}`));
      cut++;
    }
    return cut;
  }

  abortAll(reason: ChannelError): void {
    this.#abortWhere(() => true, reason);
  }

  abortPod(podUid: string, reason: ChannelError): void {
    this.#abortWhere(connection => connection.podUid === podUid, reason);
  }

  /** Backwards: an abort may end a connection at once, and the one that takes its place has been looked at already. */
  #abortWhere(chosen: (connection: TrackedConnection) => boolean, reason: ChannelError): void {
    for (let i = this.#live.length - 1; i >= 0; i--) {
      const connection = this.#live[i];
      if (connection !== undefined && chosen(connection)) connection.abort(reason);
    }
  }

  /** Resolves when no connection is live. One waiter at a time. */
  whenEmpty(): Promise<void> {
    if (this.#live.length === 0) return Promise.resolve();
    return new Promise(resolve => (this.#onEmpty = resolve));
  }

  countBytes(): void {
    for (const connection of this.#live) connection.countBytes();
  }

  #remove(connection: TrackedConnection): void {
    const last = this.#live.pop();
    if (last !== undefined && last !== connection) {
      this.#live[connection.index] = last;
      last.index = connection.index;
    }
    connection.index = -1;
  }

  #becomeEmpty(): void {
    this.#countTimer?.cancel();
    this.#countTimer = undefined;
    this.#onEmpty?.();
    this.#onEmpty = undefined;
  }

  #scheduleCount(): void {
    this.#countTimer = this.#options.clock.setTimer(COUNT_INTERVAL_MS, () => {
      this.countBytes();
      this.#scheduleCount();
    });
  }

  #log(connection: TrackedConnection, cause: ChannelError | undefined): void {
    const { accessLog, clock } = this.#options;
    const outbound = connection.peers.reporter === 'source';
    const { requestBytes, responseBytes } = connection;
    logConnection(accessLog, {
      peers: connection.peers,
      sourceAddress: connection.sourceAddress,
      destinationAddress: connection.destinationAddress,
      hboneAddress: connection.hboneAddress,
      bytesSent: outbound ? requestBytes : responseBytes,
      bytesReceived: outbound ? responseBytes : requestBytes,
      durationMs: clock.monotonic() - connection.openedMonotonicMs,
      error: cause?.message,
    });
  }
}
