import { type BigIntStats, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What is in a directory tree now. */
export interface DirectoryScan {
  /** Path → stamp, in path order. A file that was replaced or written to has another stamp. */
  readonly files: ReadonlyMap<string, FileStamp>;
  readonly directories: readonly string[];
}

export interface FileStamp {
  readonly text: string;
  readonly bytes: number;
  /** Wall clock, ms. */
  readonly modifiedAt: number;
}

const MAX_DEPTH = 16;
const MAX_FILES = 200_000;
const OBJECT_FILE = /\.(ya?ml|json)$/i;
/** Hidden files (a mounted ConfigMap keeps its versions in `..data`), editors' backups, locks and autosaves. */
const IGNORED = /^[.#]|~$|\.(swp|swx|tmp|bak|part)$/i;

/**
 * Walks `root`, following symbolic links: a mounted ConfigMap is made of them. What vanishes meanwhile is left out.
 * @throws Error when `root` itself cannot be read or holds more files than could be meant.
 */
export function scanDirectory(root: string): DirectoryScan {
  const files: [string, FileStamp][] = [];
  const directories: string[] = [];
  const visited = new Set<string>();
  const walk = (directory: string, depth: number): void => {
    const stats = statOf(directory);
    if (stats === undefined || depth > MAX_DEPTH) return;
    // A link to a parent would be walked for ever.
    const identity = `${stats.dev}:${stats.ino}`;
    if (visited.has(identity)) return;
    visited.add(identity);
    directories.push(directory);
    for (const name of namesIn(directory, depth === 0)) {
      if (IGNORED.test(name)) continue;
      const path = join(directory, name);
      const entry = statOf(path);
      if (entry?.isDirectory() === true) walk(path, depth + 1);
      else if (entry?.isFile() === true && OBJECT_FILE.test(name)) files.push([path, stampOf(entry)]);
      if (files.length > MAX_FILES) throw new Error(`${root} holds more than ${MAX_FILES} files`);
    }
  };
  walk(root, 0);
  if (directories.length === 0) throw new Error(`${root} is no directory that can be read`);
  return { files: new Map(files.sort(([a], [b]) => (a < b ? -1 : 1))), directories };
}

/** Undefined when it is gone, or a link to nothing. */
export function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

export function stampOf(stats: BigIntStats): FileStamp {
  return {
    text: `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`,
    bytes: Number(stats.size),
    modifiedAt: Number(stats.mtimeMs),
  };
}

function namesIn(directory: string, isRoot: boolean): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isRoot) throw error;
    return [];
  }
}
