import type { ServerResponse } from 'node:http';
import { type Clock, type Timer } from '#shared/lifecycle/clock.ts';

/** So much may wait for a page that does not keep up; then events are left out until it has read some. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** A page that hears nothing for longer takes the connection for dead. */
const KEEP_ALIVE_MS = 10_000;

/** Server-sent events to one page. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #timer: Timer;
  #isOver = false;

  /** @param onEnd when the page has gone, or `end` was called; once */
  constructor(response: ServerResponse, clock: Clock, onEnd: () => void) {
    this.#response = response;
    this.#clock = clock;
    this.#onEnd = onEnd;
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
    response.on('close', () => this.#over());
    response.on('error', () => this.#over());
    this.#timer = clock.setTimer(KEEP_ALIVE_MS, () => this.#keepAlive());
  }

  /** Whether the page keeps up. */
  get isReady(): boolean {
    return !this.#isOver && this.#response.writableLength < MAX_WAITING_BYTES;
  }

  /** @returns false when it was left out. JSON has no line ends in it */
  send(data: unknown): boolean {
    if (!this.isReady) return false;
    this.#response.write(`data: ${JSON.stringify(data)}\n\n`);
    return true;
  }

  end(): void {
    if (this.#isOver) return;
    this.#response.end();
    this.#over();
  }

  #keepAlive(): void {
    if (this.isReady) this.#response.write(': still here\n\n');
    this.#timer = this.#clock.setTimer(KEEP_ALIVE_MS, () => this.#keepAlive());
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer.cancel();
    this.#onEnd();
  }
}
