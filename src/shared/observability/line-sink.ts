import { writeSync } from 'node:fs';
import { type Clock, systemClock, type Timer } from '../lifecycle/clock.ts';
import { errorMessage } from './error-message.ts';
import { LogBytes } from './log-bytes.ts';
import { openLogOutput } from './log-output.ts';

export interface LineWriter {
  writeLine(line: string): void;
}

export interface BytesWriter {
  /** A line without its end: the first `length` of `bytes`, which are the caller's again afterwards. Of a log that may be read a moment later. */
  writeBytes(bytes: Buffer, length: number): void;
}

export interface LogWriter extends LineWriter, BytesWriter {}

export interface LineSinkOptions {
  readonly clock?: Clock;
  /** As `fs.writeSync`: throws with code EAGAIN where it would wait. */
  readonly write?: (fd: number, bytes: Uint8Array, offset: number, length: number) => number;
}

/** Told once lines are taken again. */
type OnLoss = (lines: number, reason: string) => void;

/** Lines held while the output is blocked; further ones are dropped and counted rather than held without a bound. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
const FLUSH_BYTES = 64 * 1024;
const FIRST_BYTES = 2 * FLUSH_BYTES;
const NEWLINE = 0x0a;
/** Each write wakes who reads the log, on a node the container runtime: with one request at a time that costs as much as a hop. */
const GATHER_MS = 50;
/** A reader that is behind is tried again after this, doubled while it takes nothing. */
const FIRST_RETRY_MS = 1;
const MAX_RETRY_MS = 100;
/** Of a process that ends, for a reader that is behind. */
const LAST_WORDS_MS = 500;
const LAST_WORDS_RETRY_MS = 5;

/**
 * Gathers the lines of one turn of the event loop into one write to a file descriptor, and lines of bytes (the access log) for
 * a little longer where it is asked to. Writes synchronously, so that the last words of a dying process are not lost. A descriptor that
 * would block keeps its lines, within a bound, and is tried again later; one that fails (a full disk) loses them. What is lost is counted,
 * and told of when lines are taken again.
 */
export class LineSink implements LogWriter {
  readonly #fd: number;
  readonly #write: NonNullable<LineSinkOptions['write']>;
  readonly #held = new LogBytes({ firstBytes: FIRST_BYTES, maxKeptBytes: FIRST_BYTES });
  #clock: Clock;
  /** Since the last time it was told. */
  #dropped = 0;
  #droppedTotal = 0;
  #dropReason = '';
  #onLoss: OnLoss = (lines, reason) => this.writeLine(`log output ${reason}: ${lines} lines dropped`);
  #scheduled = false;
  /** The last write took not all: no line tries again, a timer does. */
  #isBlocked = false;
  #retry: Timer | undefined;
  #retryMs = FIRST_RETRY_MS;
  /** A write that failed has left a part of a line. */
  #isMidLine = false;
  #gathers = false;
  #gathering = false;
  readonly #onTurn = (): void => this.flush();
  readonly #onGathered = (): void => {
    this.#gathering = false;
    this.flush();
  };

  constructor(fd: number, { clock = systemClock, write = writeSync }: LineSinkOptions = {}) {
    this.#fd = fd;
    this.#clock = clock;
    this.#write = write;
  }

  static #ofThread: LineSink | undefined;

  /** One sink a thread, so that lines of different loggers keep their order. Of the main thread: it opens the output. */
  static stdout(): LineSink {
    return LineSink.#ofThread ?? LineSink.ofThread(openLogOutput());
  }

  /** The one of this thread, where another one has opened the output. */
  static ofThread(fd: number): LineSink {
    if (LineSink.#ofThread === undefined) {
      const sink = new LineSink(fd);
      process.on('exit', () => sink.#lastWords());
      LineSink.#ofThread = sink;
    }
    return LineSink.#ofThread;
  }

  /** What it writes to. */
  get fd(): number {
    return this.#fd;
  }

  /** Lines that nobody will ever read, since the start. */
  get droppedTotal(): number {
    return this.#droppedTotal;
  }

  writeLine(line: string): void {
    if (!this.#takes()) return;
    this.#held.text(line);
    this.#endLine(false);
  }

  writeBytes(bytes: Buffer, length: number): void {
    if (!this.#takes()) return;
    this.#held.appendFirst(bytes, length);
    this.#endLine(this.#gathers);
  }

  /** From here on lines of bytes wait for others, by this clock, which is that of its thread. */
  gatherWith(clock: Clock): void {
    this.#clock = clock;
    this.#gathers = true;
  }

  /** In place of a line of no format. */
  tellLossWith(onLoss: OnLoss): void {
    this.#onLoss = onLoss;
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#held.length === 0) return;
    const { isBlocked, taken } = this.#writeHeld();
    this.#isBlocked = isBlocked;
    this.#retryMs = taken > 0 || !isBlocked ? FIRST_RETRY_MS : Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    if (isBlocked) this.#retryLater();
    if (taken > 0 && !this.#isMidLine) this.#tellLoss();
  }

  /** Writes what it can of the lines that are held. @returns how many bytes were taken */
  #writeHeld(): { readonly taken: number; readonly isBlocked: boolean } {
    const held = this.#held;
    let taken = 0;
    try {
      if (this.#isMidLine) this.#write(this.#fd, LINE_END, 0, LINE_END.length);
      this.#isMidLine = false;
      while (taken < held.length) taken += this.#write(this.#fd, held.bytes, taken, held.length - taken);
    } catch (error) {
      if (isBlocked(error)) {
        held.dropFirst(taken);
        return { taken, isBlocked: true };
      }
      // What it is written to is full, or gone. Later lines may fare better, these are lost.
      this.#isMidLine ||= taken > 0 && held.bytes[taken - 1] !== NEWLINE;
      this.#lose(linesIn(held.bytes, taken, held.length), `failed (${errorMessage(error)})`);
    }
    held.clear();
    return { taken, isBlocked: false };
  }

  #takes(): boolean {
    if (this.#held.length <= MAX_HELD_BYTES) return true;
    this.#lose(1, 'was blocked');
    return false;
  }

  #lose(lines: number, reason: string): void {
    this.#dropped += lines;
    this.#droppedTotal += lines;
    this.#dropReason = reason;
  }

  #tellLoss(): void {
    const lines = this.#dropped;
    if (lines === 0 || this.#held.length >= MAX_HELD_BYTES) return;
    this.#dropped = 0;
    this.#onLoss(lines, this.#dropReason);
  }

  #endLine(gathers: boolean): void {
    this.#held.byte(NEWLINE);
    if (this.#isBlocked) return;
    if (this.#held.length >= FLUSH_BYTES) this.flush();
    else if (gathers) this.#gather();
    else this.#schedule();
  }

  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#clock.setTimer(GATHER_MS, this.#onGathered);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onTurn);
  }

  /** A thread that tried again in each turn would do nothing else for as long as nobody reads. */
  #retryLater(): void {
    this.#retry?.cancel();
    this.#retry = this.#clock.setTimer(this.#retryMs, this.#onTurn);
  }

  /** A process that ends waits a moment for a reader that is behind, and no longer: it may have stopped for good. */
  #lastWords(): void {
    this.flush();
    for (let left = LAST_WORDS_MS; this.#isBlocked && left > 0; left -= LAST_WORDS_RETRY_MS) {
      Atomics.wait(SLEEP, 0, 0, LAST_WORDS_RETRY_MS);
      this.flush();
    }
  }
}

const LINE_END = Buffer.from([NEWLINE]);
/** Nobody changes it: waiting for that is waiting. */
const SLEEP = new Int32Array(new SharedArrayBuffer(4));

function linesIn(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) if (bytes[at] === NEWLINE) count++;
  return count;
}

function isBlocked(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
