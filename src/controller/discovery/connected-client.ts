import type { ResourceType } from '#shared/discovery/mesh-resource.ts';
import type { Timer } from '#shared/lifecycle/clock.ts';
import type { ClientStatus } from './discovery-server.ts';
import { TypeWatch } from './type-watch.ts';

/** One stream and who is at its other end. */
export class ConnectedClient {
  /** Proven by the token. */
  readonly identity: string;
  readonly peer: string;
  /** As the client names itself; empty until its first request. */
  node = '';
  readonly #connectedAt: number;
  readonly #watches = new Map<ResourceType, TypeWatch>();
  readonly #deadlines = new Map<ResourceType, Timer>();

  constructor(identity: string, peer: string, connectedAt: number) {
    this.identity = identity;
    this.peer = peer;
    this.#connectedAt = connectedAt;
  }

  watch(type: ResourceType): TypeWatch | undefined {
    return this.#watches.get(type);
  }

  openWatch(type: ResourceType): TypeWatch {
    const found = this.#watches.get(type);
    if (found !== undefined) return found;
    const watch = new TypeWatch(type);
    this.#watches.set(type, watch);
    return watch;
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
      identity: this.identity,
      peer: this.peer,
      connectedSince: new Date(this.#connectedAt).toISOString(),
      types: [...this.#watches.values()].map(watch => watch.status()),
    };
  }
}
