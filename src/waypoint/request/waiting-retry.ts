import type { SharedUse } from '../upstream/shared-use.ts';

/** The next try of a request while it waits for its time: where it was to go it counts as a retry already. */
export class WaitingRetry {
  readonly #shared: SharedUse | undefined;

  constructor(shared: SharedUse | undefined) {
    this.#shared = shared;
    if (shared !== undefined) shared.waitingRetries++;
  }

  /** Once. @returns nothing, which is what is left of it */
  end(): undefined {
    if (this.#shared !== undefined) this.#shared.waitingRetries--;
  }
}
