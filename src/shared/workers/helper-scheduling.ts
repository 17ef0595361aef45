import type { Clock } from '../lifecycle/clock.ts';
import {
  type HelperActivity,
  helperActivity,
  type HelperPolicy,
  helperThreads,
  setHelperPolicy,
} from '../native/helper-threads.ts';

const LOOK_EVERY_MS = 250;
/** For the compilers to get through what has waited; what they still have then shows at the next looks. */
const FAIR_FOR_MS = 1_000;
/** Of the time between two looks. */
const STARVED_SHARE = 0.25;

/** By thread. */
export type Activities = ReadonlyMap<number, HelperActivity>;

/**
 * The runtime's helper threads get only what the threads with traffic leave over. Otherwise a compiler that is woken on the
 * processor of a traffic thread runs first, for a millisecond or more, while another processor is idle: it had slept, and
 * the scheduler owes it time. Where nothing is left over they would never get to compile what makes the traffic threads so
 * busy, so then they are as any thread for a while.
 */
export class HelperScheduling {
  readonly #clock: Clock;
  readonly #threads = helperThreads();
  #seen: Activities = new Map();
  #fairUntilMs = 0;
  #policy: HelperPolicy = 'fair';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For the life of the process. Does nothing where the kernel does not tell what threads are doing. */
  start(): void {
    this.#seen = this.#look();
    if (this.#seen.size === 0) return;
    this.#use('idle');
    this.#later();
  }

  #later(): void {
    this.#clock.setTimer(LOOK_EVERY_MS, () => {
      const seen = this.#look();
      const now = this.#clock.monotonic();
      if (isStarved(this.#seen, seen, LOOK_EVERY_MS)) this.#fairUntilMs = now + FAIR_FOR_MS;
      this.#seen = seen;
      this.#use(now < this.#fairUntilMs ? 'fair' : 'idle');
      this.#later();
    });
  }

  #look(): Activities {
    const activities = new Map<number, HelperActivity>();
    for (const thread of this.#threads) {
      const activity = helperActivity(thread);
      if (activity !== undefined) activities.set(thread, activity);
    }
    return activities;
  }

  #use(policy: HelperPolicy): void {
    if (policy === this.#policy) return;
    this.#policy = policy;
    for (const thread of this.#threads) setHelperPolicy(thread, policy);
  }
}

/** Whether a thread that had work at both looks had a processor for less than a quarter of the time between them. */
export function isStarved(before: Activities, after: Activities, elapsedMs: number): boolean {
  for (const [thread, now] of after) {
    const then = before.get(thread);
    if (then?.isRunnable !== true || !now.isRunnable) continue;
    if (now.ranMs - then.ranMs < elapsedMs * STARVED_SHARE) return true;
  }
  return false;
}
