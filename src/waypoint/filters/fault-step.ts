import type { CoarseTimers, Timed } from '#shared/lifecycle/coarse-timers.ts';
import type { Fault } from '#shared/route/route-filter.ts';
import { abortRefusal, drawFault } from './fault.ts';
import type { FilterStep } from './filter-step.ts';

/** Holds a share of the requests up, and refuses a share of them. */
export function faultInjection(fault: Fault): FilterStep {
  return (context, done) => {
    const { random, timers } = context.downstream.env;
    const { abort, delayMs } = drawFault(fault, random);
    const finish = (): void => done(abort && abortRefusal(abort));
    if (delayMs === 0) {
      finish();
      return undefined;
    }
    context.delayed = true;
    const delay = new Delay(timers, delayMs, finish);
    return () => delay.cancel();
  };
}

class Delay implements Timed {
  deadlineAt: number;
  timedIndex = -1;
  readonly #timers: CoarseTimers;
  readonly #onEnd: () => void;

  constructor(timers: CoarseTimers, delayMs: number, onEnd: () => void) {
    this.#timers = timers;
    this.#onEnd = onEnd;
    timers.add(this);
    this.deadlineAt = timers.after(delayMs);
  }

  cancel(): void {
    this.#timers.remove(this);
  }

  onDeadline(): void {
    this.#timers.remove(this);
    this.#onEnd();
  }
}
