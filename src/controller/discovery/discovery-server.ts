import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { DeltaRequest, DeltaResponse } from '#shared/discovery/delta-message.ts';
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  parseResourceType,
  SERVICE_ROUTES_TYPE,
  TLS_CREDENTIAL_TYPE,
  TRUST_BUNDLE_TYPE,
} from '#shared/discovery/mesh-resource.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { ConnectedClient } from './connected-client.ts';
import type { DepartedClients } from './departed-clients.ts';
import type { ResourceChange, ResourceStore } from './resource-store.ts';
import { CLIENT_STATES, type ClientState, type ServerMetrics } from './server-metrics.ts';
import type { WatchStatus } from './type-watch.ts';

/** The sending half of a stream, whatever carries it. */
export interface ClientLink {
  send(response: DeltaResponse): void;
  /** Ends the stream with a gRPC status. */
  close(status: 'INVALID_ARGUMENT' | 'DEADLINE_EXCEEDED' | 'UNAVAILABLE', message: string): void;
}

/** The receiving half: what the carrier calls. */
export interface ClientEvents {
  onRequest(request: DeltaRequest): void;
  onClose(): void;
}

export interface DiscoveryServerOptions {
  readonly store: ResourceStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  readonly departed: DepartedClients;
}

/** For `/debug/syncz`. */
export interface ClientStatus {
  readonly node: string;
  /** As the client says; empty when it does not. */
  readonly cluster: string;
  readonly version: string;
  readonly identity: string;
  readonly peer: string;
  readonly connectedSince: string;
  readonly types: readonly WatchStatus[];
}

/** Larger states go in several responses, so that no client or replica has to hold a whole mesh in one message. */
const MAX_PUSH_BYTES = 4 * 1024 * 1024;
/** A client that does not answer a push holds an old configuration without knowing: it is made to come again. */
const ACK_DEADLINE_MS = 60_000;

/**
 * Delta aggregated discovery, without the transport. Pushes of one turn of the loop are merged; per client and type one
 * push is outstanding, and what changes meanwhile goes into the next.
 *
 * Every client may hold every resource but private keys, which have an audience: a route's backends are services of other waypoints, whose subsets travel in their
 * own `ServiceRoutes`, so scoping routes by waypoint would need the closure of all references to win little.
 */
export class DiscoveryServer {
  readonly #options: DiscoveryServerOptions;
  readonly #clients = new Map<ConnectedClient, ClientLink>();
  readonly #due = new Set<ConnectedClient>();
  readonly #stopWatching: () => void;
  #flush: NodeJS.Immediate | undefined;
  #nonce = 0;

  constructor(options: DiscoveryServerOptions) {
    this.#options = options;
    this.#stopWatching = options.store.onChange(changes => this.#onChange(changes));
  }

  /** `identity` is proven, `peer` the client's address. */
  accept(identity: string, peer: string, link: ClientLink): ClientEvents {
    const client = new ConnectedClient(identity, peer, this.#options.clock.now());
    this.#clients.set(client, link);
    this.#options.metrics.onClients(this.#clients.size);
    return {
      onRequest: request => this.#onRequest(client, link, request),
      onClose: () => this.#onClose(client),
    };
  }

  /** Ends every stream: clients keep what they have and connect to another replica. */
  stop(): void {
    this.#stopWatching();
    clearImmediate(this.#flush);
    for (const [client, link] of this.#clients) {
      link.close('UNAVAILABLE', 'the controller is shutting down');
      this.#onClose(client);
    }
  }

  clients(): readonly ClientStatus[] {
    return [...this.#clients.keys()]
      .map(client => client.status())
      .sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** How many clients stand how. */
  states(): ReadonlyMap<ClientState, number> {
    const counts = new Map(CLIENT_STATES.map(state => [state, 0]));
    for (const { state } of this.#clients.keys()) counts.set(state, (counts.get(state) ?? 0) + 1);
    return counts;
  }

  /** Nodes that have not confirmed the roots of the moment, those that were here and are gone included. */
  unconfirmedTrust(): readonly string[] {
    const connected = [...this.#clients.keys()].filter(
      client => client.watch(TRUST_BUNDLE_TYPE)?.status().state !== 'synced',
    );
    return [...connected.map(client => client.node), ...this.#options.departed.nodes()].sort();
  }

  /** Nodes that are here and have confirmed the roots of the moment. */
  confirmedTrust(): readonly string[] {
    return [...this.#clients.keys()]
      .filter(client => client.watch(TRUST_BUNDLE_TYPE)?.status().state === 'synced')
      .map(client => client.node);
  }

  #onRequest(client: ConnectedClient, link: ClientLink, request: DeltaRequest): void {
    const type = parseResourceType(request.typeUrl);
    if (type === undefined) {
      // A newer client may ask for what we do not have; the types we do have must not suffer.
      this.#options.logger.debug('subscription to an unknown type ignored', {
        type: request.typeUrl,
        node: client.node,
      });
      return;
    }
    if (request.node !== undefined && client.node === '') {
      client.introduce(request.node);
      this.#options.departed.forget(client.node);
      this.#options.logger.info('discovery client connected', {
        node: client.node,
        identity: client.identity,
      });
    }
    if (client.node === '') {
      link.close('INVALID_ARGUMENT', 'the first request of a stream must carry node.id');
      return;
    }
    const watch = client.openWatch(type);
    const nack = watch.onRequest(request, this.#options.store, this.#options.clock.now());
    if (!watch.outstanding) client.cancelDeadline(type);
    if (nack !== undefined) {
      this.#options.metrics.onNack(type);
      this.#options.logger.warn('resources rejected by a client, which keeps its last good ones', {
        node: client.node,
        type,
        reason: nack,
      });
    }
    this.#push(client, link);
    const convergedMs = client.takeConvergence(this.#options.clock.monotonic());
    if (convergedMs !== undefined) this.#options.metrics.onConverged(convergedMs / 1000);
  }

  #onChange(changes: readonly ResourceChange[]): void {
    const nowMs = this.#options.clock.monotonic();
    for (const client of this.#clients.keys()) {
      for (const change of changes) client.onChange(change, nowMs);
      this.#due.add(client);
    }
    // After the turn: the changes of one file, or of several objects, leave in one push.
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      for (const client of this.#due) {
        const link = this.#clients.get(client);
        if (link !== undefined) this.#push(client, link);
      }
      this.#due.clear();
    });
  }

  #push(client: ConnectedClient, link: ClientLink): void {
    const { metrics, store } = this.#options;
    for (const type of PUSH_ORDER) {
      const watch = client.watch(type);
      if (watch === undefined) continue;
      const push = watch.nextPush(store, MAX_PUSH_BYTES);
      if (push === undefined) {
        // It waits for an answer: what it restricts waits with it.
        if (watch.hasPending) return;
        continue;
      }
      const nonce = String(++this.#nonce);
      watch.onSent(nonce, this.#options.clock.now());
      client.setDeadline(watch.type, this.#ackDeadline(client, link));
      link.send({ typeUrl: watch.type, nonce, systemVersion: String(store.revision), ...push });
      metrics.onPush(watch.type, push.resources.length + push.removed.length);
      if (push.moreFollows) return;
    }
  }

  #ackDeadline(client: ConnectedClient, link: ClientLink): Timer {
    return this.#options.clock.setTimer(ACK_DEADLINE_MS, () => {
      this.#options.logger.warn('client did not answer a push, its stream is ended', { node: client.node });
      link.close('DEADLINE_EXCEEDED', `no ACK or NACK within ${ACK_DEADLINE_MS} ms`);
      this.#onClose(client);
    });
  }

  #onClose(client: ConnectedClient): void {
    client.cancelDeadlines();
    if (!this.#clients.delete(client)) return;
    this.#due.delete(client);
    this.#options.departed.add(client.node);
    this.#options.metrics.onClients(this.#clients.size);
    this.#options.logger.info('discovery client gone', { node: client.node, identity: client.identity });
  }
}

/** What restricts goes before what it restricts: a new workload must not be known before the policy that came with it. */
const PUSH_ORDER = [
  TRUST_BUNDLE_TYPE,
  AUTHORIZATION_TYPE,
  TLS_CREDENTIAL_TYPE,
  SERVICE_ROUTES_TYPE,
  ADDRESS_TYPE,
] as const;
