import { LatencyHistogram } from './latency-histogram.ts';

/** What the connections of one run share: it counts their answers, and says when no more is to be asked. */
export class RunMeter {
  readonly latency = new LatencyHistogram();
  readonly #now: () => number;
  #total = 0;
  #isOver = false;

  /** @param now milliseconds that only rise */
  constructor(now: () => number) {
    this.#now = now;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Answers, those included that came after the end. */
  get total(): number {
    return this.#total;
  }

  now(): number {
    return this.#now();
  }

  /** From here on answers are awaited and no longer measured. */
  end(): void {
    this.#isOver = true;
  }

  /** A whole answer has come. @returns the time, which is when the next request is asked */
  answered(askedAtMs: number): number {
    const now = this.#now();
    this.#total++;
    if (!this.#isOver) this.latency.record(now - askedAtMs);
    return now;
  }
}
