import type { TrustState } from './certificate-authority.ts';

type TrustListener = (trust: TrustState) => void;

/** What a CA has its proxies trust, and who is told when it changes. */
export class AnnouncedTrust {
  readonly #listeners = new Set<TrustListener>();
  #state: TrustState;

  constructor(state: TrustState) {
    this.#state = state;
  }

  get state(): TrustState {
    return this.#state;
  }

  /** Returns the function that ends the subscription. */
  onChange(listener: TrustListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells the listeners, unless it is what they know: the same roots and the same signer. */
  announce(state: TrustState): void {
    const isNew = state.version !== this.#state.version;
    this.#state = state;
    if (isNew) for (const listener of this.#listeners) listener(state);
  }
}
