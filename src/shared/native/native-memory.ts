import { getRawPointer } from 'node:ffi';
import { libc } from './libc.ts';

/** The runtime keeps typed arrays below some size inside its moving heap; memory of at least this much never moves. */
const MIN_BYTES = 4096;

/** What stands behind the usable bytes in checked builds: a foreign function that wrote too far has changed it. */
const CANARY = Buffer.from('ambient-mesh canary: do not step');

/**
 * Memory that foreign functions may be given the address of. The address is valid for as long as this object is reachable,
 * and the garbage collector does not move it; whoever passes `address` keeps the object.
 */
export class NativeMemory {
  /** The usable bytes. */
  readonly bytes: Buffer;
  readonly address: bigint;
  readonly #canary: Buffer;
  /** The last answer of `at`: most callers ask for the same place each time, and a BigInt is an allocation. */
  #lastOffset = 0;
  #lastAddress: bigint;

  constructor(size: number) {
    const whole = Buffer.allocUnsafeSlow(Math.max(MIN_BYTES, size + CANARY.length));
    this.bytes = whole.subarray(0, size);
    this.address = getRawPointer(whole);
    this.#lastAddress = this.address;
    this.#canary = whole.subarray(size, size + CANARY.length);
    CANARY.copy(this.#canary);
  }

  get size(): number {
    return this.bytes.length;
  }

  /** Address of byte `offset`. Throws RangeError outside the memory. */
  at(offset: number): bigint {
    if (offset === this.#lastOffset) return this.#lastAddress;
    if (offset === 0) return this.address;
    if (offset < 0 || offset > this.bytes.length) throw new RangeError(`offset ${offset} of ${this.size}`);
    this.#lastOffset = offset;
    return (this.#lastAddress = this.address + BigInt(offset));
  }

  /** Copies `length` bytes of foreign memory, which is valid now, to byte `offset`. Throws RangeError where they do not fit. memcpy(3) */
  copyFrom(address: bigint, offset: number, length: number): void {
    if (length < 0 || offset < 0 || offset + length > this.bytes.length)
      throw new RangeError(`${length} bytes at offset ${offset} of ${this.size}`);
    libc().memcpy(this.at(offset), address, BigInt(length));
  }

  /** Whether nothing was ever written behind the end. For tests and the self-test. */
  get isIntact(): boolean {
    return this.#canary.equals(CANARY);
  }
}

/** A text as a C string (ASCII, NUL at its end). */
export function cString(text: string): NativeMemory {
  const memory = new NativeMemory(text.length + 1);
  memory.bytes.write(`${text}\0`, 'latin1');
  return memory;
}
