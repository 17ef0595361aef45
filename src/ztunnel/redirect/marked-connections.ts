import { closeSync, openSync, readSync } from 'node:fs';
import { hasConnectionsMarked } from '#shared/native/conntrack.ts';
import { parseListening } from '#shared/native/proc-net-tcp.ts';
import { APPLICATION_MARK, MARK_MASK } from '#shared/native/socket-factory.ts';

/** Listening sockets come first in it, at 150 bytes each; a pod has a few. */
const MAX_BYTES = 64 * 1024;
/**
 * Whether connections may be there, or be made, whose answers find the proxy by a mark that connection tracking keeps:
 * those of a ztunnel from before sockets kept it, which runs beside this one while it is replaced, or which drains. In the
 * calling thread's namespace; `true` where the kernel does not tell.
 */
export function mayHaveMarkedConnections(hbonePort: number): boolean {
  try {
    return listenersOn(hbonePort) > 1 || hasConnectionsMarked(APPLICATION_MARK, MARK_MASK);
  } catch {
    return true;
  }
}

/** This ztunnel has one itself. One of the wildcard IPv4 address is there wherever one listens. */
function listenersOn(port: number): number {
  const listening = parseListening(readStart('/proc/thread-self/net/tcp'), undefined);
  return listening.filter(one => one === port).length;
}

function readStart(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(MAX_BYTES);
    let length = 0;
    for (;;) {
      const read = readSync(fd, bytes, length, MAX_BYTES - length, null);
      length += read;
      if (read === 0 || length === MAX_BYTES) return bytes.toString('latin1', 0, length);
    }
  } finally {
    closeSync(fd);
  }
}
