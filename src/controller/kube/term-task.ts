import type { LeaderTask } from './leadership.ts';

/** What a leader does from the start of one term to its end. */
export interface Term {
  /** Resolves when nothing of it is written any more. */
  stop(): Promise<void>;
}

/** A task whose state is made anew for each term, so that nothing of an earlier one is taken for true. */
export class TermTask implements LeaderTask {
  readonly name: string;
  readonly #begin: () => Term;
  #term: Term | undefined;

  constructor(name: string, begin: () => Term) {
    this.name = name;
    this.#begin = begin;
  }

  start(): void {
    this.#term ??= this.#begin();
  }

  async stop(): Promise<void> {
    const term = this.#term;
    this.#term = undefined;
    await term?.stop();
  }
}
