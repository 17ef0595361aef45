import type { SocketEndpoint } from '../engine/channel.ts';
import { bindSocket, closeFd, openTcpSocket, setIntOption } from './socket.ts';
import { familyOf } from './socket-address.ts';
import { SystemCallError } from './system-error.ts';

/**
 * Whether somebody listens there, whichever process, in the calling thread's network namespace: the address cannot be had
 * without SO_REUSEPORT then. Connections of a listener that is gone do not count. ip(7), SO_REUSEADDR
 */
export function isListenedOn(at: SocketEndpoint): boolean {
  const fd = openTcpSocket(familyOf(at.ip));
  try {
    setIntOption(fd, 'reuseAddress', 1);
    bindSocket(fd, at);
    return false;
  } catch (cause) {
    if (cause instanceof SystemCallError && cause.code === 'EADDRINUSE') return true;
    throw cause;
  } finally {
    closeFd(fd);
  }
}
