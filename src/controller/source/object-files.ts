import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from './kube-object.ts';
import { type ObjectFile, problem } from './object-file.ts';
import type { ObjectChange, SourceProblem } from './object-source.ts';

/** The files of a directory as one set of objects. An object that several files hold is the first file's, in path order. */
export class ObjectFiles {
  readonly #files = new Map<string, ObjectFile>();
  readonly #objects = new Map<string, KubeObject>();
  /** Key → paths of the files that hold it. */
  readonly #holders = new Map<string, Set<string>>();

  get(path: string): ObjectFile | undefined {
    return this.#files.get(path);
  }

  /** Takes over new contents of files, undefined for a file that is gone. @returns what differs for the reader. */
  replace(changed: ReadonlyMap<string, ObjectFile | undefined>): ObjectChange {
    const touched = new Set<string>();
    for (const [path, file] of changed) {
      for (const key of this.#files.get(path)?.objects.keys() ?? []) {
        touched.add(key);
        this.#holders.get(key)?.delete(path);
      }
      if (file === undefined) this.#files.delete(path);
      else this.#files.set(path, file);
      for (const key of file?.objects.keys() ?? []) {
        touched.add(key);
        const holders = this.#holders.get(key);
        if (holders === undefined) this.#holders.set(key, new Set([path]));
        else holders.add(path);
      }
    }
    return this.#settle(touched);
  }

  problems(): readonly SourceProblem[] {
    const own = [...this.#files.values()].flatMap(file => file.problems);
    const duplicates = [...this.#holders].flatMap(([key, holders]) => {
      const [first, ...others] = [...holders].sort();
      return others.map(path =>
        problem(path, 'metadata.name', key, `is also in ${first}, which is used`, 'remove one'),
      );
    });
    return [...own, ...duplicates].sort((a, b) => (a.origin < b.origin ? -1 : 1));
  }

  #settle(touched: ReadonlySet<string>): ObjectChange {
    const upserts: KubeObject[] = [];
    const deletes: string[] = [];
    for (const key of touched) {
      const [first] = [...(this.#holders.get(key) ?? [])].sort();
      const object = first === undefined ? undefined : this.#files.get(first)?.objects.get(key);
      if (object === undefined) {
        this.#holders.delete(key);
        if (this.#objects.delete(key)) deletes.push(key);
      } else if (!isDeepStrictEqual(this.#objects.get(key), object)) {
        this.#objects.set(key, object);
        upserts.push(object);
      }
    }
    return { upserts, deletes };
  }
}
