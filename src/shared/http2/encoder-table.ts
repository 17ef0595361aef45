import { ENTRY_OVERHEAD_BYTES } from './dynamic-table.ts';
import { STATIC_COUNT } from './static-table.ts';

interface Entry {
  readonly name: string;
  readonly value: string;
  readonly bytes: number;
  readonly sequence: number;
  /** Neighbours of the same name. Cut on eviction, so that no chain keeps evicted entries alive. */
  older: Entry | undefined;
  newer: Entry | undefined;
}

/** The encoder's copy of the peer's dynamic table, searchable by name and value without building a key. */
export class EncoderTable {
  /** The newest entry of each name. */
  readonly #newest = new Map<string, Entry>();
  /** Live entries, oldest first, from `#first` on. */
  #entries: Entry[] = [];
  #first = 0;
  #bytes = 0;
  #maxBytes: number;
  /** Entries ever added; the newest has sequence `#added - 1`. */
  #added = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  /** HPACK index of name and value together, or 0. */
  find(name: string, value: string): number {
    for (let entry = this.#newest.get(name); entry !== undefined; entry = entry.older) {
      if (entry.value === value) return this.#indexOf(entry);
    }
    return 0;
  }

  /** HPACK index of any entry with this name, or 0. */
  findName(name: string): number {
    const entry = this.#newest.get(name);
    return entry === undefined ? 0 : this.#indexOf(entry);
  }

  /** Whether an entry is worth its place: one that would drive out half of the table is not. */
  fits(name: string, value: string): boolean {
    return name.length + value.length + ENTRY_OVERHEAD_BYTES <= this.#maxBytes / 2;
  }

  /** The caller has seen to it that the entry `fits`. */
  add(name: string, value: string): void {
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evictTo(this.#maxBytes - bytes);
    const older = this.#newest.get(name);
    const entry: Entry = { name, value, bytes, sequence: this.#added++, older, newer: undefined };
    if (older !== undefined) older.newer = entry;
    this.#newest.set(name, entry);
    this.#entries.push(entry);
    this.#bytes += bytes;
  }

  #indexOf(entry: Entry): number {
    return STATIC_COUNT + this.#added - entry.sequence;
  }

  /** The oldest entry of all is the last of its own chain. */
  #evictTo(maxBytes: number): void {
    while (this.#bytes > maxBytes) {
      const entry = this.#entries[this.#first++];
      if (entry === undefined) break;
      this.#bytes -= entry.bytes;
      if (entry.newer === undefined) this.#newest.delete(entry.name);
      else entry.newer.older = undefined;
    }
    // Amortised: an entry is moved at most once for each one evicted.
    if (this.#first > 32 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }
}
