/** RFC 7541 §4.1: what an entry costs beside its text. */
export const ENTRY_OVERHEAD_BYTES = 32;

/** The decoder's dynamic table (RFC 7541 §2.3.2): a ring, newest entry first, bounded in bytes. */
export class DynamicTable {
  #names: string[] = [];
  #values: string[] = [];
  #newest = -1;
  #count = 0;
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Evicts down to the new bound. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  /** An entry larger than the table empties it (RFC 7541 §4.4). */
  add(name: string, value: string): void {
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evictTo(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    if (this.#count === this.#names.length) this.#grow();
    this.#newest = (this.#newest + 1) % this.#names.length;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#count++;
    this.#bytes += bytes;
  }

  /** `index` 0 is the newest. Undefined beyond the end. */
  name(index: number): string | undefined {
    return index < this.#count ? this.#names[this.#slot(index)] : undefined;
  }

  value(index: number): string | undefined {
    return index < this.#count ? this.#values[this.#slot(index)] : undefined;
  }

  #slot(index: number): number {
    const slot = this.#newest - index;
    return slot < 0 ? slot + this.#names.length : slot;
  }

  #evictTo(maxBytes: number): void {
    while (this.#count > 0 && this.#bytes > maxBytes) {
      const oldest = this.#slot(this.#count - 1);
      const bytes = (this.#names[oldest]?.length ?? 0) + (this.#values[oldest]?.length ?? 0);
      this.#bytes -= bytes + ENTRY_OVERHEAD_BYTES;
      this.#names[oldest] = '';
      this.#values[oldest] = '';
      this.#count--;
    }
  }

  /** Doubles the ring; the oldest entry comes to stand at slot 0. */
  #grow(): void {
    const capacity = Math.max(16, this.#names.length * 2);
    const names = Array.from({ length: capacity }, () => '');
    const values = Array.from({ length: capacity }, () => '');
    for (let i = 0; i < this.#count; i++) {
      const from = this.#slot(this.#count - 1 - i);
      names[i] = this.#names[from] ?? '';
      values[i] = this.#values[from] ?? '';
    }
    this.#names = names;
    this.#values = values;
    this.#newest = this.#count - 1;
  }
}
