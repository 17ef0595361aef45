import type { Clock } from '../lifecycle/clock.ts';
import { EMPTY, DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES, wholeRecordsPayload } from './frame.ts';
import type { FrameWriter } from './frame-writer.ts';
import { StreamQueue } from './stream-queue.ts';
import type { StreamState } from './stream-state.ts';
import { WaitingOutput } from './waiting-output.ts';

export interface OutboundLimits {
  readonly maxSendFrameBytes: number;
  readonly maxPendingBytes: number;
}

export interface OutboundEvents {
  /** END_STREAM has been written. */
  onEndSent(stream: StreamState): void;
  /** Payload left: windows and floods are accounted by what we send. */
  onPayloadSent(bytes: number): void;
  /** The producer went on past `maxPendingBytes` of queue. */
  onOverflow(stream: StreamState): void;
}

/**
 * Sends DATA within the peer's windows. A stream that may send goes straight to the channel; one that may not queues, and
 * those that wait for the connection (window or channel) take turns, one frame each.
 */
export class Outbound {
  readonly #writer: FrameWriter;
  readonly #clock: Clock;
  readonly #limits: OutboundLimits;
  readonly #events: OutboundEvents;
  readonly #queue = new StreamQueue();
  /** What the peer lets us send on the whole connection. */
  #window = DEFAULT_WINDOW_BYTES;
  #isPumping = false;

  constructor(writer: FrameWriter, clock: Clock, limits: OutboundLimits, events: OutboundEvents) {
    this.#writer = writer;
    this.#clock = clock;
    this.#limits = limits;
    this.#events = events;
  }

  /** @returns false when something had to be queued, or the channel is full. */
  send(stream: StreamState, slice: Uint8Array, endStream: boolean, isOwned: boolean): boolean {
    if (endStream) stream.localEnded = true;
    let sent = 0;
    if (stream.pendingBytes === 0) {
      sent = this.#sendNow(stream, slice, endStream, isOwned);
      if (stream.endSent || (sent === slice.length && !this.#writer.isBlocked)) return true;
    } else if (stream.pendingBytes > this.#limits.maxPendingBytes) {
      this.#events.onOverflow(stream);
      return true;
    }
    if (sent < slice.length) this.#enqueue(stream, sent === 0 ? slice : slice.subarray(sent), isOwned);
    this.#awaitTurn(stream);
    return false;
  }

  /** Behind what is queued; at once when nothing is. */
  sendTrailers(stream: StreamState, fields: readonly string[]): void {
    stream.localEnded = true;
    const { waiting } = stream;
    if (waiting !== undefined && waiting.bytes.bytes > 0) {
      waiting.trailers = [...fields];
      return;
    }
    this.#writeTrailers(stream, fields);
  }

  /** @returns false when the window would overflow (RFC 9113 §6.9.1). */
  addConnectionCredit(bytes: number): boolean {
    this.#window += bytes;
    if (this.#window > MAX_WINDOW_BYTES) return false;
    this.pump();
    return true;
  }

  /** Also negative, when the peer shrinks its initial window. Call `pump` after. @returns false on overflow. */
  addStreamCredit(stream: StreamState, bytes: number): boolean {
    stream.sendWindow += bytes;
    if (stream.sendWindow > MAX_WINDOW_BYTES) return false;
    const { waiting } = stream;
    if (waiting === undefined || stream.sendWindow <= 0) return true;
    if (waiting.bytes.bytes > 0 || waiting.wantsDrain) this.#queue.push(waiting);
    return true;
  }

  /** Drops what the stream has queued. */
  discard(stream: StreamState): void {
    const { waiting } = stream;
    if (waiting === undefined) return;
    this.#queue.remove(waiting);
    waiting.bytes.clear();
    waiting.trailers = undefined;
    waiting.wantsDrain = false;
  }

  /** Gives each waiting stream its turn for as long as the channel and the connection's window admit. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (let waiting = this.#queue.head; waiting !== undefined; waiting = this.#queue.head) {
        if (this.#writer.isBlocked || this.#window <= 0) return;
        this.#queue.remove(waiting);
        this.#serve(waiting);
      }
    } finally {
      this.#isPumping = false;
    }
  }

  #serve(waiting: WaitingOutput): void {
    const { bytes, stream } = waiting;
    if (bytes.bytes > 0) {
      // Its own window is shut: WINDOW_UPDATE for it will queue it again, and it holds up nobody meanwhile.
      if (stream.sendWindow <= 0) return;
      this.#sendWaiting(waiting);
      if (bytes.bytes > 0 || waiting.wantsDrain) this.#queue.push(waiting);
    } else if (waiting.wantsDrain) {
      waiting.wantsDrain = false;
      stream.handler.onDrain();
    }
  }

  /** One frame off the queue of the stream. */
  #sendWaiting(waiting: WaitingOutput): void {
    const { bytes, stream } = waiting;
    const slice = bytes.take(this.#allowance(stream));
    if (slice === undefined) return;
    waiting.progressMs = this.#clock.monotonic();
    const isLast = bytes.bytes === 0;
    const endStream = isLast && stream.localEnded && waiting.trailers === undefined;
    this.#write(stream, slice, endStream, bytes.takenIsOwned);
    bytes.release();
    const { trailers } = waiting;
    if (endStream) this.#ended(stream);
    else if (isLast && trailers !== undefined) {
      waiting.trailers = undefined;
      this.#writeTrailers(stream, trailers);
    }
  }

  /** @returns how many bytes went out. */
  #sendNow(stream: StreamState, slice: Uint8Array, endStream: boolean, isOwned: boolean): number {
    if (slice.length === 0) {
      if (endStream) this.#writeEnd(stream);
      return 0;
    }
    let at = 0;
    while (at < slice.length && !this.#writer.isBlocked) {
      const bytes = Math.min(slice.length - at, this.#allowance(stream));
      if (bytes <= 0) break;
      const isWhole = bytes === slice.length;
      const isLast = at + bytes === slice.length;
      this.#write(stream, isWhole ? slice : slice.subarray(at, at + bytes), endStream && isLast, isOwned);
      if (endStream && isLast) this.#ended(stream);
      at += bytes;
    }
    return at;
  }

  #allowance(stream: StreamState): number {
    const frame = Math.min(this.#limits.maxSendFrameBytes, this.#writer.maxFrameBytes);
    return Math.min(wholeRecordsPayload(frame), stream.sendWindow, this.#window);
  }

  #write(stream: StreamState, payload: Uint8Array, endStream: boolean, isOwned: boolean): void {
    stream.sendWindow -= payload.length;
    this.#window -= payload.length;
    this.#writer.data(stream.id, payload, endStream, isOwned);
    this.#events.onPayloadSent(payload.length);
  }

  #writeEnd(stream: StreamState): void {
    this.#write(stream, EMPTY, true, false);
    this.#ended(stream);
  }

  #writeTrailers(stream: StreamState, fields: readonly string[]): void {
    if (fields.length === 0) this.#writeEnd(stream);
    else {
      this.#writer.headers(stream.id, fields, true);
      this.#ended(stream);
    }
  }

  #ended(stream: StreamState): void {
    stream.endSent = true;
    this.#events.onEndSent(stream);
  }

  #enqueue(stream: StreamState, rest: Uint8Array, isOwned: boolean): void {
    const waiting = (stream.waiting ??= new WaitingOutput(stream));
    const { bytes } = waiting;
    if (bytes.bytes === 0) waiting.progressMs = this.#clock.monotonic();
    if (isOwned) bytes.appendOwned(rest);
    else bytes.append(rest);
  }

  #awaitTurn(stream: StreamState): void {
    const waiting = (stream.waiting ??= new WaitingOutput(stream));
    waiting.wantsDrain = true;
    if (stream.sendWindow > 0) this.#queue.push(waiting);
  }
}
