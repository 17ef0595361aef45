import { type FileHandle, open } from 'node:fs/promises';

const CHUNK_BYTES = 1 << 20;

/**
 * Whether two files hold the same bytes; false when the second one is not there. Compared, not digested: at 120 MB the digests
 * would take a second of the node's CPU at each start.
 */
export async function isSameFile(path: string, other: string): Promise<boolean> {
  const first = await open(path, 'r');
  try {
    const second = await open(other, 'r').catch(() => undefined);
    if (second === undefined) return false;
    try {
      return await isSameContent(first, second);
    } finally {
      await second.close();
    }
  } finally {
    await first.close();
  }
}

async function isSameContent(first: FileHandle, second: FileHandle): Promise<boolean> {
  if ((await first.stat()).size !== (await second.stat()).size) return false;
  const [a, b] = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)];
  for (;;) {
    const [one, two] = await Promise.all([first.read(a), second.read(b)]);
    if (one.bytesRead !== two.bytesRead) return false;
    if (one.bytesRead === 0) return true;
    if (!a.subarray(0, one.bytesRead).equals(b.subarray(0, two.bytesRead))) return false;
  }
}
