import { ChunkPool } from './chunk-pool.ts';

/** For bytes that have to wait, of one thread; about 9 MiB of it are kept. */
export const lentChunks = new ChunkPool<Buffer>(
  [
    { bytes: 4 * 1024, maxFree: 256 },
    { bytes: 16 * 1024, maxFree: 128 },
    { bytes: 64 * 1024, maxFree: 96 },
  ],
  bytes => Buffer.allocUnsafeSlow(bytes),
);
