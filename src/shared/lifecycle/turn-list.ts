/** A turn that gathered more than this is not the rule: its memory is let go. */
const MAX_KEPT = 1024;

/**
 * What is gathered to be done later in the turn, in the order in which it came. Two arrays take turns and are never emptied by
 * their length: to write that leaves compiled code, and a new array is garbage of each turn.
 */
export class TurnList<T> {
  #gathered: (T | undefined)[] = [];
  #size = 0;
  /** Undefined while the list runs. */
  #spare: (T | undefined)[] | undefined = [];

  get size(): number {
    return this.#size;
  }

  /** @returns how many there are now */
  add(item: T): number {
    this.#gathered[this.#size++] = item;
    return this.#size;
  }

  /** Hands over each. What is added meanwhile waits for the next time; when one throws, those behind it are lost. */
  run(each: (item: T) => void): void {
    const batch = this.#gathered;
    const size = this.#size;
    this.#gathered = this.#spare ?? [];
    this.#spare = undefined;
    this.#size = 0;
    for (let i = 0; i < size; i++) {
      const item = batch[i];
      batch[i] = undefined;
      if (item !== undefined) each(item);
    }
    if (batch.length <= MAX_KEPT) this.#spare = batch;
  }
}
