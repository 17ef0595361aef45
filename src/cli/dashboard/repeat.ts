import type { Clock } from '#shared/lifecycle/clock.ts';
import { delay } from '#shared/lifecycle/clock.ts';

export interface Pace {
  /** From the beginning of one to that of the next. */
  readonly intervalMs: number;
  /** At most one part in so many of the time is spent on it: what takes longer is done less often. */
  readonly share: number;
}

/** Does it again and again, one at a time, until the signal aborts. `act` must not reject. */
export async function repeat(
  clock: Clock,
  { intervalMs, share }: Pace,
  act: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const started = clock.monotonic();
    await act();
    const took = clock.monotonic() - started;
    const pause = delay(clock, Math.max(intervalMs - took, took * (share - 1)), signal);
    await pause.catch(() => undefined);
  }
}
