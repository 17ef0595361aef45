/**
 * Answers of a pure function by what it was asked: for what each connection asks, and nearly all of them ask alike. There is a
 * bound to them; above it all are forgotten at once, and what is in use comes back with the next connections.
 */
export class Remembered<Q, A> {
  readonly #most: number;
  readonly #answer: (question: Q) => A;
  readonly #known = new Map<Q, A>();

  /** `most`: answers kept. Who asks sees to it that no question is long. */
  constructor(most: number, answer: (question: Q) => A) {
    this.#most = most;
    this.#answer = answer;
  }

  /** The same object each time, for as long as it is remembered. */
  of(question: Q): A {
    const known = this.#known.get(question);
    if (known !== undefined) return known;
    if (this.#known.size >= this.#most) this.#known.clear();
    const answer = this.#answer(question);
    this.#known.set(question, answer);
    return answer;
  }
}
