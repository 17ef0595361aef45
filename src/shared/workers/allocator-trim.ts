import type { Clock } from '../lifecycle/clock.ts';
import { trimAllocator } from '../native/allocator.ts';

/** Compilers grow by 20 MB in three seconds of a new kind of traffic: a later look would find the peak behind it. */
const LOOK_EVERY_MS = 1_000;
/** Growth that is worth a walk through everything that is free, which takes 1 to 3 ms. */
const WORTH_BYTES = 4 * 1024 * 1024;

export interface AllocatorTrimOptions {
  readonly clock: Clock;
  /** Resident memory of the process, bytes. */
  readonly resident?: () => number;
  readonly trim?: () => void;
}

/**
 * Gives back what the process has allocated in C and freed again. Compilers take tens of megabytes while traffic of a new kind
 * comes; the allocator keeps them for ever in the arenas of threads that have nothing more to do, where they are neither
 * used again nor trimmed.
 */
export class AllocatorTrim {
  readonly #clock: Clock;
  readonly #resident: () => number;
  readonly #trim: () => void;
  /** The least that the process has had since it was last trimmed. */
  #floor = Infinity;

  constructor({
    clock,
    resident = () => process.memoryUsage.rss(),
    trim = trimAllocator,
  }: AllocatorTrimOptions) {
    this.#clock = clock;
    this.#resident = resident;
    this.#trim = trim;
  }

  /** For the life of the process. */
  start(): void {
    this.#clock.setTimer(LOOK_EVERY_MS, () => {
      this.#look();
      this.start();
    });
  }

  #look(): void {
    const resident = this.#resident();
    this.#floor = Math.min(this.#floor, resident);
    if (resident - this.#floor < WORTH_BYTES) return;
    this.#trim();
    this.#floor = this.#resident();
  }
}
