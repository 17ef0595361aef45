import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { createHash } from 'node:crypto';

/** What a tar archive of ours holds. Paths have no leading slash. */
export type TarEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly source: string }
  | { readonly kind: 'text'; readonly path: string; readonly mode: number; readonly text: string };

export interface WrittenTar {
  readonly sha256: string;
  readonly bytes: number;
}

const BLOCK = 512;
const COPY_BYTES = 1 << 20;
/** ustar: a path is at most this long, split at a slash into prefix and name. POSIX.1-1988 */
const MAX_NAME = 100;
const MAX_PREFIX = 155;
const TYPE = { file: '0', text: '0', symlink: '2', directory: '5' } as const;

/**
 * Writes a tar archive that depends on the entries alone: sorted by path, everything of root, at the epoch.
 * Throws when a path does not fit into ustar or a source cannot be read.
 */
export function writeTar(out: string, entries: readonly TarEntry[]): WrittenTar {
  const hash = createHash('sha256');
  const fd = openSync(out, 'w');
  let bytes = 0;
  const put = (block: Uint8Array): void => {
    writeSync(fd, block);
    hash.update(block);
    bytes += block.length;
  };
  try {
    for (const entry of entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
      const size = sizeOf(entry);
      put(header(entry, size));
      if (entry.kind === 'text') put(Buffer.from(entry.text));
      if (entry.kind === 'file') copyFile(entry.source, size, put);
      put(Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK));
    }
    put(Buffer.alloc(2 * BLOCK));
  } finally {
    closeSync(fd);
  }
  return { sha256: hash.digest('hex'), bytes };
}

function sizeOf(entry: TarEntry): number {
  if (entry.kind === 'text') return Buffer.byteLength(entry.text);
  return entry.kind === 'file' ? statSync(entry.source).size : 0;
}

function copyFile(source: string, size: number, put: (block: Uint8Array) => void): void {
  const fd = openSync(source, 'r');
  try {
    const buffer = Buffer.alloc(COPY_BYTES);
    let left = size;
    while (left > 0) {
      const count = readSync(fd, buffer, 0, Math.min(left, buffer.length), null);
      if (count === 0) throw new Error(`${source} became shorter while it was read`);
      put(buffer.subarray(0, count));
      left -= count;
    }
  } finally {
    closeSync(fd);
  }
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const { prefix, name } = splitPath(entry.kind === 'directory' ? `${entry.path}/` : entry.path);
  const mode = entry.kind === 'symlink' ? 0o777 : entry.mode;
  block.write(name, 0, MAX_NAME);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write(TYPE[entry.kind], 156);
  if (entry.kind === 'symlink') block.write(entry.target, 157, MAX_NAME);
  block.write('ustar\x0000', 257);
  block.write(prefix, 345, MAX_PREFIX);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)} `, 148);
  return block;
}

/** A field of digits and its NUL. */
function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\x00`;
}

function splitPath(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= MAX_NAME) return { prefix: '', name: path };
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(prefix) <= MAX_PREFIX && Buffer.byteLength(name) <= MAX_NAME && name !== '')
      return { prefix, name };
  }
  throw new Error(`${path} is too long for a tar archive`);
}
