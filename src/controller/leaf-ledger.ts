import type { Clock } from '#shared/lifecycle/clock.ts';

interface Leaf {
  readonly signer: string;
  readonly notAfterMs: number;
}

const SWEEP_AT = 1_000;

/**
 * Who holds which leaf: the newest one of each holder and identity. It tells when nobody holds a leaf of an old root any
 * more, which is earlier than when the last of them would end. Leaves handed out before this process started are not in
 * it: until all of those have ended it does not know.
 */
export class LeafLedger {
  readonly #clock: Clock;
  readonly #unknownUntilMs: number;
  readonly #leaves = new Map<string, Leaf>();
  #sweepAt = SWEEP_AT;

  /** `unknownUntilMs`: until when leaves of an earlier process may live (wall clock). */
  constructor(clock: Clock, unknownUntilMs: number) {
    this.#clock = clock;
    this.#unknownUntilMs = unknownUntilMs;
  }

  /** `holder` is the proven caller: a workload, or the proxy of a node. */
  record(holder: string, identity: string, leaf: Leaf): void {
    this.#leaves.set(`${holder} ${identity}`, leaf);
    if (this.#leaves.size < this.#sweepAt) return;
    this.#sweep();
    this.#sweepAt = Math.max(SWEEP_AT, this.#leaves.size * 2);
  }

  /** How many holders have a live leaf of another signer as their newest; undefined while that is not known. */
  othersThan(signer: string): number | undefined {
    if (this.#clock.now() <= this.#unknownUntilMs) return undefined;
    this.#sweep();
    let count = 0;
    for (const leaf of this.#leaves.values()) if (leaf.signer !== signer) count++;
    return count;
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const [key, leaf] of this.#leaves) if (leaf.notAfterMs < now) this.#leaves.delete(key);
  }
}
