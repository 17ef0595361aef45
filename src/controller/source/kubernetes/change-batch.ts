import { createHash } from 'node:crypto';
import { keyOf, type KubeObject } from '../kube-object.ts';
import type { ObjectChange } from '../object-source.ts';

/**
 * Collects changes until they are taken, and leaves out what says nothing new: a node's heartbeat or a status somebody
 * wrote changes the version of an object and nothing that is kept of it.
 */
export class ChangeBatch {
  /** Key → digest of the object last told, or about to be. */
  readonly #digests = new Map<string, string>();
  readonly #upserts = new Map<string, KubeObject>();
  readonly #deletes = new Set<string>();

  get isEmpty(): boolean {
    return this.#upserts.size === 0 && this.#deletes.size === 0;
  }

  upsert(object: KubeObject): void {
    const key = keyOf(object);
    const digest = createHash('sha1').update(JSON.stringify(object)).digest('base64');
    if (this.#digests.get(key) === digest) return;
    this.#digests.set(key, digest);
    this.#deletes.delete(key);
    this.#upserts.set(key, object);
  }

  delete(key: string): void {
    if (!this.#digests.delete(key)) return;
    this.#upserts.delete(key);
    this.#deletes.add(key);
  }

  take(): ObjectChange {
    const change = { upserts: [...this.#upserts.values()], deletes: [...this.#deletes] };
    this.#upserts.clear();
    this.#deletes.clear();
    return change;
  }
}
