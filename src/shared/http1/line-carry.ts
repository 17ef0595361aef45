import { LF } from './octets.ts';

const INITIAL_BYTES = 512;
/** A larger buffer is given back after the line, so that one large head does not stay with an idle connection. */
const KEPT_BYTES = 4096;

/**
 * Holds a line that arrived in pieces. A line is parsed only when its LF is here, so that bytes sent one at a time cost
 * linear work: no piece is scanned twice.
 */
export class LineCarry {
  #buffer: Buffer | undefined;
  length = 0;

  get bytes(): Buffer {
    return this.#buffer ?? EMPTY;
  }

  /**
   * Adds what belongs to the line.
   * @returns the position behind the line's LF, or -1 when all of [pos, end) was taken and the line still has no end.
   */
  take(buf: Buffer, pos: number, end: number): number {
    const found = this.length === 0 ? -1 : buf.indexOf(LF, pos);
    const stop = found < 0 || found >= end ? end : found + 1;
    const target = this.#reserve(this.length + stop - pos);
    buf.copy(target, this.length, pos, stop);
    this.length += stop - pos;
    return found < 0 || found >= end ? -1 : stop;
  }

  clear(): void {
    this.length = 0;
    if (this.#buffer !== undefined && this.#buffer.length > KEPT_BYTES) this.#buffer = undefined;
  }

  #reserve(bytes: number): Buffer {
    const have = this.#buffer;
    if (have !== undefined && have.length >= bytes) return have;
    const grown = Buffer.allocUnsafeSlow(Math.max(INITIAL_BYTES, bytes * 2));
    have?.copy(grown, 0, 0, this.length);
    this.#buffer = grown;
    return grown;
  }
}

const EMPTY = Buffer.alloc(0);
