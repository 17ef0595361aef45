import { setOption } from '../../native/stream-socket.ts';

/** TCP keepalive 180 s, then every 180 s, dead after 9 probes: what ambient peers use. */
const KEEPALIVE_SECONDS = 180;
const KEEPALIVE_PROBES = 9;

/** Of every connection. Failures do not matter: a peer that is gone already is found out by the next call. */
export function applySocketOptions(fd: number): void {
  setOption(fd, 'tcpNoDelay', 1);
  setOption(fd, 'keepAlive', 1);
  setOption(fd, 'tcpKeepIdle', KEEPALIVE_SECONDS);
  setOption(fd, 'tcpKeepInterval', KEEPALIVE_SECONDS);
  setOption(fd, 'tcpKeepCount', KEEPALIVE_PROBES);
}
