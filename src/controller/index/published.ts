import { isDeepStrictEqual } from 'node:util';
import {
  type MeshResource,
  type ResourceType,
  resourceName,
  resourceType,
} from '#shared/discovery/mesh-resource.ts';

/** What the index has made, by group (a namespace, or one for all), so that a group can be made again as a whole. */
export class Published {
  readonly #groups = new Map<string, Map<string, MeshResource>>();
  readonly #upserts: MeshResource[] = [];
  readonly #removed: (readonly [ResourceType, string])[] = [];

  /** The group is exactly these. */
  replaceGroup(group: string, resources: readonly MeshResource[]): void {
    const names = new Set(resources.map(resourceName));
    for (const name of this.#groups.get(group)?.keys() ?? []) if (!names.has(name)) this.remove(group, name);
    for (const resource of resources) this.put(group, resource);
  }

  /** Nothing happens when it is equal to what was there: unchanged values go nowhere. */
  put(group: string, resource: MeshResource): void {
    const name = resourceName(resource);
    const ofGroup = this.#groups.get(group);
    if (isDeepStrictEqual(ofGroup?.get(name), resource)) return;
    if (ofGroup === undefined) this.#groups.set(group, new Map([[name, resource]]));
    else ofGroup.set(name, resource);
    this.#upserts.push(resource);
  }

  remove(group: string, name: string): void {
    const before = this.#groups.get(group)?.get(name);
    if (before === undefined) return;
    this.#groups.get(group)?.delete(name);
    this.#removed.push([resourceType(before), name]);
  }

  /** Of all groups whose name begins so. */
  *resources(prefix: string): Generator<MeshResource> {
    for (const [group, resources] of this.#groups) if (group.startsWith(prefix)) yield* resources.values();
  }

  groups(prefix: string): readonly string[] {
    return [...this.#groups.keys()].filter(group => group.startsWith(prefix));
  }

  /** What has changed since the last call. */
  take(): {
    readonly upserts: readonly MeshResource[];
    readonly removed: readonly (readonly [ResourceType, string])[];
  } {
    return { upserts: this.#upserts.splice(0), removed: this.#removed.splice(0) };
  }
}
