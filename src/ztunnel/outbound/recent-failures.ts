import type { Clock } from '#shared/lifecycle/clock.ts';

interface Failing {
  count: number;
  until: number;
}

const FIRST_HOLD_MS = 250;
/** Never shorter than what the session pool waits before it dials the same peer again: 5 s and a fifth. */
const MAX_HOLD_MS = 8_000;
/** An endpoint that has not failed for this long starts anew. */
const FORGET_MS = 60_000;
/** More of them than this are not remembered: a whole cluster is down then, and choosing does not help. */
const MAX_ENDPOINTS = 1_000;

/**
 * Endpoints that could not be reached a moment ago, so that the next connections go elsewhere at once instead of finding
 * out one by one. It advises only: where nothing else is left, they are tried all the same.
 */
export class RecentFailures {
  readonly #clock: Clock;
  readonly #failing = new Map<string, Failing>();
  readonly #held = new Set<string>();
  #nextRelease = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Uids to avoid now. The set changes with the next call: read it, do not keep it. */
  held(): ReadonlySet<string> {
    if (this.#held.size > 0 && this.#clock.monotonic() >= this.#nextRelease) this.#release();
    return this.#held;
  }

  failed(uid: string): void {
    const now = this.#clock.monotonic();
    let entry = this.#failing.get(uid);
    if (entry === undefined) {
      if (this.#failing.size >= MAX_ENDPOINTS) this.#forget(now);
      if (this.#failing.size >= MAX_ENDPOINTS) return;
      this.#failing.set(uid, (entry = { count: 0, until: 0 }));
    }
    // Connections that were under way together fail together: that is one failure.
    if (now >= entry.until) {
      if (now - entry.until > FORGET_MS) entry.count = 0;
      entry.until = now + Math.min(MAX_HOLD_MS, FIRST_HOLD_MS * 2 ** entry.count++);
    }
    this.#held.add(uid);
    this.#nextRelease = Math.min(this.#nextRelease, entry.until);
  }

  /** Free of charge while nothing fails. */
  reached(uid: string): void {
    if (this.#failing.size === 0 || !this.#failing.delete(uid)) return;
    this.#held.delete(uid);
  }

  #release(): void {
    const now = this.#clock.monotonic();
    this.#nextRelease = Number.POSITIVE_INFINITY;
    for (const uid of this.#held) {
      const until = this.#failing.get(uid)?.until ?? 0;
      if (until <= now) this.#held.delete(uid);
      else this.#nextRelease = Math.min(this.#nextRelease, until);
    }
  }

  #forget(now: number): void {
    for (const [uid, { until }] of this.#failing) if (now - until > FORGET_MS) this.#failing.delete(uid);
  }
}
