import type { Clock } from './clock.ts';

const SLOTS = 10;

/** How often something happened within the last `windowMs`, to within a tenth of it. Constant memory, no timer. */
export class RecentCount {
  readonly #clock: Clock;
  readonly #slotMs: number;
  readonly #slots = new Float64Array(SLOTS);
  #slot: number;

  constructor(clock: Clock, windowMs: number) {
    this.#clock = clock;
    this.#slotMs = windowMs / SLOTS;
    this.#slot = this.#slotNow();
  }

  add(): void {
    const at = this.#moveOn();
    this.#slots[at] = (this.#slots[at] ?? 0) + 1;
  }

  count(): number {
    this.#moveOn();
    let total = 0;
    for (let i = 0; i < SLOTS; i++) total += this.#slots[i] ?? 0;
    return total;
  }

  clear(): void {
    this.#slots.fill(0);
  }

  /** Clears the slots that left the window. @returns the index of the present one. */
  #moveOn(): number {
    const now = this.#slotNow();
    for (let step = Math.min(now - this.#slot, SLOTS); step > 0; step--)
      this.#slots[(now - step + 1) % SLOTS] = 0;
    this.#slot = now;
    return now % SLOTS;
  }

  #slotNow(): number {
    return Math.floor(this.#clock.monotonic() / this.#slotMs);
  }
}
