import type { Clock, Timer } from '../lifecycle/clock.ts';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that only moves when told to. Timers due at the same instant fire in the order they were set. */
export class FakeClock implements Clock {
  #wall: number;
  #elapsed = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wall = startMs;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const pending: Pending = { at: this.#elapsed + Math.max(0, delayMs), order: this.#order++, fn };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Number of timers that have neither fired nor been cancelled: a test that leaves one behind has found a leak. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Moves both clocks on, firing every timer that falls due, those set meanwhile included. */
  advance(byMs: number): void {
    const target = this.#elapsed + byMs;
    for (let next = this.#earliest(target); next !== undefined; next = this.#earliest(target)) {
      this.#moveTo(next.at);
      this.#pending.delete(next);
      next.fn();
    }
    this.#moveTo(target);
  }

  /** Moves the wall clock alone, as a resumed virtual machine or an operator's correction does. */
  jumpWallClock(byMs: number): void {
    this.#wall += byMs;
  }

  #moveTo(elapsed: number): void {
    this.#wall += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }

  #earliest(until: number): Pending | undefined {
    let best: Pending | undefined;
    for (const p of this.#pending) {
      if (p.at > until) continue;
      if (best === undefined || p.at < best.at || (p.at === best.at && p.order < best.order)) best = p;
    }
    return best;
  }
}
