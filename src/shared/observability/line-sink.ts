import { writeSync } from 'node:fs';
import type { Clock } from '../lifecycle/clock.ts';
import { LogBytes } from './log-bytes.ts';

export interface LineWriter {
  writeLine(line: string): void;
}

export interface BytesWriter {
  /** A line without its end: the first `length` of `bytes`, which are the caller's again afterwards. Of a log that may be read a moment later. */
  writeBytes(bytes: Buffer, length: number): void;
}

export interface LogWriter extends LineWriter, BytesWriter {}

/** Lines held while the output is blocked; further ones are dropped and counted rather than held without a bound. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
const FLUSH_BYTES = 64 * 1024;
const FIRST_BYTES = 2 * FLUSH_BYTES;
const NEWLINE = 0x0a;
/** Each write wakes who reads the log, on a node the container runtime: with one request at a time that costs as much as a hop. */
const GATHER_MS = 50;

/**
 * Gathers the lines of one turn of the event loop into one write to a file descriptor, and lines of bytes (the access log) for
 * a little longer where it has a clock. Writes synchronously, so that the last words of a dying process are not lost; a descriptor that
 * would block keeps its lines for the next turn.
 */
export class LineSink implements LogWriter {
  readonly #fd: number;
  readonly #held = new LogBytes({ firstBytes: FIRST_BYTES, maxKeptBytes: FIRST_BYTES });
  /** Since the last line that told of it. */
  #dropped = 0;
  #droppedTotal = 0;
  #scheduled = false;
  /** The last write took not all: no line but the next turn tries again. */
  #isBlocked = false;
  #clock: Clock | undefined;
  #gathering = false;
  readonly #onTurn = (): void => this.flush();
  readonly #onGathered = (): void => {
    this.#gathering = false;
    this.flush();
  };

  constructor(fd: number) {
    this.#fd = fd;
  }

  static #stdout: LineSink | undefined;

  /** One sink a thread, so that lines of different loggers keep their order. */
  static stdout(): LineSink {
    if (LineSink.#stdout === undefined) {
      const sink = new LineSink(1);
      process.on('exit', () => sink.flush());
      LineSink.#stdout = sink;
    }
    return LineSink.#stdout;
  }

  /** Lines that nobody will ever read, since the start. */
  get droppedTotal(): number {
    return this.#droppedTotal;
  }

  writeLine(line: string): void {
    if (!this.#takes()) return;
    this.#held.text(line);
    this.#endLine();
  }

  writeBytes(bytes: Buffer, length: number): void {
    if (!this.#takes()) return;
    this.#held.appendFirst(bytes, length);
    this.#endLine(this.#clock);
  }

  /** From here on lines of bytes wait for others, by this clock. */
  gatherWith(clock: Clock): void {
    this.#clock = clock;
  }

  flush(): void {
    this.#scheduled = false;
    const held = this.#held;
    if (this.#dropped > 0 && held.length < MAX_HELD_BYTES) {
      held.text(`log output was blocked: ${this.#dropped} lines dropped\n`);
      this.#dropped = 0;
    }
    if (held.length === 0) return;
    held.dropFirst(writeAvailable(this.#fd, held.bytes, held.length));
    this.#isBlocked = held.length > 0;
    if (this.#isBlocked) this.#schedule();
  }

  #takes(): boolean {
    if (this.#held.length <= MAX_HELD_BYTES) return true;
    this.#dropped++;
    this.#droppedTotal++;
    return false;
  }

  #endLine(gathersWith?: Clock): void {
    this.#held.byte(NEWLINE);
    if (this.#held.length >= FLUSH_BYTES && !this.#isBlocked) this.flush();
    else if (gathersWith === undefined) this.#schedule();
    else this.#gather(gathersWith);
  }

  #gather(clock: Clock): void {
    if (this.#gathering) return;
    this.#gathering = true;
    clock.setTimer(GATHER_MS, this.#onGathered);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onTurn);
  }
}

/** @returns how many bytes the descriptor took; all of them when it is broken, since no later try would do better. */
function writeAvailable(fd: number, bytes: Uint8Array, length: number): number {
  let at = 0;
  while (at < length) {
    try {
      at += writeSync(fd, bytes, at, length - at);
    } catch (error) {
      return isBlocked(error) ? at : length;
    }
  }
  return at;
}

function isBlocked(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
