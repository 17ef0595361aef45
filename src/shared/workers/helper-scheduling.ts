import type { Clock } from '../lifecycle/clock.ts';
import {
  type HelperActivity,
  type HelperPolicy,
  setHelperPolicy,
  watchHelpers,
} from '../native/helper-threads.ts';

const LOOK_EVERY_MS = 500;
/** Of the time between two looks. What is left over of a processor that is half busy is several times as much. */
const STARVED_SHARE = 0.1;

/** By thread. */
export type Activities = ReadonlyMap<number, HelperActivity>;

/**
 * The runtime's helper threads get only what the threads with traffic leave over. Otherwise a compiler that is woken on the
 * processor of a traffic thread runs first, for a millisecond or more, while another processor is idle: it had slept, and
 * the scheduler owes it time. Where nothing is left over they would never get to compile what makes the traffic threads so
 * busy, so then they are as any thread until the next look.
 */
export class HelperScheduling {
  readonly #clock: Clock;
  readonly #helpers = watchHelpers();
  #seen: Activities = new Map();
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
      // Until the next look: once there is enough for all again, requests wait for compilers no longer than that.
      this.#use(isStarved(this.#seen, seen, LOOK_EVERY_MS) ? 'fair' : 'idle');
      this.#seen = seen;
      this.#later();
    });
  }

  #look(): Activities {
    const activities = new Map<number, HelperActivity>();
    for (const helper of this.#helpers) {
      const activity = helper.look();
      if (activity !== undefined) activities.set(helper.thread, activity);
    }
    return activities;
  }

  #use(policy: HelperPolicy): void {
    if (policy === this.#policy) return;
    this.#policy = policy;
    for (const { thread } of this.#helpers) setHelperPolicy(thread, policy);
  }
}

/** Whether one of them had work at both looks, and all of them together hardly had a processor between the two. */
export function isStarved(before: Activities, after: Activities, elapsedMs: number): boolean {
  let isWaiting = false;
  let ranMs = 0;
  for (const [thread, now] of after) {
    const then = before.get(thread);
    if (then === undefined) continue;
    isWaiting ||= then.isRunnable && now.isRunnable;
    ranMs += now.ranMs - then.ranMs;
  }
  return isWaiting && ranMs < elapsedMs * STARVED_SHARE;
}
