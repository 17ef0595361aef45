import { writeSync } from 'node:fs';

export interface LineWriter {
  writeLine(line: string): void;
}

/** Lines held while the output is blocked; further ones are dropped and counted rather than held without a bound. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
const FLUSH_BYTES = 64 * 1024;

/**
 * Gathers the lines of one turn of the event loop into one write to a file descriptor. Writes synchronously, so that the
 * last words of a dying process are not lost; a descriptor that would block keeps its lines for the next turn.
 */
export class LineSink implements LineWriter {
  readonly #fd: number;
  #held = '';
  #dropped = 0;
  #scheduled = false;

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

  writeLine(line: string): void {
    if (this.#held.length > MAX_HELD_BYTES) {
      this.#dropped++;
      return;
    }
    this.#held += `${line}\n`;
    if (this.#held.length >= FLUSH_BYTES) this.flush();
    else this.#schedule();
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#dropped > 0 && this.#held.length < MAX_HELD_BYTES) {
      this.#held += `log output was blocked: ${this.#dropped} lines dropped\n`;
      this.#dropped = 0;
    }
    if (this.#held === '') return;
    const bytes = Buffer.from(this.#held, 'utf8');
    const written = writeAvailable(this.#fd, bytes);
    this.#held = written === bytes.length ? '' : bytes.toString('utf8', written);
    if (this.#held !== '') this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }
}

/** @returns how many bytes the descriptor took; all of them when it is broken, since no later try would do better. */
function writeAvailable(fd: number, bytes: Buffer): number {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      return isBlocked(error) ? at : bytes.length;
    }
  }
  return at;
}

function isBlocked(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
