const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const STATUS = Buffer.from('HTTP/1.1 200', 'latin1');
const LENGTH = Buffer.from('\ncontent-length:', 'latin1');
const MAX_HEAD_BYTES = 16_384;
const NEWLINE = 0x0a;
/** Also what the cases of a letter differ by. */
const SPACE = 0x20;
const ZERO = 0x30;

/**
 * Finds where answers of HTTP/1.1 end: status line and content-length are looked at, everything else is passed over. It keeps
 * nothing but what is left of a head that came in pieces.
 */
export class ResponseScanner {
  readonly #bodyBytes: number;
  readonly #carry = Buffer.alloc(MAX_HEAD_BYTES);
  #held = 0;
  /** Of the body; -1 before the head has ended. */
  #missing = -1;
  /** Where the length stood in the last head: there it is looked for first. */
  #lengthAt = 0;

  /** @param bodyBytes that each answer must have */
  constructor(bodyBytes: number) {
    this.#bodyBytes = bodyBytes;
  }

  /**
   * Reads the next bytes of the connection, on which one request is under way.
   * @returns whether its answer is complete. Throws when it is not the one that was asked for.
   */
  read(slice: Buffer): boolean {
    const at = this.#missing < 0 ? this.#readHead(slice) : 0;
    if (this.#missing < 0) return false;
    const rest = slice.length - at;
    if (rest > this.#missing)
      throw new Error(`${rest - this.#missing} bytes behind the answer, which nobody asked for`);
    this.#missing -= rest;
    if (this.#missing > 0) return false;
    this.#missing = -1;
    return true;
  }

  /** @returns where the body begins, if the head has ended */
  #readHead(slice: Buffer): number {
    if (this.#held === 0) {
      const end = slice.indexOf(HEAD_END);
      if (end < 0) return this.#hold(slice);
      this.#check(slice, end);
      return end + HEAD_END.length;
    }
    const before = this.#held;
    this.#hold(slice);
    const end = this.#carry.subarray(0, this.#held).indexOf(HEAD_END, Math.max(0, before - HEAD_END.length));
    if (end < 0) return slice.length;
    this.#held = 0;
    this.#check(this.#carry, end);
    return end + HEAD_END.length - before;
  }

  #hold(slice: Buffer): number {
    const taken = slice.copy(this.#carry, this.#held);
    this.#held += taken;
    if (taken === slice.length) return taken;
    // A large body may follow a head that has ended within what was taken.
    if (this.#carry.indexOf(HEAD_END) >= 0) return taken;
    throw new Error(`a head of more than ${MAX_HEAD_BYTES} bytes`);
  }

  #check(head: Buffer, end: number): void {
    if (!isAt(head, 0, STATUS)) throw new Error(`answered ${statusLine(head, end)}`);
    const bytes = this.#contentLength(head, end);
    if (bytes !== this.#bodyBytes)
      throw new Error(`content-length ${bytes} where ${this.#bodyBytes} bytes were asked for`);
    this.#missing = bytes;
  }

  /** @returns NaN when there is none */
  #contentLength(head: Buffer, end: number): number {
    const known = this.#lengthAt;
    if (known < end && isAt(head, known, LENGTH)) return numberAt(head, known + LENGTH.length, end);
    for (let at = head.indexOf(NEWLINE); at >= 0 && at < end; at = head.indexOf(NEWLINE, at + 1)) {
      if (!isAt(head, at, LENGTH)) continue;
      this.#lengthAt = at;
      return numberAt(head, at + LENGTH.length, end);
    }
    return Number.NaN;
  }
}

/** Whether the bytes stand there, letters in either case. */
function isAt(bytes: Buffer, at: number, expected: Buffer): boolean {
  for (let i = 0; i < expected.length; i++) {
    const byte = bytes[at + i] ?? 0;
    const want = expected[i] ?? 0;
    if (byte !== want && !(isLetter(byte) && (byte ^ want) === SPACE)) return false;
  }
  return true;
}

function isLetter(byte: number): boolean {
  const lower = byte | SPACE;
  return lower >= 0x61 && lower <= 0x7a;
}

function numberAt(head: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && head[at] === SPACE) at++;
  const first = at;
  let value = 0;
  for (let digit = digitAt(head, at); at < end && digit >= 0; digit = digitAt(head, ++at))
    value = value * 10 + digit;
  return at === first ? Number.NaN : value;
}

function digitAt(head: Buffer, at: number): number {
  const digit = (head[at] ?? 0) - ZERO;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

function statusLine(head: Buffer, end: number): string {
  return head.toString('latin1', 0, Math.min(end, 200)).split('\r\n', 1)[0] ?? '';
}
