import type { JsonObject } from '#shared/config/json.ts';
import { Informer, type InformerOptions } from '#shared/kube/informer.ts';
import { type InformerChange, nameKey, objectNameOf } from '#shared/kube/known-versions.ts';

export type ParsedObject<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string };

export interface WatchedSetOptions<T> extends Omit<InformerOptions, 'onChange' | 'onSynced'> {
  /** An object that is not as it should be is rejected alone: its last good version stays. */
  readonly parse: (object: JsonObject) => ParsedObject<T>;
  /** After the first list, and after every change. */
  readonly onChange: () => void;
}

/** The objects of a collection, each cut down to what a node agent needs, by `<namespace>/<name>`. */
export class WatchedSet<T> {
  readonly #options: WatchedSetOptions<T>;
  readonly #informer: Informer;
  readonly #items = new Map<string, T>();
  readonly #synced = Promise.withResolvers<void>();

  constructor(options: WatchedSetOptions<T>) {
    this.#options = options;
    this.#informer = new Informer({
      ...options,
      onChange: change => this.#apply(change),
      onSynced: () => {
        this.#synced.resolve();
        options.onChange();
      },
    });
  }

  get items(): ReadonlyMap<string, T> {
    return this.#items;
  }

  /** Resolves when the set is known for the first time, however long that takes. */
  start(): Promise<void> {
    this.#informer.start();
    return this.#synced.promise;
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  #apply({ upserts, deletes }: InformerChange): void {
    for (const name of deletes) this.#items.delete(nameKey(name));
    for (const object of upserts) {
      const name = nameKey(objectNameOf(object));
      const parsed = this.#options.parse(object);
      if (parsed.ok) this.#items.set(name, parsed.value);
      else {
        const { kind } = this.#options.resource;
        this.#options.logger.warn('an object is not understood; its last good version stays', {
          kind,
          name,
          error: parsed.error,
        });
      }
    }
    if (this.#informer.synced) this.#options.onChange();
  }
}
