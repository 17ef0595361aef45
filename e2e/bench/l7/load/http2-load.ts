import { ChannelError, type ChannelHandler } from '#shared/engine/channel.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import { CLIENT_PREFACE, DEFAULT_WINDOW_BYTES, Flag, FrameType, readUint31 } from '#shared/http2/frame.ts';
import { FrameReader, type FrameSink } from '#shared/http2/frame-reader.ts';
import { HpackDecoder } from '#shared/http2/hpack-decoder.ts';
import { SettingId } from '#shared/http2/settings.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { ControlFrames, type ControlOptions } from '../http2/control-frames.ts';
import { describeStatus, isStatus200 } from '../http2/header-block.ts';
import type { ConnectionContext, LoadConnection } from './load-connection.ts';
import { type FramePlan, PreparedFrames } from '../http2/prepared-frames.ts';

/** As of h2load with `-w 24 -W 28`: no answer waits for credit. */
const CONTROL: ControlOptions = {
  role: 'client',
  settings: [
    [SettingId.ENABLE_PUSH, 0],
    [SettingId.INITIAL_WINDOW_SIZE, 2 ** 24 - 1],
  ],
  windowBytes: 2 ** 28 - 1,
};
const MAX_FRAME_BYTES = 16_384;
const MAX_LIST_BYTES = 16_384;

export interface Http2Plan {
  /** Of each request. */
  readonly fields: readonly string[];
  /** Its body, if it has one. It is answered as gRPC then. */
  readonly message: Buffer | undefined;
  /** Of each answer. */
  readonly bodyBytes: number;
  /** Requests under way. */
  readonly streams: number;
}

const Head = { NONE: 0, SEEN: 1 } as const;

/** HTTP/2 with so many requests under way: each answer makes room for one more. */
export class Http2Load implements LoadConnection, ChannelHandler, FrameSink {
  readonly #context: ConnectionContext;
  readonly #plan: Http2Plan;
  readonly #control: ControlFrames;
  readonly #reader: FrameReader;
  readonly #requests: PreparedFrames;
  /** Of gRPC, whose outcome is in the trailers. */
  readonly #decoder: HpackDecoder | undefined;
  // One place for each request under way. A stream id of 0: free.
  readonly #ids: Int32Array;
  readonly #askedAt: Float64Array;
  readonly #heads: Uint8Array;
  readonly #bodies: Uint32Array;
  #underWay = 0;
  #nextId = 1;
  /** Of the connection, for bodies of requests. */
  #window = DEFAULT_WINDOW_BYTES;
  /** Of the DATA frame that is read. */
  #dataPlace = -1;
  #dataFlags = 0;
  /** Requests that leave at the end of the turn, in one piece. */
  #out = Buffer.alloc(1024);
  #outBytes = 0;
  #isDone = false;

  constructor(context: ConnectionContext, plan: Http2Plan) {
    this.#context = context;
    this.#plan = plan;
    this.#control = new ControlFrames(context.channel, CONTROL);
    this.#reader = new FrameReader(this, MAX_FRAME_BYTES, false);
    this.#requests = new PreparedFrames([framesOf(plan)]);
    this.#decoder = plan.message === undefined ? undefined : new HpackDecoder(MAX_LIST_BYTES);
    this.#ids = new Int32Array(plan.streams);
    this.#askedAt = new Float64Array(plan.streams);
    this.#heads = new Uint8Array(plan.streams);
    this.#bodies = new Uint32Array(plan.streams);
  }

  begin(): void {
    const { channel, meter } = this.#context;
    channel.setHandler(this);
    channel.write(CLIENT_PREFACE);
    this.#control.begin();
    this.#askMore(meter.now());
    this.#send();
  }

  // === for the channel ===

  onData(slice: Buffer): void {
    try {
      this.#reader.read(slice);
    } catch (error) {
      this.#context.channel.abort(new ChannelError('protocol', errorMessage(error)));
    }
  }

  onEnd(): void {
    if (!this.#isDone) this.#context.channel.abort(new ChannelError('reset', 'ended before its answers'));
  }

  onDrain(): void {}

  onClose(error: ChannelError | undefined): void {
    this.#context.onClosed(this.#isDone ? undefined : (error?.message ?? 'closed before its answers'));
  }

  // === for the reader ===

  onFrameHead(_type: number, _flags: number, _streamId: number, length: number): number {
    return length;
  }

  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.HEADERS:
        return this.#onHeaders(flags, streamId, buffer, start, end);
      case FrameType.WINDOW_UPDATE:
        if (streamId !== 0) return;
        this.#window += readUint31(buffer, start);
        return this.#askMore(this.#context.meter.now());
      case FrameType.RST_STREAM:
        throw new Error(`a request was reset with code ${readUint31(buffer, start)}`);
      case FrameType.GOAWAY:
        if (this.#isDone) return;
        throw new Error(`GOAWAY with code ${readUint31(buffer, start + 4)}`);
      case FrameType.CONTINUATION:
        throw new Error('a head in several frames, which is not understood');
      default:
        this.#control.onFrame(type, flags, buffer, start, end);
    }
  }

  onDataStart(streamId: number, flags: number, length: number): void {
    this.#control.received(length);
    this.#dataPlace = this.#placeOf(streamId);
    this.#dataFlags = flags;
  }

  onDataChunk(slice: Buffer): void {
    const place = this.#dataPlace;
    this.#bodies[place] = (this.#bodies[place] ?? 0) + slice.length;
  }

  onDataEnd(): void {
    if ((this.#dataFlags & Flag.END_STREAM) === 0) return;
    if (this.#decoder !== undefined) throw new Error('an answer of gRPC without trailers');
    this.#answered(this.#dataPlace);
  }

  // === requests ===

  #onHeaders(flags: number, streamId: number, block: Buffer, start: number, end: number): void {
    if ((flags & (Flag.PADDED | Flag.PRIORITY)) !== 0 || (flags & Flag.END_HEADERS) === 0)
      throw new Error(`HEADERS with flags ${flags}, which are not understood`);
    const place = this.#placeOf(streamId);
    const isEnd = (flags & Flag.END_STREAM) !== 0;
    const fields = this.#decode(block, start, end);
    if (this.#heads[place] === Head.NONE) {
      if (!isStatus200(block, start, end)) throw new Error(`answered ${describeStatus(block, start, end)}`);
      this.#heads[place] = Head.SEEN;
    } else if (!isEnd) throw new Error('a second head within an answer');
    if (!isEnd) return;
    const status = fields?.[fields.indexOf('grpc-status') + 1];
    if (this.#decoder !== undefined && status !== '0') throw new Error(`grpc-status ${status}`);
    this.#answered(place);
  }

  #decode(block: Buffer, start: number, end: number): HeaderList | undefined {
    if (this.#decoder === undefined) return undefined;
    const fields: HeaderList = [];
    this.#decoder.decode(block, start, end, fields);
    return fields;
  }

  #placeOf(streamId: number): number {
    const place = this.#ids.indexOf(streamId);
    if (place < 0 || streamId === 0) throw new Error(`a frame of stream ${streamId}, which is not open`);
    return place;
  }

  #answered(place: number): void {
    const bytes = this.#bodies[place] ?? 0;
    if (bytes !== this.#plan.bodyBytes)
      throw new Error(`${bytes} bytes where ${this.#plan.bodyBytes} were asked for`);
    const { meter } = this.#context;
    const now = meter.answered(this.#askedAt[place] ?? 0);
    this.#ids[place] = 0;
    this.#underWay--;
    if (!meter.isOver) this.#askMore(now);
    else if (this.#underWay === 0) this.#finish();
  }

  #askMore(now: number): void {
    const bytes = this.#plan.message?.length ?? 0;
    while (this.#underWay < this.#ids.length && this.#window >= bytes && !this.#context.meter.isOver) {
      this.#window -= bytes;
      this.#ask(this.#ids.indexOf(0), now);
    }
  }

  #ask(place: number, now: number): void {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#underWay++;
    this.#ids[place] = id;
    this.#askedAt[place] = now;
    this.#heads[place] = Head.NONE;
    this.#bodies[place] = 0;
    this.#append(this.#requests.of(0, id));
  }

  #append(frames: Buffer): void {
    const needed = this.#outBytes + frames.length;
    if (needed > this.#out.length) this.#out = Buffer.concat([this.#out], needed * 2);
    if (this.#outBytes === 0) this.#context.defer(this.#send);
    this.#outBytes += frames.copy(this.#out, this.#outBytes);
  }

  readonly #send = (): void => {
    if (this.#outBytes === 0) return;
    this.#context.channel.write(this.#out.subarray(0, this.#outBytes));
    this.#outBytes = 0;
  };

  #finish(): void {
    this.#isDone = true;
    this.#control.goaway();
    this.#context.channel.end();
  }
}

function framesOf({ fields, message }: Http2Plan): readonly FramePlan[] {
  if (message === undefined) return [{ fields, endStream: true }];
  return [
    { fields, endStream: false },
    { data: message, endStream: true },
  ];
}
