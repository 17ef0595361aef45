/**
 * Time as a dependency. Nothing outside this file reads the wall clock or sets a timer, so that tests run on a
 * fake clock (`#shared/testing/fake-clock.ts`) and never sleep.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. Use it for certificates and logs. */
  now(): number;
  /** Monotonic milliseconds (fractional) from an arbitrary start. Use it for durations and deadlines. */
  monotonic(): number;
  /** Calls `fn` once after `delayMs`. The timer does not keep the process alive. */
  setTimer(delayMs: number, fn: () => void): Timer;
}

export interface Timer {
  /** Idempotent; after it returns `fn` is never called. */
  cancel(): void;
}

/** A longer delay would overflow the runtime's 32-bit timer and fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, fn) {
    const handle = setTimeout(fn, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortReason(signal));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      if (signal !== undefined) reject(abortReason(signal));
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}
