import { type BackoffOptions, backoffDelay } from '../lifecycle/backoff.ts';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import { errorMessage } from '../observability/error-message.ts';
import type { Logger } from '../observability/logger.ts';
import type { MeshDelta } from '../workload/mesh-view.ts';
import type { DeltaResource, DeltaResponse, DiscoveryNode } from './delta-message.ts';
import type { DeltaStream, DeltaTransport } from './delta-transport.ts';
import type { DiscoveryMetrics } from './discovery-metrics.ts';
import type { DiscoveryListener, DiscoverySource, DiscoveryStatus } from './discovery-source.ts';
import {
  decodeResource,
  type MeshResource,
  parseResourceType,
  type ResourceType,
  toMeshDelta,
  isMeshType,
  TLS_CREDENTIAL_TYPE,
} from './mesh-resource.ts';
import { ResourceCache } from './resource-cache.ts';
import type { SnapshotFile } from './snapshot-file.ts';
import { DeltaSubscription } from './subscription.ts';

export interface DiscoveryClientOptions {
  readonly transport: DeltaTransport;
  readonly node: DiscoveryNode;
  readonly types: readonly ResourceType[];
  readonly mode?: 'wildcard' | 'on_demand';
  readonly listener: DiscoveryListener;
  /** Where what was accepted is kept for a restart without the controller. */
  readonly snapshot?: SnapshotFile;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: DiscoveryMetrics;
  readonly backoff?: BackoffOptions;
}

/** A controller that is back is heard within seconds: until then nobody hears of new pods. */
const DEFAULT_BACKOFF: BackoffOptions = { initialMs: 200, maxMs: 5_000, factor: 2, jitter: 0.5 };
/** A peer that accepts the stream and then says nothing is as good as gone. */
const FIRST_RESPONSE_DEADLINE_MS = 30_000;

/**
 * Delta discovery client of a proxy. Configuration only ever improves: a lost controller, a refused token or a bad
 * resource leave what was accepted before in force.
 */
export class DiscoveryClient implements DiscoverySource {
  readonly #options: DiscoveryClientOptions;
  readonly #subscriptions: ReadonlyMap<ResourceType, DeltaSubscription>;
  readonly #systemVersions = new Map<ResourceType, string>();
  readonly #cache = new ResourceCache();
  #stream: DeltaStream | undefined;
  #nodeSent = false;
  #timer: Timer | undefined;
  #attempt = 0;
  #started = false;
  #connectedAt: number | undefined;
  #lastError: string | undefined;
  #announced = false;
  /**
   * What has come so far, in order, until every type has: a workload without the policies that select it would let
   * everybody in. Undefined once it has been told.
   */
  #held: MeshDelta[] | undefined;

  constructor(options: DiscoveryClientOptions) {
    this.#options = options;
    const mode = options.mode ?? 'wildcard';
    this.#held = mode === 'wildcard' ? [] : undefined;
    this.#subscriptions = new Map(options.types.map(type => [type, new DeltaSubscription(type, mode)]));
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#restore();
    this.#connect();
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#timer?.cancel();
    this.#stream?.cancel();
    this.#stream = undefined;
    // What is not complete must not be what a restart begins with.
    if (this.#held === undefined) await this.#options.snapshot?.close();
  }

  subscribe(name: string): void {
    for (const subscription of this.#subscriptions.values()) {
      const request = subscription.subscribe(name);
      if (request !== undefined) this.#stream?.send(request);
      // The first name of an on-demand type opens it.
      else if (!subscription.isOpen) this.#openType(subscription);
    }
  }

  status(): DiscoveryStatus {
    const connectedAt = this.#connectedAt;
    return {
      source: this.#options.transport.address,
      connectedSince: connectedAt === undefined ? undefined : new Date(connectedAt).toISOString(),
      lastError: this.#lastError,
      types: [...this.#subscriptions].map(([type, subscription]) => ({
        type,
        synced: subscription.synced,
        resources: subscription.known.size,
        systemVersion: this.#systemVersions.get(type) ?? '',
        rejected: [...subscription.rejected.values()],
      })),
    };
  }

  #restore(): void {
    // Roots are kept by the certificate manager, with the keys.
    const held = (this.#options.snapshot?.load() ?? []).filter(h => isMeshType(h.type));
    for (const [type, subscription] of this.#subscriptions) {
      const ofType = held.filter(h => h.type === type);
      if (ofType.length === 0) continue;
      for (const resource of ofType) this.#cache.put(resource);
      subscription.restore(ofType.map(h => [h.name, h.version]));
      // A snapshot is written when every type is known: it is complete.
      this.#held = undefined;
      const resources = ofType.map(h => h.resource);
      this.#options.listener.onDelta(toMeshDelta(type, resources, []));
    }
  }

  #connect(): void {
    const { clock, transport } = this.#options;
    this.#nodeSent = false;
    try {
      this.#stream = transport.open({
        onResponse: (response, bytes) => this.#onResponse(response, bytes),
        onEnd: reason => this.#onEnd(reason),
      });
    } catch (error) {
      this.#onEnd(errorMessage(error));
      return;
    }
    for (const subscription of this.#subscriptions.values()) this.#openType(subscription);
    if (!this.#nodeSent) return;
    this.#timer = clock.setTimer(FIRST_RESPONSE_DEADLINE_MS, () => {
      this.#stream?.cancel();
      this.#onEnd(`no response within ${FIRST_RESPONSE_DEADLINE_MS} ms`);
    });
  }

  /** Only the first message of a stream carries the node. */
  #openType(subscription: DeltaSubscription): void {
    if (this.#stream === undefined) return;
    const request = subscription.open(this.#nodeSent ? undefined : this.#options.node);
    if (request === undefined) return;
    this.#nodeSent = true;
    this.#stream.send(request);
  }

  #onResponse(response: DeltaResponse, bytes: number): void {
    const { clock, logger, metrics } = this.#options;
    if (this.#connectedAt === undefined) this.#onConnected(clock.now());
    const type = parseResourceType(response.typeUrl);
    const subscription = type && this.#subscriptions.get(type);
    if (type === undefined || subscription === undefined) {
      logger.warn('response of a type that was not subscribed', { type: response.typeUrl });
      return;
    }
    metrics.onResponse(type, bytes);
    const changed: MeshResource[] = [];
    const received = subscription.receive(response, resource => this.#check(type, resource, changed));
    for (const name of received.removed) {
      this.#cache.remove(type, name);
      if (type === TLS_CREDENTIAL_TYPE) this.#options.listener.onCredential?.(name, undefined);
    }
    this.#systemVersions.set(type, response.systemVersion);
    for (const r of received.rejected) {
      logger.warn('resource rejected, the last good one stays', { type, name: r.name, reason: r.reason });
    }
    metrics.onRejected(type, received.rejected.length);
    if (isMeshType(type) && (changed.length > 0 || received.removed.length > 0)) {
      this.#deliver(toMeshDelta(type, changed, received.removed));
    }
    this.#stream?.send(received.reply);
    this.#announceSync();
  }

  #deliver(delta: MeshDelta): void {
    if (this.#held !== undefined) {
      this.#held.push(delta);
      return;
    }
    this.#options.listener.onDelta(delta);
    this.#options.snapshot?.schedule(this.#cache);
  }

  /** Policies first: not even for a turn of the loop is a workload known without them. */
  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const delta of held.filter(bringsPolicy)) this.#deliver(delta);
    for (const delta of held.filter(d => !bringsPolicy(d))) this.#deliver(delta);
  }

  /** Decodes once: what passes the check is kept in `changed`. */
  #check(type: ResourceType, resource: DeltaResource, changed: MeshResource[]): string | undefined {
    const { name, version, aliases } = resource;
    if (resource.typeUrl !== type) return `is of type ${JSON.stringify(resource.typeUrl)}`;
    const decoded = decodeResource(type, name, resource.value);
    if (!decoded.ok) return decoded.reason;
    if (decoded.resource.kind === 'trust') {
      try {
        this.#options.listener.onTrust?.(decoded.resource.trust);
      } catch (error) {
        return errorMessage(error);
      }
    }
    if (decoded.resource.kind === 'credential') {
      // Not kept: what is kept is written to disk.
      this.#options.listener.onCredential?.(name, decoded.resource.credential);
      return undefined;
    }
    changed.push(decoded.resource);
    this.#cache.put({ type, name, version, aliases, resource: decoded.resource });
    return undefined;
  }

  #onConnected(now: number): void {
    this.#timer?.cancel();
    this.#attempt = 0;
    this.#connectedAt = now;
    this.#lastError = undefined;
    this.#options.metrics.onConnected(true);
    this.#options.logger.info('discovery connected', { controller: this.#options.transport.address });
    this.#options.listener.onConnected?.();
  }

  #onEnd(reason: string): void {
    const { backoff = DEFAULT_BACKOFF, clock, logger, metrics, random, transport } = this.#options;
    this.#stream = undefined;
    this.#timer?.cancel();
    for (const subscription of this.#subscriptions.values()) subscription.close();
    const wasConnected = this.#connectedAt !== undefined;
    this.#connectedAt = undefined;
    this.#lastError = reason;
    if (!this.#started) return;
    metrics.onConnected(false);
    metrics.onTermination(wasConnected ? 'disconnect' : 'connection_error');
    const delayMs = backoffDelay(backoff, this.#attempt++, random());
    logger.warn('discovery stream ended, the last configuration stays in force', {
      controller: transport.address,
      reason,
      retryInMs: Math.round(delayMs),
    });
    this.#timer = clock.setTimer(delayMs, () => this.#connect());
  }

  #announceSync(): void {
    if (this.#announced) return;
    for (const [type, { synced }] of this.#subscriptions) {
      // Ours alone: another control plane never sends it, and traffic does not wait for it.
      if (!synced && isMeshType(type)) return;
    }
    this.#announced = true;
    this.#release();
    this.#options.listener.onSynced();
  }
}

/** Each delta of a stream is of one type. */
function bringsPolicy(delta: MeshDelta): boolean {
  return (
    delta.policies.length + delta.removedPolicies.length + delta.routes.length + delta.removedRoutes.length >
    0
  );
}
