import type { Timer } from '../../lifecycle/clock.ts';

/** A timer in the wheel; a member of the list of its slot. */
export class WheelTimer implements Timer {
  /** In the wheel's time, ms; whole. */
  readonly at: number;
  readonly fn: () => void;
  slot: WheelSlot | undefined;
  previous: WheelTimer | undefined;
  next: WheelTimer | undefined;
  readonly #wheel: TimerWheel;

  constructor(wheel: TimerWheel, at: number, fn: () => void) {
    this.#wheel = wheel;
    this.at = at;
    this.fn = fn;
  }

  cancel(): void {
    this.#wheel.cancel(this);
  }
}

interface WheelSlot {
  readonly level: number;
  readonly index: number;
  first: WheelTimer | undefined;
  last: WheelTimer | undefined;
}

const BITS = 6;
const SLOTS = 1 << BITS;
const MASK = SLOTS - 1;
/** 64 slots of 1 ms, of 64 ms, of 4 s, of 4 min, and of 5 h: 12 days in all. What is further away is looked at again then. */
const LEVELS = 5;
/** Width of a slot of each level, ms; and of the whole wheel. */
const WIDTHS = [1, 2 ** 6, 2 ** 12, 2 ** 18, 2 ** 24, 2 ** 30] as const;
const HORIZON_MS = WIDTHS[LEVELS];

/**
 * A hierarchical timing wheel (Varghese and Lauck): setting and cancelling cost the same few steps whatever the number of
 * timers, since most of a proxy's are cancelled before they fire. Precise to the millisecond, never early. It keeps no
 * time of its own: the caller says what time it is.
 */
export class TimerWheel {
  readonly #levels: WheelSlot[][] = [];
  /** All that falls due up to here has fired. */
  #now: number;
  #count = 0;
  /** Nothing falls due before it; it may be too early when a timer was cancelled. -1: to be looked for. */
  #nextDueAt = Number.POSITIVE_INFINITY;

  constructor(nowMs: number) {
    this.#now = Math.floor(nowMs);
    for (let level = 0; level < LEVELS; level++) this.#levels.push(newSlots(level));
  }

  get size(): number {
    return this.#count;
  }

  /** `atMs` in the past fires with the next `advance`. */
  add(atMs: number, fn: () => void): WheelTimer {
    const at = Math.max(Math.ceil(atMs), this.#now + 1);
    const timer = new WheelTimer(this, at, fn);
    this.#insert(timer);
    this.#count++;
    this.#nextDueAt = Math.min(this.#nextDueAt, this.#slotStart(at));
    return timer;
  }

  /** Idempotent. */
  cancel(timer: WheelTimer): void {
    if (timer.slot === undefined) return;
    unlink(timer, timer.slot);
    this.#count--;
  }

  /** No timer falls due before this; Infinity when there is none. */
  nextDueAt(): number {
    if (this.#count === 0) return (this.#nextDueAt = Number.POSITIVE_INFINITY);
    if (this.#nextDueAt > this.#now) return this.#nextDueAt;
    let due = Number.POSITIVE_INFINITY;
    for (let level = 0; level < LEVELS; level++) due = Math.min(due, this.#firstOf(level));
    return (this.#nextDueAt = due);
  }

  /**
   * Fires what falls due up to `nowMs`, in order of time; what is set meanwhile fires at the next call at the earliest.
   * @returns whether anything fired
   */
  advance(nowMs: number): boolean {
    const target = Math.floor(nowMs);
    let fired = false;
    while (this.#now < target) {
      const due = this.nextDueAt();
      // Nothing is due in between, so that the wheel may jump.
      this.#now = Math.min(due, target);
      if (due > target) break;
      if (this.#expire()) fired = true;
    }
    return fired;
  }

  /** The earliest moment at which a slot of the level has to be looked at. */
  #firstOf(level: number): number {
    const width = widthOf(level);
    const here = Math.floor(this.#now / width);
    // The slot we are in has been moved to finer ones when we came to it: what it holds is for its next turn.
    for (let step = 1; step <= SLOTS; step++) {
      if (this.#levels[level]?.[(here + step) & MASK]?.first !== undefined) return (here + step) * width;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** When the slot of a timer that is due at `at` has to be looked at. */
  #slotStart(at: number): number {
    const distance = Math.min(at - this.#now, HORIZON_MS - 1);
    const width = widthOf(levelFor(distance));
    return Math.floor((this.#now + distance) / width) * width;
  }

  #expire(): boolean {
    for (let level = LEVELS - 1; level > 0; level--) this.#cascade(level);
    const slot = this.#levels[0]?.[this.#now & MASK];
    const due: WheelTimer[] = [];
    for (let timer = slot?.first; timer !== undefined; timer = timer.next) due.push(timer);
    for (const timer of due) {
      // Cancelled by one that fired before it.
      if (timer.slot === undefined) continue;
      this.cancel(timer);
      timer.fn();
    }
    return due.length > 0;
  }

  /** Moves the timers of the slot that begins now to finer ones. */
  #cascade(level: number): void {
    const width = widthOf(level);
    if (this.#now % width !== 0) return;
    const index = Math.floor(this.#now / width) & MASK;
    const slot = this.#levels[level]?.[index];
    for (let timer = slot?.first; timer !== undefined && slot !== undefined; ) {
      const { next } = timer;
      unlink(timer, slot);
      this.#insert(timer);
      timer = next;
    }
  }

  #insert(timer: WheelTimer): void {
    const distance = Math.min(Math.max(0, timer.at - this.#now), HORIZON_MS - 1);
    const level = levelFor(distance);
    const index = Math.floor((this.#now + distance) / widthOf(level)) & MASK;
    const slot = this.#levels[level]?.[index];
    if (slot === undefined) throw new Error(`no slot ${index} of level ${level}`);
    append(timer, slot);
  }
}

function widthOf(level: number): number {
  return WIDTHS[level] ?? HORIZON_MS;
}

function levelFor(distance: number): number {
  let level = 0;
  while (level < LEVELS - 1 && distance >= widthOf(level + 1)) level++;
  return level;
}

function newSlots(level: number): WheelSlot[] {
  return Array.from({ length: SLOTS }, (_, index) => ({ level, index, first: undefined, last: undefined }));
}

function append(timer: WheelTimer, slot: WheelSlot): void {
  timer.slot = slot;
  timer.previous = slot.last;
  timer.next = undefined;
  if (slot.last === undefined) slot.first = timer;
  else slot.last.next = timer;
  slot.last = timer;
}

function unlink(timer: WheelTimer, slot: WheelSlot): void {
  if (timer.previous === undefined) slot.first = timer.next;
  else timer.previous.next = timer.next;
  if (timer.next === undefined) slot.last = timer.previous;
  else timer.next.previous = timer.previous;
  timer.slot = undefined;
  timer.previous = undefined;
  timer.next = undefined;
}
