import type { Clock } from '#shared/lifecycle/clock.ts';

const SLOTS = 10;

/** How many of the requests of the last `windowMs` failed, to within a tenth of it. Constant memory, no timer. */
export class SuccessWindow {
  readonly #clock: Clock;
  readonly #slotMs: number;
  readonly #total = new Float64Array(SLOTS);
  readonly #failed = new Float64Array(SLOTS);
  #slot: number;

  constructor(clock: Clock, windowMs: number) {
    this.#clock = clock;
    this.#slotMs = windowMs / SLOTS;
    this.#slot = this.#slotNow();
  }

  record(succeeded: boolean): void {
    const at = this.#moveOn();
    this.#total[at] = (this.#total[at] ?? 0) + 1;
    if (!succeeded) this.#failed[at] = (this.#failed[at] ?? 0) + 1;
  }

  counts(): { readonly total: number; readonly failed: number } {
    this.#moveOn();
    const sum = (slots: Float64Array): number => slots.reduce((all, slot) => all + slot, 0);
    return { total: sum(this.#total), failed: sum(this.#failed) };
  }

  clear(): void {
    this.#total.fill(0);
    this.#failed.fill(0);
  }

  /** Clears the slots that left the window. @returns the index of the present one. */
  #moveOn(): number {
    const now = this.#slotNow();
    for (let step = Math.min(now - this.#slot, SLOTS); step > 0; step--) {
      this.#total[(now - step + 1) % SLOTS] = 0;
      this.#failed[(now - step + 1) % SLOTS] = 0;
    }
    this.#slot = now;
    return now % SLOTS;
  }

  #slotNow(): number {
    return Math.floor(this.#clock.monotonic() / this.#slotMs);
  }
}
