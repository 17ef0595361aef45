import { keyOf, type KubeObject } from '../source/kube-object.ts';
import type { Diagnostic, Translated } from '../translate/diagnostic.ts';

/** An object of a kind and what it means. */
export interface Parsed<T> {
  readonly object: KubeObject;
  readonly value: T;
}

/** Whether an object is in use, and what is wrong with it. */
export interface ObjectStatus {
  readonly key: string;
  /** Which version of the object this is about; 0 where it has none. */
  readonly generation: number;
  /** `stale`: the present object is rejected, an earlier one is in use. */
  readonly state: 'accepted' | 'stale' | 'rejected';
  readonly diagnostics: readonly Diagnostic[];
}

/** An object as it is now, what of it is in force, and what is wrong with it. */
export interface Entry<T> {
  readonly latest: KubeObject;
  readonly good: Parsed<T> | undefined;
  readonly accepted: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The objects of one kind, translated as far as that goes by the object alone. A rejected object leaves the last good one
 * in use; one that was never good is not there.
 */
export class ParsedKind<T> {
  readonly #translate: (object: KubeObject) => Translated<T>;
  readonly #namespaces = new Map<string, Map<string, Entry<T>>>();
  #revision = 0;

  constructor(translate: (object: KubeObject) => Translated<T>) {
    this.#translate = translate;
  }

  /** Another one after each change: what was derived of these objects is as good as the revision it was derived at. */
  get revision(): number {
    return this.#revision;
  }

  upsert(object: KubeObject): void {
    this.#revision++;
    const { name, namespace } = object.metadata;
    const translated = this.#translate(object);
    const before = this.#namespaces.get(namespace)?.get(name);
    const entry: Entry<T> = {
      latest: object,
      good: translated.ok ? { object, value: translated.value } : before?.good,
      accepted: translated.ok,
      diagnostics: translated.diagnostics,
    };
    this.#namespaces.getOrInsertComputed(namespace, () => new Map()).set(name, entry);
  }

  remove(namespace: string, name: string): void {
    this.#revision++;
    const ofNamespace = this.#namespaces.get(namespace);
    ofNamespace?.delete(name);
    if (ofNamespace?.size === 0) this.#namespaces.delete(namespace);
  }

  /** After something changed that the translation asks about: all, or those in force for which it matters. */
  translateAgain(isOutdated: (object: KubeObject) => boolean = () => true): void {
    for (const ofNamespace of this.#namespaces.values()) {
      for (const { accepted, good, latest } of ofNamespace.values()) {
        if (accepted && !isOutdated(latest)) continue;
        // What is in force is made again too, although something newer was rejected.
        if (!accepted && good !== undefined) this.upsert(good.object);
        this.upsert(latest);
      }
    }
  }

  get(namespace: string, name: string): Parsed<T> | undefined {
    return this.#namespaces.get(namespace)?.get(name)?.good;
  }

  /** Also of what was never good. */
  entry(namespace: string, name: string): Entry<T> | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  /** Those that were never good as well. */
  namesIn(namespace: string): Iterable<string> {
    return this.#namespaces.get(namespace)?.keys() ?? [];
  }

  *inNamespace(namespace: string): Generator<Parsed<T>> {
    for (const { good } of this.#namespaces.get(namespace)?.values() ?? [])
      if (good !== undefined) yield good;
  }

  *all(): Generator<Parsed<T>> {
    for (const namespace of this.#namespaces.keys()) yield* this.inNamespace(namespace);
  }

  /** Those that were never good as well. */
  *entries(): Generator<Entry<T>> {
    for (const ofNamespace of this.#namespaces.values()) yield* ofNamespace.values();
  }

  namespaces(): Iterable<string> {
    return this.#namespaces.keys();
  }

  *statuses(): Generator<ObjectStatus> {
    for (const entry of this.entries()) {
      const { diagnostics, latest } = entry;
      yield {
        key: keyOf(latest),
        generation: latest.metadata.generation,
        state: stateOf(entry),
        diagnostics,
      };
    }
  }

  count(wanted: ObjectStatus['state']): number {
    let count = 0;
    for (const entry of this.entries()) if (stateOf(entry) === wanted) count++;
    return count;
  }
}

function stateOf({ accepted, good }: Entry<unknown>): ObjectStatus['state'] {
  if (accepted) return 'accepted';
  return good === undefined ? 'rejected' : 'stale';
}
