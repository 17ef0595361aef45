import type { ByteChannel } from '#shared/engine/channel.ts';
import {
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  wholeRecordsPayload,
  writeFrameHeader,
} from '#shared/http2/frame.ts';

/** DATA of one frame, peer permitting. */
const MAX_SEND_BYTES = 128 * 1024;

interface Sending {
  readonly streamId: number;
  readonly body: Buffer;
  /** Written behind the body; undefined: the body ends the stream. */
  readonly finish: (() => void) | undefined;
  at: number;
  window: number;
}

/** Sends bodies that do not fit the windows at once, one frame of each in turn. */
export class BodySender {
  readonly #channel: ByteChannel;
  readonly #head = Buffer.alloc(FRAME_HEADER_BYTES);
  #queue: Sending[] = [];
  #streamWindow = DEFAULT_WINDOW_BYTES;
  #window = DEFAULT_WINDOW_BYTES;
  #frameBytes = DEFAULT_MAX_FRAME_BYTES;
  #isBlocked = false;

  constructor(channel: ByteChannel) {
    this.#channel = channel;
  }

  /** A body that may leave at once, and before all others; it is counted as sent. */
  takes(bytes: number): boolean {
    if (this.#isBlocked || this.#queue.length > 0 || bytes > this.#window || bytes > this.#streamWindow)
      return false;
    this.#window -= bytes;
    return true;
  }

  send(streamId: number, body: Buffer, finish?: () => void): void {
    this.#queue.push({ streamId, body, finish, at: 0, window: this.#streamWindow });
    this.#pump();
  }

  /** The peer's SETTINGS. */
  setLimits(streamWindowBytes: number, maxFrameBytes: number): void {
    for (const sending of this.#queue) sending.window += streamWindowBytes - this.#streamWindow;
    this.#streamWindow = streamWindowBytes;
    this.#frameBytes = wholeRecordsPayload(Math.min(MAX_SEND_BYTES, maxFrameBytes));
    this.#pump();
  }

  /** @param streamId 0: of the connection */
  credit(streamId: number, bytes: number): void {
    if (streamId === 0) this.#window += bytes;
    else {
      const sending = this.#queue.find(each => each.streamId === streamId);
      if (sending !== undefined) sending.window += bytes;
    }
    this.#pump();
  }

  /** Nobody wants the rest. */
  drop(streamId: number): void {
    this.#queue = this.#queue.filter(sending => sending.streamId !== streamId);
  }

  /** The channel has taken what was written, or is full (`write` returned false). */
  setBlocked(isBlocked: boolean): void {
    this.#isBlocked = isBlocked;
    this.#pump();
  }

  #pump(): void {
    let shut = 0;
    while (!this.#isBlocked && this.#window > 0 && shut < this.#queue.length) {
      const sending = this.#queue.shift();
      if (sending === undefined) return;
      if (sending.window > 0) {
        this.#sendFrame(sending);
        shut = 0;
      } else shut++;
      if (sending.at < sending.body.length) this.#queue.push(sending);
      else sending.finish?.();
    }
  }

  #sendFrame(sending: Sending): void {
    const { body, streamId, finish, at } = sending;
    const bytes = Math.min(body.length - at, this.#frameBytes, sending.window, this.#window);
    sending.at += bytes;
    sending.window -= bytes;
    this.#window -= bytes;
    const isEnd = sending.at === body.length && finish === undefined;
    writeFrameHeader(this.#head, 0, bytes, FrameType.DATA, isEnd ? Flag.END_STREAM : 0, streamId);
    this.#channel.write(this.#head);
    this.#isBlocked = !this.#channel.writeOwned(body.subarray(at, sending.at));
  }
}
