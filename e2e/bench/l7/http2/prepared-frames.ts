import {
  DEFAULT_MAX_FRAME_BYTES,
  FRAME_HEADER_BYTES,
  Flag,
  FrameType,
  writeFrameHeader,
  writeUint32,
} from '#shared/http2/frame.ts';
import { HpackEncoder } from '#shared/http2/hpack-encoder.ts';

/** Of the peer's table. */
export const TABLE_BYTES = 4096;

/** Fields of a HEADERS frame, or payload of a DATA frame. */
export type FramePlan =
  | { readonly fields: readonly string[]; readonly endStream: boolean }
  | { readonly data: Buffer; readonly endStream: boolean };

/**
 * Messages of one connection as bytes that are sent over and over. The first one puts its fields into the peer's table; from
 * the second one on the bytes stay the same but for the stream's id.
 */
export class PreparedFrames {
  readonly #encoder = new HpackEncoder(TABLE_BYTES);
  readonly #plans: readonly (readonly FramePlan[])[];
  readonly #steady: (Buffer | undefined)[];

  /** @param plans frames of each message; none may be larger than what every peer takes */
  constructor(plans: readonly (readonly FramePlan[])[]) {
    this.#plans = plans;
    this.#steady = plans.map(() => undefined);
  }

  /** @returns the message's frames, valid until the next call */
  of(message: number, streamId: number): Buffer {
    const frames = this.#steady[message] ?? this.#prepare(message);
    setStreamId(frames, streamId);
    return frames;
  }

  #prepare(message: number): Buffer {
    const plan = this.#plans[message] ?? [];
    const first = encode(plan, this.#encoder);
    // All of its fields that a table holds are in it now: nothing is added by this one, and so by none that follows.
    const steady = encode(plan, this.#encoder);
    // What the first one has added moved the others' indices.
    if (!first.equals(steady)) this.#steady.fill(undefined);
    this.#steady[message] = steady;
    return first;
  }
}

function encode(plan: readonly FramePlan[], encoder: HpackEncoder): Buffer {
  return Buffer.concat(
    plan.map(frame => {
      const isHeaders = 'fields' in frame;
      const payload = isHeaders ? encoder.encode(frame.fields) : frame.data;
      if (payload.length > DEFAULT_MAX_FRAME_BYTES)
        throw new Error(`a frame of ${payload.length} bytes cannot be prepared`);
      const bytes = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
      const type = isHeaders ? FrameType.HEADERS : FrameType.DATA;
      const flags = (frame.endStream ? Flag.END_STREAM : 0) | (isHeaders ? Flag.END_HEADERS : 0);
      writeFrameHeader(bytes, 0, payload.length, type, flags, 0);
      payload.copy(bytes, FRAME_HEADER_BYTES);
      return bytes;
    }),
  );
}

function setStreamId(frames: Buffer, streamId: number): void {
  for (let at = 0; at < frames.length; ) {
    writeUint32(frames, at + 5, streamId);
    const length = ((frames[at] ?? 0) << 16) | ((frames[at + 1] ?? 0) << 8) | (frames[at + 2] ?? 0);
    at += FRAME_HEADER_BYTES + length;
  }
}
