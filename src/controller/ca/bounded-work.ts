/** Why a piece of work was not begun. */
export class TooMuchWorkError extends Error {
  constructor(what: string, most: number) {
    super(`more than ${most} ${what} are waited for: try again`);
    this.name = 'TooMuchWorkError';
  }
}

export interface WorkBounds {
  /** For the message: what the pieces are. */
  readonly what: string;
  readonly mostUnderWay: number;
  readonly mostWaiting: number;
}

/** Work that somebody else does for us, of which so much is asked at once and so much may wait; in order. */
export class BoundedWork {
  readonly #bounds: WorkBounds;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(bounds: WorkBounds) {
    this.#bounds = bounds;
  }

  /** Rejects with `TooMuchWorkError`, or as the work does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const { mostUnderWay, mostWaiting, what } = this.#bounds;
    if (this.#underWay < mostUnderWay) this.#underWay++;
    else if (this.#waiting.length >= mostWaiting) throw new TooMuchWorkError(what, mostWaiting);
    // Who has ended hands its place over.
    else await new Promise<void>(resolve => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay--;
      else next();
    }
  }
}
