import type { MeshResource, ResourceType } from './mesh-resource.ts';

/** A resource as last accepted, with the version that a reconnect or a restart claims to hold. */
export interface HeldResource {
  readonly type: ResourceType;
  readonly name: string;
  readonly version: string;
  readonly aliases: readonly string[];
  readonly resource: MeshResource;
}

/** Everything accepted so far. The objects are those of the mesh store: only the entries cost memory of their own. */
export class ResourceCache {
  readonly #held = new Map<ResourceType, Map<string, HeldResource>>();

  put(held: HeldResource): void {
    const ofType = this.#held.get(held.type);
    if (ofType === undefined) this.#held.set(held.type, new Map([[held.name, held]]));
    else ofType.set(held.name, held);
  }

  remove(type: ResourceType, name: string): void {
    this.#held.get(type)?.delete(name);
  }

  ofType(type: ResourceType): Iterable<HeldResource> {
    return this.#held.get(type)?.values() ?? [];
  }

  *[Symbol.iterator](): Iterator<HeldResource> {
    for (const ofType of this.#held.values()) yield* ofType.values();
  }
}
