/** Exponential backoff with jitter; all times in milliseconds. */
export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Share of the delay that is random: 0.2 gives ±20 %. */
  readonly jitter: number;
}

/** Delay before attempt number `attempt` (0 is the first retry). Pure: `random` is in [0, 1). */
export function backoffDelay(options: BackoffOptions, attempt: number, random: number): number {
  const base = Math.min(options.maxMs, options.initialMs * options.factor ** Math.min(attempt, 64));
  const spread = base * options.jitter;
  return Math.min(options.maxMs, Math.max(0, base - spread + 2 * spread * random));
}
