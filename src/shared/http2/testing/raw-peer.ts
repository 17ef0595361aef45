import type { ByteChannel, ChannelError } from '../../engine/channel.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import {
  type MemoryChannelOptions,
  type MemoryChannelPair,
  memoryChannelPair,
} from '../../testing/memory-channel.ts';
import { Http2Connection, type Http2ConnectionHandler, type Http2Role } from '../connection.ts';
import {
  CLIENT_PREFACE,
  FRAME_HEADER_BYTES,
  Flag,
  FrameType,
  writeFrameHeader,
  writeUint32,
} from '../frame.ts';
import { HpackDecoder } from '../hpack-decoder.ts';
import { HpackEncoder } from '../hpack-encoder.ts';
import type { Http2Options } from '../options.ts';
import type { Http2Stream, Http2StreamHandler } from '../stream.ts';

/** For tests: the other end of a connection, frame by frame, free to break every rule. */

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function rawFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(frame, 0, payload.length, type, flags, streamId);
  payload.copy(frame, FRAME_HEADER_BYTES);
  return frame;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  writeUint32(bytes, 0, value);
  return bytes;
}

/** Payload of SETTINGS. */
export function settingsPayload(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  return Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), uint32(value)])));
}

export class RawPeer {
  readonly #channel: ByteChannel;
  readonly #encoder = new HpackEncoder(4096);
  readonly #decoder = new HpackDecoder(1 << 20);
  #received: Buffer = Buffer.alloc(0);
  #skip: number;
  ended = false;
  closed = false;

  constructor(channel: ByteChannel, peerIsClient: boolean) {
    this.#channel = channel;
    this.#skip = peerIsClient ? CLIENT_PREFACE.length : 0;
    channel.setHandler({
      onData: slice => {
        this.#received = Buffer.concat([this.#received, slice]);
      },
      onEnd: () => {
        this.ended = true;
      },
      onDrain: () => {},
      onClose: () => {
        this.closed = true;
      },
    });
  }

  write(...frames: readonly Buffer[]): void {
    this.#channel.write(Buffer.concat(frames));
  }

  send(type: number, flags: number, streamId: number, payload?: Buffer): void {
    this.write(rawFrame(type, flags, streamId, payload));
  }

  block(fields: readonly string[]): Buffer {
    return Buffer.from(this.#encoder.encode(fields));
  }

  headers(streamId: number, fields: readonly string[], endStream: boolean): void {
    const flags = Flag.END_HEADERS | (endStream ? Flag.END_STREAM : 0);
    this.send(FrameType.HEADERS, flags, streamId, this.block(fields));
  }

  data(streamId: number, payload: Buffer | string, endStream = false): void {
    this.send(FrameType.DATA, endStream ? Flag.END_STREAM : 0, streamId, Buffer.from(payload));
  }

  windowUpdate(streamId: number, increment: number): void {
    this.send(FrameType.WINDOW_UPDATE, 0, streamId, uint32(increment));
  }

  /** Whole frames received since the last call. */
  take(): RawFrame[] {
    const frames: RawFrame[] = [];
    const all = this.#received;
    let at = this.#skip;
    while (all.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + all.readUIntBE(at, 3);
      if (end > all.length) break;
      const payload = all.subarray(at + FRAME_HEADER_BYTES, end);
      frames.push({
        type: all.readUInt8(at + 3),
        flags: all.readUInt8(at + 4),
        streamId: all.readUInt32BE(at + 5),
        payload,
      });
      at = end;
    }
    if (at > this.#skip || this.#skip <= all.length) {
      this.#received = all.subarray(at);
      this.#skip = 0;
    }
    return frames;
  }

  decode(frame: RawFrame): string[] {
    const fields: string[] = [];
    this.#decoder.decode(frame.payload, 0, frame.payload.length, fields);
    return fields;
  }
}

export interface Recorded {
  readonly stream: Http2Stream;
  readonly fields: readonly string[];
  readonly endStream: boolean;
  readonly events: string[];
}

/** A stream handler that writes down what it hears. */
export function recordingHandler(
  events: string[],
  stream?: () => Http2Stream | undefined,
): Http2StreamHandler {
  return {
    onHeaders: (fields, endStream) => events.push(`headers ${fields.join(' ')}${endStream ? ' end' : ''}`),
    onData: slice => {
      events.push(`data ${slice.length > 40 ? slice.length : slice.toString('latin1')}`);
      stream?.()?.consume(slice.length);
    },
    onEnd: trailers => events.push(['end', ...trailers].join(' ')),
    onReset: reset =>
      events.push(`reset ${reset.code} ${reset.origin}${reset.unprocessed ? ' unprocessed' : ''}`),
    onDrain: () => events.push('drain'),
  };
}

export interface Bench {
  readonly connection: Http2Connection;
  readonly peer: RawPeer;
  readonly clock: FakeClock;
  readonly pair: MemoryChannelPair;
  /** Server role: requests as they came. */
  readonly requests: Recorded[];
  readonly goaways: string[];
  /** What `onClose` said; empty while the connection lives. */
  readonly closes: (ChannelError | undefined)[];
}

export interface BenchOptions {
  readonly http2?: Partial<Http2Options>;
  readonly channel?: MemoryChannelOptions;
  /** The peer sends its preface and SETTINGS and acknowledges ours; default true. */
  readonly handshake?: boolean;
  readonly peerSettings?: Buffer;
  readonly onStream?: (stream: Http2Stream, fields: readonly string[]) => Http2StreamHandler;
}

/** A connection of ours against a raw peer, on a memory channel and a fake clock. */
export function bench(role: Http2Role, options: BenchOptions = {}): Bench {
  const clock = new FakeClock();
  const pair = memoryChannelPair(options.channel);
  const requests: Recorded[] = [];
  const goaways: string[] = [];
  const closes: (ChannelError | undefined)[] = [];
  const handler: Http2ConnectionHandler = {
    onStream(stream, fields, endStream) {
      const events: string[] = [];
      requests.push({ stream, fields: [...fields], endStream, events });
      return options.onStream?.(stream, fields) ?? recordingHandler(events);
    },
    onGoaway: (code, debugText) => goaways.push(`${code} ${debugText}`),
    onCapacity: () => {},
    onClose: error => closes.push(error),
  };
  const peer = new RawPeer(pair.right, role === 'client');
  const connection = new Http2Connection(role, pair.left, clock, options.http2 ?? {}, handler);
  if (role === 'server' && options.handshake !== false) peer.write(CLIENT_PREFACE);
  if (options.handshake !== false) {
    peer.send(FrameType.SETTINGS, 0, 0, options.peerSettings);
    peer.send(FrameType.SETTINGS, Flag.ACK, 0);
    pair.flush();
    peer.take();
  }
  return { connection, peer, clock, pair, requests, goaways, closes };
}

export const GET: readonly string[] = [
  ':method',
  'GET',
  ':scheme',
  'http',
  ':path',
  '/',
  ':authority',
  'a.example',
];
export const POST: readonly string[] = [':method', 'POST', ...GET.slice(2)];

/** Code and debug text of the first GOAWAY among `frames`. */
export function goawayOf(
  frames: readonly RawFrame[],
): { code: number; debug: string; last: number } | undefined {
  const frame = frames.find(f => f.type === FrameType.GOAWAY);
  if (frame === undefined) return undefined;
  const { payload } = frame;
  return {
    last: payload.readUInt32BE(0),
    code: payload.readUInt32BE(4),
    debug: payload.toString('latin1', 8),
  };
}

export function rstOf(frames: readonly RawFrame[], streamId: number): number | undefined {
  return frames
    .find(f => f.type === FrameType.RST_STREAM && f.streamId === streamId)
    ?.payload.readUInt32BE(0);
}
