import { createHash } from 'node:crypto';
import {
  encodeResource,
  type MeshResource,
  RESOURCE_TYPES,
  type ResourceType,
  resourceAliases,
  resourceName,
  resourceType,
} from '#shared/discovery/mesh-resource.ts';

/** A resource as it is sent: encoded once, however many clients there are. */
export interface StoredResource {
  readonly name: string;
  /** Hash of the bytes: the same resource has the same version in every replica and after every restart. */
  readonly version: string;
  readonly aliases: readonly string[];
  /** SPIFFE ids of the clients it is for; undefined: of all. */
  readonly audience: readonly string[] | undefined;
  readonly value: Buffer;
  readonly resource: MeshResource;
}

/** One name whose resource was added, replaced or removed. */
export interface ResourceChange {
  readonly type: ResourceType;
  readonly name: string;
  /** Those it had and those it has. */
  readonly aliases: readonly string[];
  /** As well. */
  readonly audience: readonly string[] | undefined;
}

export type ChangeListener = (changes: readonly ResourceChange[]) => void;

const VERSION_HEX_DIGITS = 16;

/** What all clients should hold. The index is its only writer. */
export class ResourceStore {
  readonly #types = new Map<ResourceType, TypeStore>(RESOURCE_TYPES.map(type => [type, new TypeStore()]));
  readonly #listeners = new Set<ChangeListener>();
  #revision = 0;

  /** Grows with every publication that changed something. */
  get revision(): number {
    return this.#revision;
  }

  get(type: ResourceType, name: string): StoredResource | undefined {
    return this.#of(type).resources.get(name);
  }

  /** Every resource that answers to an on-demand name: its own, or `<network>/<ip>`. */
  resolve(type: ResourceType, name: string): readonly StoredResource[] {
    const { byAlias, resources } = this.#of(type);
    const own = resources.get(name);
    if (own !== undefined) return [own];
    return [...(byAlias.get(name) ?? [])].flatMap(target => resources.get(target) ?? []);
  }

  all(type: ResourceType): ReadonlyMap<string, StoredResource> {
    return this.#of(type).resources;
  }

  /** Takes over new values and removals; what is equal to what is held changes nothing. @returns what changed. */
  publish(
    resources: Iterable<MeshResource>,
    removed: Iterable<readonly [ResourceType, string]> = [],
  ): readonly ResourceChange[] {
    const changes: ResourceChange[] = [];
    const gone: ResourceChange[] = [];
    for (const [type, name] of removed) {
      const before = this.#of(type).remove(name);
      if (before !== undefined) gone.push({ type, name, aliases: before.aliases, audience: before.audience });
    }
    for (const resource of resources) {
      const type = resourceType(resource);
      const stored = encode(resource);
      const before = this.#of(type).resources.get(stored.name);
      if (before?.version === stored.version) continue;
      this.#of(type).put(stored);
      const aliases = [...(before?.aliases ?? []), ...stored.aliases];
      const audience = stored.audience && [...(before?.audience ?? []), ...stored.audience];
      changes.push({ type, name: stored.name, aliases, audience });
    }
    // Behind what takes their place: where one push does not hold all, what restricts is there before it goes.
    changes.push(...gone);
    if (changes.length > 0) {
      this.#revision++;
      for (const listener of this.#listeners) listener(changes);
    }
    return changes;
  }

  /** @returns the function that ends the subscription. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #of(type: ResourceType): TypeStore {
    const store = this.#types.get(type);
    if (store === undefined) throw new Error(`no store for ${type}`);
    return store;
  }
}

class TypeStore {
  readonly resources = new Map<string, StoredResource>();
  /** Several names at one address: for a moment when a pod's address is given to the next one. */
  readonly byAlias = new Map<string, Set<string>>();

  put(stored: StoredResource): void {
    this.remove(stored.name);
    this.resources.set(stored.name, stored);
    for (const alias of stored.aliases) {
      this.byAlias.getOrInsertComputed(alias, () => new Set()).add(stored.name);
    }
  }

  remove(name: string): StoredResource | undefined {
    const before = this.resources.get(name);
    if (before === undefined) return undefined;
    this.resources.delete(name);
    for (const alias of before.aliases) {
      const names = this.byAlias.get(alias);
      names?.delete(name);
      if (names?.size === 0) this.byAlias.delete(alias);
    }
    return before;
  }
}

function encode(resource: MeshResource): StoredResource {
  const value = encodeResource(resource);
  const audience = resource.kind === 'credential' ? resource.audience : undefined;
  const hash = createHash('sha256').update(value);
  // Whoever is added to it is told, although nothing else has changed.
  if (audience !== undefined) hash.update(audience.join());
  const version = hash.digest('hex').slice(0, VERSION_HEX_DIGITS);
  return {
    name: resourceName(resource),
    version,
    aliases: resourceAliases(resource),
    audience,
    value,
    resource,
  };
}
