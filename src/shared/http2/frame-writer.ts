import type { ByteChannel } from '../engine/channel.ts';
import {
  CLIENT_PREFACE,
  DEFAULT_MAX_FRAME_BYTES,
  FRAME_HEADER_BYTES,
  Flag,
  FrameType,
  writeFrameHeader,
  writeUint32,
} from './frame.ts';
import { HpackEncoder } from './hpack-encoder.ts';

/** Longest debug text of a GOAWAY. */
const MAX_DEBUG_BYTES = 256;

/** Puts frames on the channel. The channel takes the bytes during `write`, so that one small buffer serves for all. */
export class FrameWriter {
  readonly encoder: HpackEncoder;
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  maxFrameBytes = DEFAULT_MAX_FRAME_BYTES;
  readonly #channel: ByteChannel;
  readonly #maxBacklogBytes: number;
  readonly #onBacklog: (backlogBytes: number) => void;
  readonly #bare = Buffer.alloc(FRAME_HEADER_BYTES);
  readonly #four = Buffer.alloc(FRAME_HEADER_BYTES + 4);
  /** Made with the first PING. */
  #eight: Buffer | undefined;
  #isBlocked = false;
  /** Bytes of frames other than DATA written since the channel became full. */
  #backlogBytes = 0;

  /** `onBacklog`: more than `maxBacklogBytes` of frames other than DATA wait for a peer that does not read. */
  constructor(
    channel: ByteChannel,
    headerTableBytes: number,
    maxBacklogBytes: number,
    onBacklog: (backlogBytes: number) => void,
  ) {
    this.#channel = channel;
    this.encoder = new HpackEncoder(headerTableBytes);
    this.#maxBacklogBytes = maxBacklogBytes;
    this.#onBacklog = onBacklog;
  }

  /** The channel is above its high-water mark: DATA has to wait. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  unblock(): void {
    this.#isBlocked = false;
    this.#backlogBytes = 0;
  }

  preface(): void {
    this.#control(CLIENT_PREFACE);
  }

  settings(payload: Buffer): void {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
    writeFrameHeader(frame, 0, payload.length, FrameType.SETTINGS, 0, 0);
    payload.copy(frame, FRAME_HEADER_BYTES);
    this.#control(frame);
  }

  settingsAck(): void {
    writeFrameHeader(this.#bare, 0, 0, FrameType.SETTINGS, Flag.ACK, 0);
    this.#control(this.#bare);
  }

  /** Eight bytes at `buffer[start]` are the opaque data. */
  ping(buffer: Buffer, start: number, isAck: boolean): void {
    const frame = (this.#eight ??= Buffer.alloc(FRAME_HEADER_BYTES + 8));
    writeFrameHeader(frame, 0, 8, FrameType.PING, isAck ? Flag.ACK : 0, 0);
    buffer.copy(frame, FRAME_HEADER_BYTES, start, start + 8);
    this.#control(frame);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#fourBytes(FrameType.WINDOW_UPDATE, streamId, increment);
  }

  rstStream(streamId: number, code: number): void {
    this.#fourBytes(FrameType.RST_STREAM, streamId, code);
  }

  goaway(lastStreamId: number, code: number, debugText: string): void {
    const debug = Buffer.from(debugText).subarray(0, MAX_DEBUG_BYTES);
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + 8 + debug.length);
    writeFrameHeader(frame, 0, 8 + debug.length, FrameType.GOAWAY, 0, 0);
    writeUint32(frame, FRAME_HEADER_BYTES, lastStreamId);
    writeUint32(frame, FRAME_HEADER_BYTES + 4, code);
    debug.copy(frame, FRAME_HEADER_BYTES + 8);
    // Not counted as backlog: it may be the answer to an overflow of that.
    this.#note(this.#channel.write(frame));
  }

  /** HEADERS, and CONTINUATION where the block is larger than the peer's frames. */
  headers(streamId: number, fields: readonly string[], endStream: boolean): void {
    const block = this.encoder.encode(fields, FRAME_HEADER_BYTES);
    const length = block.length - FRAME_HEADER_BYTES;
    const endFlag = endStream ? Flag.END_STREAM : 0;
    const first = Math.min(length, this.maxFrameBytes);
    const isWhole = first === length;
    writeFrameHeader(
      block,
      0,
      first,
      FrameType.HEADERS,
      endFlag | (isWhole ? Flag.END_HEADERS : 0),
      streamId,
    );
    this.#control(isWhole ? block : block.subarray(0, FRAME_HEADER_BYTES + first));
    if (!isWhole) this.#continuations(streamId, block, FRAME_HEADER_BYTES + first);
  }

  /** Returns false when the channel is full; see `isBlocked`. */
  data(streamId: number, payload: Uint8Array, endStream: boolean, isOwned: boolean): boolean {
    const flags = endStream ? Flag.END_STREAM : 0;
    writeFrameHeader(this.#bare, 0, payload.length, FrameType.DATA, flags, streamId);
    this.#note(this.#channel.write(this.#bare));
    if (payload.length === 0) return !this.#isBlocked;
    this.#note(isOwned ? this.#channel.writeOwned(payload) : this.#channel.write(payload));
    return !this.#isBlocked;
  }

  #continuations(streamId: number, block: Buffer, from: number): void {
    for (let at = from; at < block.length; ) {
      const end = Math.min(block.length, at + this.maxFrameBytes);
      const flags = end === block.length ? Flag.END_HEADERS : 0;
      // The bytes just before `at` have been sent, so that the header of the next frame may overwrite them.
      writeFrameHeader(block, at - FRAME_HEADER_BYTES, end - at, FrameType.CONTINUATION, flags, streamId);
      this.#control(block.subarray(at - FRAME_HEADER_BYTES, end));
      at = end;
    }
  }

  #fourBytes(type: number, streamId: number, value: number): void {
    writeFrameHeader(this.#four, 0, 4, type, 0, streamId);
    writeUint32(this.#four, FRAME_HEADER_BYTES, value);
    this.#control(this.#four);
  }

  /** Frames that no window holds back. A peer that provokes them and does not read must not fill our memory. */
  #control(frame: Buffer): void {
    this.#note(this.#channel.write(frame));
    if (!this.#isBlocked) return;
    this.#backlogBytes += frame.length;
    if (this.#backlogBytes > this.#maxBacklogBytes) this.#onBacklog(this.#backlogBytes);
  }

  #note(mayGoOn: boolean): void {
    if (!mayGoOn) this.#isBlocked = true;
  }
}
