import type { HeaderList } from '../http/headers.ts';
import type { Http2Role } from './connection-handler.ts';
import { ErrorCode, Http2ConnectionError } from './error-code.ts';
import type { FloodGuard } from './flood-guard.ts';
import { Flag, FrameType, readUint31, readUint32 } from './frame.ts';
import { checkFrameHead, requireStream } from './frame-check.ts';
import type { FrameSink } from './frame-reader.ts';
import type { FrameWriter } from './frame-writer.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import type { Http2Options } from './options.ts';
import { applySettings, type PeerSettings } from './settings.ts';
import type { StreamReceiver } from './stream-receiver.ts';
import type { Streams } from './streams.ts';

/** Of all connections of the thread: whoever is handed the fields has read them before another block is decoded. */
const DECODED: HeaderList = [];

export interface FrameEvents {
  /** The peer's SETTINGS were applied and acknowledged. */
  onSettings(): void;
  onSettingsAck(): void;
  /** PING ACK; its data are eight bytes at `buffer[start]`. */
  onPong(buffer: Buffer, start: number): void;
  onGoaway(lastStreamId: number, code: number, debugText: string): void;
}

export interface FrameHandlerParts {
  readonly role: Http2Role;
  readonly options: Http2Options;
  readonly peer: PeerSettings;
  readonly streams: Streams;
  readonly receiver: StreamReceiver;
  readonly writer: FrameWriter;
  readonly flood: FloodGuard;
}

/** Gives each frame its meaning. Methods throw Http2ConnectionError when the connection cannot go on. */
export class FrameHandler implements FrameSink {
  readonly #role: Http2Role;
  readonly #options: Http2Options;
  readonly #peer: PeerSettings;
  readonly #streams: Streams;
  readonly #receiver: StreamReceiver;
  readonly #writer: FrameWriter;
  readonly #flood: FloodGuard;
  readonly #events: FrameEvents;
  readonly #decoder: HpackDecoder;
  readonly #block: HeaderBlock;
  #dataIsEmpty = true;
  settingsReceived = false;

  constructor(parts: FrameHandlerParts, events: FrameEvents) {
    this.#role = parts.role;
    this.#options = parts.options;
    this.#peer = parts.peer;
    this.#streams = parts.streams;
    this.#receiver = parts.receiver;
    this.#writer = parts.writer;
    this.#flood = parts.flood;
    this.#events = events;
    this.#decoder = new HpackDecoder(parts.options.maxHeaderListBytes);
    this.#block = new HeaderBlock(parts.options);
  }

  onDataStart(streamId: number, flags: number, length: number): void {
    this.#checkOrder(FrameType.DATA, flags, streamId);
    requireStream('DATA', streamId);
    this.#dataIsEmpty = true;
    this.#receiver.onDataStart(streamId, flags, length);
  }

  onDataChunk(slice: Buffer): void {
    this.#dataIsEmpty = false;
    this.#receiver.onDataChunk(slice);
  }

  onDataEnd(): void {
    this.#receiver.onDataEnd(this.#dataIsEmpty);
  }

  onFrameHead(type: number, flags: number, streamId: number, length: number): number {
    this.#checkOrder(type, flags, streamId);
    if (type === FrameType.HEADERS) {
      requireStream('HEADERS', streamId);
      this.#block.checkSize(length);
      return length;
    }
    if (type === FrameType.CONTINUATION) {
      this.#block.admit(length);
      return length;
    }
    this.#countControl(type, flags);
    return checkFrameHead(type, flags, streamId, length);
  }

  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.HEADERS:
        return this.#onHeaders(flags, streamId, buffer, start, end);
      case FrameType.CONTINUATION:
        return this.#onContinuation(flags, buffer, start, end);
      case FrameType.SETTINGS:
        return this.#onSettings(flags, buffer, start, end);
      case FrameType.PING:
        return this.#onPing(flags, buffer, start);
      case FrameType.GOAWAY:
        return this.#onGoaway(buffer, start, end);
      case FrameType.WINDOW_UPDATE:
        return this.#onWindowUpdate(streamId, readUint31(buffer, start));
      case FrameType.RST_STREAM:
        return this.#receiver.onReset(streamId, readUint32(buffer, start));
      case FrameType.PRIORITY:
        return this.#onPriority(streamId, buffer, start, end);
      default:
    }
  }

  /** SETTINGS come first (RFC 9113 §3.4), and nothing comes between the frames of a header block (§4.3). */
  #checkOrder(type: number, flags: number, streamId: number): void {
    if (!this.settingsReceived && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      throw new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, 'the first frame is not SETTINGS');
    }
    const isContinuation = type === FrameType.CONTINUATION;
    if (isContinuation ? streamId === this.#block.streamId && streamId !== 0 : this.#block.streamId === 0)
      return;
    const text = isContinuation
      ? 'CONTINUATION without HEADERS'
      : `frame of type ${type} within a header block`;
    throw new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, text);
  }

  #countControl(type: number, flags: number): void {
    if (type === FrameType.PRIORITY) this.#flood.count('priorities');
    else if (type === FrameType.SETTINGS) this.#flood.count('settings');
    else if (type === FrameType.PING && (flags & Flag.ACK) === 0) this.#flood.count('pings');
    else if (type > FrameType.CONTINUATION) this.#flood.count('unknownFrames');
  }

  #onHeaders(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    const padBytes = (flags & Flag.PADDED) === 0 ? 0 : 1 + (buffer[start] ?? 0);
    let from = padBytes === 0 ? start : start + 1;
    const to = padBytes === 0 ? end : end - (padBytes - 1);
    let dependsOnItself = false;
    if ((flags & Flag.PRIORITY) !== 0) {
      dependsOnItself = readUint31(buffer, from) === streamId;
      from += 5;
    }
    if (from > to)
      throw new Http2ConnectionError(
        ErrorCode.PROTOCOL_ERROR,
        'HEADERS too short for its padding or priority',
      );
    this.#block.begin(streamId, (flags & Flag.END_STREAM) !== 0, dependsOnItself);
    if ((flags & Flag.END_HEADERS) !== 0) this.#finishBlock(buffer, from, to);
    else this.#block.append(buffer, from, to);
  }

  #onContinuation(flags: number, buffer: Buffer, start: number, end: number): void {
    this.#block.append(buffer, start, end);
    if ((flags & Flag.END_HEADERS) !== 0) this.#finishBlock(this.#block.buffer, 0, this.#block.bytes);
  }

  /** Every block is decoded, also for a stream that is refused: the table is shared by all (RFC 9113 §4.3). */
  #finishBlock(buffer: Buffer, start: number, end: number): void {
    const { streamId, endStream, dependsOnItself } = this.#block;
    const listBytes = this.#decoder.decode(buffer, start, end, DECODED);
    this.#block.close();
    this.#receiver.onFields(streamId, DECODED, listBytes, endStream);
    if (dependsOnItself) this.#selfDependency(streamId);
  }

  #onSettings(flags: number, buffer: Buffer, start: number, end: number): void {
    if ((flags & Flag.ACK) !== 0) {
      this.#decoder.setTableLimit(this.#options.headerTableBytes);
      this.#events.onSettingsAck();
      return;
    }
    this.settingsReceived = true;
    applySettings(this.#peer, buffer, start, end, this.#role === 'client');
    this.#writer.maxFrameBytes = this.#peer.maxFrameBytes;
    this.#writer.encoder.setPeerTableLimit(this.#peer.headerTableBytes);
    this.#writer.settingsAck();
    this.#streams.onPeerWindow(this.#peer.windowBytes);
    this.#events.onSettings();
  }

  #onPing(flags: number, buffer: Buffer, start: number): void {
    if ((flags & Flag.ACK) === 0) this.#writer.ping(buffer, start, true);
    else this.#events.onPong(buffer, start);
  }

  #onGoaway(buffer: Buffer, start: number, end: number): void {
    const debugText = buffer.toString('latin1', start + 8, end).replaceAll(/[^\x20-\x7e]/g, '?');
    this.#events.onGoaway(readUint31(buffer, start), readUint32(buffer, start + 4), debugText);
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    if (streamId !== 0) return this.#receiver.onWindowUpdate(streamId, increment);
    this.#flood.count('windowUpdates');
    if (increment === 0) {
      throw new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0 on the connection');
    }
    if (this.#streams.outbound.addConnectionCredit(increment)) return;
    throw new Http2ConnectionError(
      ErrorCode.FLOW_CONTROL_ERROR,
      'WINDOW_UPDATE beyond 2^31-1 on the connection',
    );
  }

  /** Priorities have no effect here (RFC 9113 §5.3.2), but what is not even well formed is refused. */
  #onPriority(streamId: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 5)
      this.#streams.failStream(streamId, ErrorCode.FRAME_SIZE_ERROR, 'PRIORITY is not 5 bytes');
    else if (readUint31(buffer, start) === streamId) this.#selfDependency(streamId);
  }

  #selfDependency(streamId: number): void {
    this.#streams.failStream(streamId, ErrorCode.PROTOCOL_ERROR, 'a stream that depends on itself');
  }
}
