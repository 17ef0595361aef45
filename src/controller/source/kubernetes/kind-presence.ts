import type { KubeResource } from '#shared/kube/resource.ts';

export interface PresenceChange {
  readonly came: readonly KubeResource[];
  readonly went: readonly string[];
  /** Some kind was missed for the first time: look again before it is believed. */
  readonly doubtful: boolean;
}

/**
 * Which kinds there are, from looking at what is served. One that is missed is only gone when it is missed twice: an API
 * server that has just started does not know all of its CRDs yet, and policies must not vanish with it.
 */
export class KindPresence {
  readonly #present = new Map<string, KubeResource>();
  readonly #missed = new Set<string>();

  get present(): ReadonlyMap<string, KubeResource> {
    return this.#present;
  }

  onLook(served: ReadonlyMap<string, KubeResource>): PresenceChange {
    const came: KubeResource[] = [];
    const went: string[] = [];
    for (const [kind, resource] of served) {
      this.#missed.delete(kind);
      const before = this.#present.get(kind);
      if (before?.version === resource.version && before.plural === resource.plural) continue;
      this.#present.set(kind, resource);
      came.push(resource);
    }
    let doubtful = false;
    for (const kind of this.#present.keys()) {
      if (served.has(kind)) continue;
      if (this.#missed.delete(kind)) {
        this.#present.delete(kind);
        went.push(kind);
      } else {
        this.#missed.add(kind);
        doubtful = true;
      }
    }
    return { came, went, doubtful };
  }
}
