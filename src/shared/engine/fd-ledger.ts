/** Descriptors above are not kept in it; the limit of open files of a process is below in practice. */
export const MAX_FD = 1_048_576;

/**
 * Which descriptors a thread has open that the runtime knows nothing of, in memory that its supervisor shares: the kernel
 * closes them with the process, but nobody would with the thread, and peers would wait on them for ever.
 */
export class FdLedger {
  readonly memory: SharedArrayBuffer;
  readonly #words: Uint32Array;

  constructor(memory = new SharedArrayBuffer(MAX_FD / 8)) {
    this.memory = memory;
    this.#words = new Uint32Array(memory);
  }

  add(fd: number): void {
    this.#words[fd >>> 5] = (this.#words[fd >>> 5] ?? 0) | (1 << (fd & 31));
  }

  remove(fd: number): void {
    this.#words[fd >>> 5] = (this.#words[fd >>> 5] ?? 0) & ~(1 << (fd & 31));
  }

  /** Empties the ledger. Once the thread that wrote it has ended. */
  takeAll(): number[] {
    const fds: number[] = [];
    for (let word = 0; word < this.#words.length; word++) {
      const bits = this.#words[word] ?? 0;
      if (bits === 0) continue;
      for (let bit = 0; bit < 32; bit++) if ((bits & (1 << bit)) !== 0) fds.push(word * 32 + bit);
      this.#words[word] = 0;
    }
    return fds;
  }
}
