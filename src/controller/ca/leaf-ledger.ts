import type { Clock } from '#shared/lifecycle/clock.ts';
import type { LeafEntry, LeafJournal } from './leaf-journal.ts';

export interface Leaf {
  readonly signer: string;
  readonly notAfterMs: number;
}

const SWEEP_AT = 1_000;

/**
 * Who holds which leaf: the newest one of each holder and identity. It tells when nobody holds a leaf of an old root any
 * more, which is earlier than when the last of them would end. Leaves of an earlier process come from its journal; without
 * one, until all of those have ended it does not know.
 */
export class LeafLedger {
  readonly #clock: Clock;
  readonly #unknownUntilMs: number;
  readonly #leaves = new Map<string, Leaf>();
  readonly #journal: LeafJournal | undefined;
  #isJournalling: boolean;
  #sweepAt = SWEEP_AT;

  /** `unknownUntilMs`: until when leaves that are not in the journal may live (wall clock). */
  constructor(clock: Clock, unknownUntilMs: number, journal?: LeafJournal) {
    this.#clock = clock;
    this.#journal = journal;
    const earlier = journal?.load();
    this.#unknownUntilMs = earlier === undefined ? unknownUntilMs : 0;
    for (const [key, leaf] of earlier ?? []) this.#leaves.set(key, leaf);
    this.#sweep();
    // A journal begun while unknown leaves live must not be believed by the next process: none until they have ended.
    this.#isJournalling = clock.now() > this.#unknownUntilMs;
    if (this.#isJournalling) journal?.start([...this.#leaves]);
  }

  /** `holder` is the proven caller: a workload, or the proxy of a node. */
  record(holder: string, identity: string, leaf: Leaf): void {
    const key = `${holder} ${identity}`;
    this.#leaves.set(key, leaf);
    this.#write([key, leaf]);
    if (this.#leaves.size < this.#sweepAt) return;
    this.#sweep();
    this.#sweepAt = Math.max(SWEEP_AT, this.#leaves.size * 2);
  }

  /**
   * How many holders have a live leaf of another signer as their newest; undefined while that is not known. Nothing is forgotten
   * for having been asked: the clock may be wrong for a while, and leaves that seem to have ended are alive once it is set back.
   */
  othersThan(signer: string): number | undefined {
    const now = this.#clock.now();
    if (now <= this.#unknownUntilMs) return undefined;
    let count = 0;
    for (const leaf of this.#leaves.values()) if (leaf.signer !== signer && leaf.notAfterMs >= now) count++;
    return count;
  }

  #write(entry: LeafEntry): void {
    const journal = this.#journal;
    if (journal === undefined) return;
    if (this.#isJournalling) journal.append(entry, () => [...this.#leaves], this.#leaves.size);
    else if (this.#clock.now() > this.#unknownUntilMs) {
      this.#isJournalling = true;
      journal.start([...this.#leaves]);
    }
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const [key, leaf] of this.#leaves) if (leaf.notAfterMs < now) this.#leaves.delete(key);
  }
}
