import type { DiscoveryNode } from '#shared/discovery/delta-message.ts';
import { NODE_CLUSTER, NODE_VERSION } from '#shared/discovery/discovery-node.ts';
import type { ResourceType } from '#shared/discovery/mesh-resource.ts';
import type { Timer } from '#shared/lifecycle/clock.ts';
import type { ClientStatus } from './discovery-server.ts';
import type { ResourceChange } from './resource-store.ts';
import type { ClientState } from './server-metrics.ts';
import { TypeWatch } from './type-watch.ts';

/** One stream and who is at its other end. */
export class ConnectedClient {
  /** Proven by the token. */
  readonly identity: string;
  readonly peer: string;
  /** As the client names itself; empty until its first request. */
  node = '';
  #cluster = '';
  #version = '';
  readonly #connectedAt: number;
  readonly #watches = new Map<ResourceType, TypeWatch>();
  readonly #deadlines = new Map<ResourceType, Timer>();
  /** When the oldest change came that it has not confirmed, monotonic. */
  #behindSinceMs: number | undefined;

  constructor(identity: string, peer: string, connectedAt: number) {
    this.identity = identity;
    this.peer = peer;
    this.#connectedAt = connectedAt;
  }

  /** What it says of itself in its first request; bounded, for it is shown and kept. */
  introduce({ id, metadata }: DiscoveryNode): void {
    this.node = id.slice(0, MAX_NODE_ID_LENGTH);
    this.#cluster = shortText(metadata[NODE_CLUSTER]);
    this.#version = shortText(metadata[NODE_VERSION]);
  }

  watch(type: ResourceType): TypeWatch | undefined {
    return this.#watches.get(type);
  }

  openWatch(type: ResourceType): TypeWatch {
    const found = this.#watches.get(type);
    if (found !== undefined) return found;
    const watch = new TypeWatch(type, this.identity);
    this.#watches.set(type, watch);
    return watch;
  }

  /** Marks what this client has to hear of. */
  onChange(change: ResourceChange, monotonicMs: number): void {
    const watch = this.#watches.get(change.type);
    watch?.onChange(change);
    if (watch?.hasPending === true) this.#behindSinceMs ??= monotonicMs;
  }

  /** How long it took to confirm what had changed, told once; undefined while it has not, and when nothing had. */
  takeConvergence(monotonicMs: number): number | undefined {
    const since = this.#behindSinceMs;
    if (since === undefined || this.state === 'stale') return undefined;
    this.#behindSinceMs = undefined;
    return monotonicMs - since;
  }

  get state(): ClientState {
    const states = [...this.#watches.values()].map(watch => watch.state);
    if (states.includes('stale')) return 'stale';
    return states.includes('nack') ? 'nack' : 'synced';
  }

  setDeadline(type: ResourceType, timer: Timer): void {
    this.#deadlines.get(type)?.cancel();
    this.#deadlines.set(type, timer);
  }

  cancelDeadline(type: ResourceType): void {
    this.#deadlines.get(type)?.cancel();
    this.#deadlines.delete(type);
  }

  cancelDeadlines(): void {
    for (const timer of this.#deadlines.values()) timer.cancel();
    this.#deadlines.clear();
  }

  status(): ClientStatus {
    return {
      node: this.node,
      cluster: this.#cluster,
      version: this.#version,
      identity: this.identity,
      peer: this.peer,
      connectedSince: new Date(this.#connectedAt).toISOString(),
      types: [...this.#watches.values()].map(watch => watch.status()),
    };
  }
}

function shortText(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_METADATA_LENGTH) : '';
}

const MAX_NODE_ID_LENGTH = 512;
const MAX_METADATA_LENGTH = 128;
