import { ErrorCode, Http2ConnectionError } from './error-code.ts';
import { EMPTY, CLIENT_PREFACE, FRAME_HEADER_BYTES, Flag, FrameType, readUint31 } from './frame.ts';

/** Receives frames. Any method may throw Http2ConnectionError, which ends the reading. */
export interface FrameSink {
  /**
   * Each frame but DATA, before its payload: the place for checks of length and stream id.
   * @returns how much of the payload to collect for `onFrame`; what is beyond is skipped.
   */
  onFrameHead(type: number, flags: number, streamId: number, length: number): number;
  /** The collected payload is `buffer[start, end)`, valid during the call. */
  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void;
  /** A DATA frame begins; `length` is what counts for flow control: payload, padding and its length byte. */
  onDataStart(streamId: number, flags: number, length: number): void;
  /** Payload as it arrives: a slice of the read buffer, valid during the call. */
  onDataChunk(slice: Buffer): void;
  onDataEnd(): void;
}

const State = { PREFACE: 0, HEAD: 1, COLLECT: 2, SKIP: 3, PAD_LENGTH: 4, DATA: 5, STOPPED: 6 } as const;
/** A collecting buffer larger than this is not kept for the next frame. */
const KEEP_BYTES = 16_384;

/** Cuts a byte stream into frames. DATA is passed through as it arrives; other payloads are small and made whole. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  readonly #head = Buffer.alloc(FRAME_HEADER_BYTES);
  #state: number;
  /** Bytes of the preface, the head or the collected payload held from earlier slices. */
  #held = 0;
  #collected = EMPTY;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Bytes still to come: to collect, or of DATA payload. */
  #remaining = 0;
  /** Bytes to pass over behind those: padding, or the end of an overlong payload. */
  #skip = 0;

  constructor(sink: FrameSink, maxFrameBytes: number, expectPreface: boolean) {
    this.#sink = sink;
    this.#maxFrameBytes = maxFrameBytes;
    this.#state = expectPreface ? State.PREFACE : State.HEAD;
  }

  /** Whatever is left of the current slice, and all that follows, is ignored. */
  stop(): void {
    this.#state = State.STOPPED;
  }

  read(slice: Buffer): void {
    let at = 0;
    while (at < slice.length) {
      switch (this.#state) {
        case State.HEAD:
          at = this.#readHead(slice, at);
          break;
        case State.DATA:
          at = this.#readData(slice, at);
          break;
        case State.COLLECT:
          at = this.#collect(slice, at);
          break;
        case State.SKIP:
          at = this.#skipSome(slice, at);
          break;
        case State.PAD_LENGTH:
          this.#readPadLength(slice[at++] ?? 0);
          break;
        case State.PREFACE:
          at = this.#readPreface(slice, at);
          break;
        default:
          return;
      }
    }
  }

  #readPreface(slice: Buffer, from: number): number {
    let at = from;
    while (at < slice.length && this.#held < CLIENT_PREFACE.length) {
      if (slice[at++] !== CLIENT_PREFACE[this.#held++]) {
        throw protocolError('the client does not begin with the HTTP/2 preface (is it speaking HTTP/1?)');
      }
    }
    if (this.#held === CLIENT_PREFACE.length) this.#nextFrame();
    return at;
  }

  #readHead(slice: Buffer, at: number): number {
    const missing = FRAME_HEADER_BYTES - this.#held;
    if (slice.length - at < missing) {
      this.#held += slice.copy(this.#head, this.#held, at);
      return slice.length;
    }
    if (this.#held === 0) this.#startFrame(slice, at);
    else {
      slice.copy(this.#head, this.#held, at, at + missing);
      this.#startFrame(this.#head, 0);
    }
    return at + missing;
  }

  #startFrame(head: Buffer, at: number): void {
    const length = ((head[at] ?? 0) << 16) | ((head[at + 1] ?? 0) << 8) | (head[at + 2] ?? 0);
    this.#type = head[at + 3] ?? 0;
    this.#flags = head[at + 4] ?? 0;
    this.#streamId = readUint31(head, at + 5);
    this.#held = 0;
    if (length > this.#maxFrameBytes) {
      const text = `a frame of ${length} bytes when at most ${this.#maxFrameBytes} are accepted`;
      throw new Http2ConnectionError(ErrorCode.FRAME_SIZE_ERROR, text);
    }
    if (this.#type === FrameType.DATA) this.#startData(length);
    else this.#startOther(length);
  }

  #startOther(length: number): void {
    this.#remaining = Math.min(
      length,
      this.#sink.onFrameHead(this.#type, this.#flags, this.#streamId, length),
    );
    this.#skip = length - this.#remaining;
    if (this.#state === State.STOPPED) return;
    this.#state = State.COLLECT;
    if (this.#remaining === 0) this.#finishCollected(this.#head, 0, 0);
  }

  #startData(length: number): void {
    this.#sink.onDataStart(this.#streamId, this.#flags, length);
    if (this.#state === State.STOPPED) return;
    this.#skip = 0;
    this.#remaining = length;
    if ((this.#flags & Flag.PADDED) === 0) {
      this.#state = State.DATA;
      if (length === 0) this.#endData();
      return;
    }
    if (length === 0)
      throw new Http2ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'a padded DATA frame without pad length');
    this.#state = State.PAD_LENGTH;
  }

  #readPadLength(padBytes: number): void {
    const payload = this.#remaining - 1 - padBytes;
    if (payload < 0) throw protocolError('the padding of a DATA frame is as long as the frame or longer');
    this.#remaining = payload;
    this.#skip = padBytes;
    this.#state = State.DATA;
    if (payload === 0) this.#endData();
  }

  #readData(slice: Buffer, at: number): number {
    const end = Math.min(slice.length, at + this.#remaining);
    this.#remaining -= end - at;
    const isWhole = at === 0 && end === slice.length;
    this.#sink.onDataChunk(isWhole ? slice : slice.subarray(at, end));
    if (this.#remaining === 0 && this.#state !== State.STOPPED) this.#endData();
    return end;
  }

  /** The padding carries no meaning: the frame has ended as soon as its payload has. */
  #endData(): void {
    this.#nextFrame();
    this.#sink.onDataEnd();
  }

  #collect(slice: Buffer, at: number): number {
    const missing = this.#remaining - this.#held;
    if (this.#held === 0 && slice.length - at >= missing) {
      this.#finishCollected(slice, at, at + missing);
      return at + missing;
    }
    if (this.#collected.length < this.#remaining) this.#collected = Buffer.allocUnsafe(this.#remaining);
    const end = Math.min(slice.length, at + missing);
    this.#held += slice.copy(this.#collected, this.#held, at, end);
    if (this.#held === this.#remaining) this.#finishCollected(this.#collected, 0, this.#remaining);
    return end;
  }

  #finishCollected(buffer: Buffer, start: number, end: number): void {
    this.#nextFrame();
    this.#sink.onFrame(this.#type, this.#flags, this.#streamId, buffer, start, end);
    if (this.#collected.length > KEEP_BYTES) this.#collected = EMPTY;
  }

  #skipSome(slice: Buffer, at: number): number {
    const end = Math.min(slice.length, at + this.#skip);
    this.#skip -= end - at;
    if (this.#skip === 0) this.#state = State.HEAD;
    return end;
  }

  #nextFrame(): void {
    this.#held = 0;
    this.#state = this.#skip > 0 ? State.SKIP : State.HEAD;
  }
}

function protocolError(message: string): Http2ConnectionError {
  return new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, message);
}
