/** Memory that is lent again and again: what is kept under load for a moment must not become garbage by the gigabyte. */
export const CHUNK_SIZES = [4 * 1024, 16 * 1024, 64 * 1024] as const;
/** About 9 MiB in all; beyond that chunks are garbage. */
const MAX_FREE = [256, 128, 96] as const;

/** Of one thread. */
const free: readonly Buffer[][] = CHUNK_SIZES.map(() => []);

function levelFor(bytes: number): 0 | 1 | 2 {
  return bytes <= CHUNK_SIZES[0] ? 0 : bytes <= CHUNK_SIZES[1] ? 1 : 2;
}

/** The smallest that holds so many bytes; the largest when none does. Whatever was in it last is in it still. */
export function takeChunk(bytes: number): Buffer {
  const level = levelFor(bytes);
  return free[level]?.pop() ?? Buffer.allocUnsafeSlow(CHUNK_SIZES[level]);
}

/** To be called at most once for each that was taken, by whoever looks at it no more. One that is not given back is garbage. */
export function giveChunk(chunk: Buffer): void {
  const level = levelFor(chunk.length);
  const list = free[level];
  if (list !== undefined && list.length < MAX_FREE[level]) list.push(chunk);
}
