import type { Socket } from 'node:net';

/** TCP keepalive 180 s, then every 180 s, dead after 9 probes: what ambient peers use. */
const KEEPALIVE_IDLE_MS = 180_000;
const KEEPALIVE_INTERVAL_MS = 180_000;
const KEEPALIVE_PROBES = 9;

/** A paused socket holds at most one read beyond this. */
export const READABLE_HIGH_WATER_BYTES = 64 * 1024;

export function applyKeepAlive(socket: Socket): void {
  socket.setKeepAlive(true, KEEPALIVE_IDLE_MS, KEEPALIVE_INTERVAL_MS, KEEPALIVE_PROBES);
}
