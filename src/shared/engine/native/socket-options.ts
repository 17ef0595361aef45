import type { Keepalive } from '../engine.ts';
import { setOption } from '../../native/stream-socket.ts';

/** TCP keepalive 180 s, then every 180 s, dead after 9 probes (the kernel's default): what ambient peers use. */
const KEEPALIVE_SECONDS = 180;

/**
 * Of listeners, whose connections inherit them (tcp(7), measured), and of sockets that connect. Failures do not matter: a
 * peer that is gone already is found out by the next call.
 */
export function applySocketOptions(fd: number, keepalive?: Keepalive): void {
  setOption(fd, 'tcpNoDelay', 1);
  setOption(fd, 'keepAlive', 1);
  setOption(fd, 'tcpKeepIdle', keepalive?.idleSeconds ?? KEEPALIVE_SECONDS);
  setOption(fd, 'tcpKeepInterval', keepalive?.intervalSeconds ?? KEEPALIVE_SECONDS);
  if (keepalive?.probes !== undefined) setOption(fd, 'tcpKeepCount', keepalive.probes);
}
