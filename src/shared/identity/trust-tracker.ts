import { mergeTrustBundles, type TrustBundle } from '../spiffe/trust-bundle.ts';

/** The one trust bundle of a proxy, learned from CA answers and from the controller. */
export class TrustTracker {
  #bundle: TrustBundle | undefined;
  #version: string | undefined;
  #epoch = 0;

  get bundle(): TrustBundle | undefined {
    return this.#bundle;
  }

  /** Counts changes: taken when an answer is asked for, it tells whether the bundle changed meanwhile. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The controller's word, which is complete. True when certificates have to be fetched again. */
  announced(version: string, bundle: TrustBundle): boolean {
    if (version === this.#version) return false;
    // Told for the first time what answers have said already: a start must not fetch everything twice.
    const isFirst =
      this.#version === undefined && (this.#bundle?.version ?? bundle.version) === bundle.version;
    this.#version = version;
    this.replace(bundle);
    return !isFirst;
  }

  replace(bundle: TrustBundle): void {
    if (this.#bundle?.version === bundle.version) return;
    this.#bundle = bundle;
    this.#epoch += 1;
  }

  /**
   * The roots of an answer asked for at `epoch`. If the bundle changed since, the answer may be older or newer than
   * what is known: then both are trusted, and false says to ask again.
   */
  answered(bundle: TrustBundle, epoch: number): boolean {
    const known = this.#bundle;
    if (known === undefined || known.version === bundle.version || epoch === this.#epoch) {
      this.replace(bundle);
      return true;
    }
    this.replace(mergeTrustBundles(known, bundle));
    return false;
  }
}
