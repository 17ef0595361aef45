import type { Socket } from 'node:net';
import type { Keepalive } from '../engine.ts';

/** TCP keepalive 180 s, then every 180 s, dead after 9 probes: what ambient peers use. */
const KEEPALIVE_IDLE_MS = 180_000;
const KEEPALIVE_INTERVAL_MS = 180_000;
const KEEPALIVE_PROBES = 9;

/** A paused socket holds at most one read beyond this. */
export const READABLE_HIGH_WATER_BYTES = 64 * 1024;

export function applyKeepAlive(socket: Socket, keepalive?: Keepalive): void {
  const { idleSeconds, intervalSeconds, probes = KEEPALIVE_PROBES } = keepalive ?? {};
  const idleMs = idleSeconds === undefined ? KEEPALIVE_IDLE_MS : idleSeconds * 1_000;
  const intervalMs = intervalSeconds === undefined ? KEEPALIVE_INTERVAL_MS : intervalSeconds * 1_000;
  socket.setKeepAlive(true, idleMs, intervalMs, probes);
}
