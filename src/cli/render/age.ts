const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `12s`, `5m`, `3h`, `2d`: one unit, rounded down, as kubectl shows ages. */
export function shortDuration(ms: number): string {
  if (ms < 2 * MINUTE_MS) return `${Math.max(0, Math.floor(ms / 1_000))}s`;
  if (ms < 2 * HOUR_MS) return `${Math.floor(ms / MINUTE_MS)}m`;
  return ms < 2 * DAY_MS ? `${Math.floor(ms / HOUR_MS)}h` : `${Math.floor(ms / DAY_MS)}d`;
}

/** Since a time of RFC 3339; `-` when it is none. */
export function ageOf(time: string, nowMs: number): string {
  const then = Date.parse(time);
  return Number.isNaN(then) ? '-' : shortDuration(nowMs - then);
}
