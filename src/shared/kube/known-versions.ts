import { isJsonObject, type JsonObject } from '../config/json.ts';

/** What a change of objects is told with: objects as the server sent them, and names of those that are gone. */
export interface InformerChange {
  readonly upserts: readonly JsonObject[];
  readonly deletes: readonly ObjectName[];
}

export interface ObjectName {
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

/**
 * Which objects have been told of, and in which version: all an informer needs to turn a list into a change. The objects
 * themselves are kept by whoever is told, as far as needed.
 */
export class KnownVersions {
  /** `<namespace>/<name>` → resourceVersion. */
  readonly #versions = new Map<string, string>();
  /** What the list under way has not shown yet. */
  #unseen: Set<string> | undefined;

  get size(): number {
    return this.#versions.size;
  }

  has(name: ObjectName): boolean {
    return this.#versions.has(nameKey(name));
  }

  beginList(): void {
    this.#unseen = new Set(this.#versions.keys());
  }

  /** @returns those of a page that are new or differ from what is known. */
  onPage(items: readonly JsonObject[]): JsonObject[] {
    return items.filter(item => {
      this.#unseen?.delete(keyOf(item));
      return this.#isNew(item);
    });
  }

  /** @returns those that are gone since they were told of. */
  endList(): ObjectName[] {
    const gone = [...(this.#unseen ?? [])];
    this.#unseen = undefined;
    for (const key of gone) this.#versions.delete(key);
    return gone.map(nameOf);
  }

  /** @returns whether the object has to be told of. */
  onUpsert(object: JsonObject): boolean {
    return this.#isNew(object);
  }

  /** @returns its name when it was known. */
  onDelete(object: JsonObject): ObjectName | undefined {
    const key = keyOf(object);
    return this.#versions.delete(key) ? nameOf(key) : undefined;
  }

  /** Forgets all. @returns what was known. */
  clear(): ObjectName[] {
    const names = [...this.#versions.keys()].map(nameOf);
    this.#versions.clear();
    return names;
  }

  #isNew(object: JsonObject): boolean {
    const key = keyOf(object);
    const version = resourceVersionOf(object);
    if (version !== '' && this.#versions.get(key) === version) return false;
    this.#versions.set(key, version);
    return true;
  }
}

export function objectNameOf(object: JsonObject): ObjectName {
  return { namespace: metadataText(object, 'namespace'), name: metadataText(object, 'name') };
}

/** For maps: `<namespace>/<name>`. */
export function nameKey({ name, namespace }: ObjectName): string {
  return `${namespace}/${name}`;
}

/** Empty when there is none. */
export function resourceVersionOf(object: JsonObject): string {
  return metadataText(object, 'resourceVersion');
}

function keyOf(object: JsonObject): string {
  return nameKey(objectNameOf(object));
}

function nameOf(key: string): ObjectName {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

function metadataText(object: JsonObject, field: string): string {
  const metadata = object['metadata'];
  const value = isJsonObject(metadata) ? metadata[field] : undefined;
  return typeof value === 'string' ? value : '';
}
