import { EMPTY } from './frame.ts';
import { ErrorCode, Http2ConnectionError } from './error-code.ts';

export interface HeaderBlockLimits {
  readonly maxHeaderBlockBytes: number;
  readonly maxContinuationFrames: number;
}

/** Collects a header block that is spread over HEADERS and CONTINUATION (RFC 9113 §4.3), within bounds. */
export class HeaderBlock {
  readonly #limits: HeaderBlockLimits;
  #buffer: Buffer = EMPTY;
  #bytes = 0;
  #frames = 0;
  /** The stream whose block is open; 0 when none is. Nothing but its CONTINUATION may come then. */
  streamId = 0;
  endStream = false;
  dependsOnItself = false;

  constructor(limits: HeaderBlockLimits) {
    this.#limits = limits;
  }

  get buffer(): Buffer {
    return this.#buffer;
  }

  get bytes(): number {
    return this.#bytes;
  }

  begin(streamId: number, endStream: boolean, dependsOnItself: boolean): void {
    this.streamId = streamId;
    this.endStream = endStream;
    this.dependsOnItself = dependsOnItself;
    this.#bytes = 0;
    this.#frames = 0;
  }

  /** Before a CONTINUATION of `bytes` is read. Throws ENHANCE_YOUR_CALM above the limits. */
  admit(bytes: number): void {
    this.#frames++;
    if (this.#frames > this.#limits.maxContinuationFrames) {
      throw tooMuch(`more than ${this.#limits.maxContinuationFrames} CONTINUATION frames`);
    }
    this.checkSize(this.#bytes + bytes);
  }

  checkSize(bytes: number): void {
    if (bytes <= this.#limits.maxHeaderBlockBytes) return;
    throw tooMuch(`${bytes} bytes when at most ${this.#limits.maxHeaderBlockBytes} are accepted`);
  }

  append(source: Buffer, start: number, end: number): void {
    const needed = this.#bytes + end - start;
    if (this.#buffer.length < needed) {
      const grown = Buffer.allocUnsafe(needed * 2);
      this.#buffer.copy(grown, 0, 0, this.#bytes);
      this.#buffer = grown;
    }
    this.#bytes += source.copy(this.#buffer, this.#bytes, start, end);
  }

  /** The block is complete and read; memory of an unusual one is given back. */
  close(): void {
    this.streamId = 0;
    this.#buffer = EMPTY;
  }
}

function tooMuch(what: string): Http2ConnectionError {
  return new Http2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `a header block has ${what}`);
}
