import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { errorMessage } from '#shared/observability/error-message.ts';
import { child, textMap } from '#shared/config/json-fields.ts';
import { type KubeObject, type ObjectRef, parseManifest, refKey, text } from './kube-object.ts';

interface Stored {
  readonly stamp: string;
  readonly object: KubeObject;
}

/**
 * The playground's API server: a directory with one YAML file an object, which the controller watches as well. Any process
 * may write to it (`ambientctl playground apply`); files come into being by rename, whole.
 */
export class ObjectStore {
  readonly #directory: string;
  readonly #staging: string;
  readonly #now: () => number;
  #stored = new Map<string, Stored>();

  /** `staging` must be on the same file system, and not inside `directory`. Both are made. */
  constructor(directory: string, staging: string, now: () => number = Date.now) {
    this.#now = now;
    this.#directory = directory;
    this.#staging = staging;
    mkdirSync(directory, { recursive: true });
    mkdirSync(staging, { recursive: true });
  }

  get directory(): string {
    return this.#directory;
  }

  /** Reads what changed since. A file that cannot be read or parsed keeps its last good object. @returns problems. */
  refresh(): string[] {
    const next = new Map<string, Stored>();
    const problems: string[] = [];
    for (const file of readdirSync(this.#directory).filter(name => name.endsWith('.yaml'))) {
      const before = this.#stored.get(file);
      try {
        const stored = this.#read(file, before);
        if (stored !== undefined) next.set(file, stored);
      } catch (error) {
        problems.push(errorMessage(error));
        if (before !== undefined) next.set(file, before);
      }
    }
    this.#stored = next;
    return problems;
  }

  /** Objects of a kind as of the last `refresh` or write, in the order of their files' names. */
  list(kind: string): KubeObject[] {
    return [...this.#stored.entries()]
      .filter(([, { object }]) => object.kind === kind)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { object }]) => object);
  }

  get(ref: ObjectRef): KubeObject | undefined {
    return this.#stored.get(fileOf(ref))?.object;
  }

  /**
   * As a user would: what the cluster has written into the object (status, addresses, capture) is kept.
   * @returns its generation: another one than before when it changed
   */
  apply(object: KubeObject): number {
    this.refresh();
    const before = this.get(object);
    const generation = before === undefined ? 0 : generationOf(before);
    const merged = before === undefined ? object : withClusterFields(object, before);
    const created = before === undefined ? new Date(this.#now()).toISOString() : createdOf(before);
    const same = withVersion(merged, generation, created);
    if (before !== undefined && isDeepStrictEqual(same.body, before.body)) return generation;
    this.put(withVersion(merged, generation + 1, created));
    return generation + 1;
  }

  /** Writes the object as it is, unless it is there already. */
  put(object: KubeObject): void {
    const file = fileOf(object);
    if (isDeepStrictEqual(this.#stored.get(file)?.object.body, object.body)) return;
    const staged = join(this.#staging, `${process.pid}-${file}`);
    writeFileSync(staged, stringify(object.body));
    const path = join(this.#directory, file);
    renameSync(staged, path);
    this.#stored.set(file, { stamp: stampOf(path), object });
  }

  /** @returns false when there was no such object. */
  remove(ref: ObjectRef): boolean {
    const file = fileOf(ref);
    this.refresh();
    if (!this.#stored.delete(file)) return false;
    rmSync(join(this.#directory, file), { force: true });
    return true;
  }

  #read(file: string, before: Stored | undefined): Stored | undefined {
    const path = join(this.#directory, file);
    const stamp = stampOf(path);
    if (stamp === '') return undefined;
    if (stamp === before?.stamp) return before;
    const [object, ...more] = parseManifest(readFileSync(path, 'utf8'), path);
    if (object === undefined || more.length > 0) throw new Error(`${path}: not exactly one object`);
    return { stamp, object };
  }
}

function stampOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.ino}:${stats.mtimeMs}:${stats.size}`;
}

/** Name of the file that an object is in. */
export function fileOf(ref: ObjectRef): string {
  return `${refKey(ref).replaceAll('/', '_').toLowerCase()}.yaml`;
}

function generationOf(object: KubeObject): number {
  const generation = child(object.body, 'metadata')['generation'];
  return typeof generation === 'number' ? generation : 0;
}

function createdOf(object: KubeObject): string | undefined {
  return text(child(object.body, 'metadata'), 'creationTimestamp');
}

/** Of two objects for the same thing the older one wins: they must have an age. */
function withVersion(object: KubeObject, generation: number, created: string | undefined): KubeObject {
  const age = created === undefined ? {} : { creationTimestamp: created };
  const metadata = { ...child(object.body, 'metadata'), ...age, generation };
  return { ...object, body: { ...object.body, metadata } };
}

/** What an API server keeps when a client applies a manifest that says nothing about it. */
function withClusterFields(object: KubeObject, before: KubeObject): KubeObject {
  const metadata = child(object.body, 'metadata');
  const annotations = {
    ...textMap(child(before.body, 'metadata'), 'annotations'),
    ...textMap(metadata, 'annotations'),
  };
  const spec = child(object.body, 'spec');
  const { clusterIP, clusterIPs, ipFamilies } = child(before.body, 'spec');
  const families = ipFamilies === undefined ? {} : { ipFamilies };
  const addresses = object.kind === 'Service' && !('clusterIP' in spec) && clusterIP !== undefined;
  return {
    ...object,
    body: {
      ...object.body,
      metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations },
      ...(addresses ? { spec: { ...families, ...spec, clusterIP, clusterIPs } } : {}),
      ...('status' in before.body ? { status: before.body['status'] } : {}),
    },
  };
}
