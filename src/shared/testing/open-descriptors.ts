import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * How many descriptors this process has open. With its first stream the runtime's event loop opens one that it keeps for
 * when there are none left. Whether that was before a test depends on what its standard output is. It is made here, so that
 * no look is without it.
 */
export function openDescriptors(): number {
  createServer().listen(0).close();
  return readdirSync('/proc/self/fd').length;
}
