import { getHeader } from '../http/headers.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { ErrorCode, Http2ConnectionError } from './error-code.ts';
import type { FloodGuard } from './flood-guard.ts';
import { DEFAULT_WINDOW_BYTES, MAX_STREAM_ID } from './frame.ts';
import type { FrameWriter } from './frame-writer.ts';
import { Inbound } from './inbound.ts';
import type { Http2Options } from './options.ts';
import { Outbound } from './outbound.ts';
import { RecentResets } from './recent-resets.ts';
import type { Http2Stream, Http2StreamHandler, StreamReset } from './stream.ts';
import { type StreamOwner, StreamState } from './stream-state.ts';
import { StreamTable } from './stream-table.ts';

/** Bytes of ours for each of which a peer may send a WINDOW_UPDATE frame beyond its fixed rate. */
const BYTES_PER_UPDATE = 256;

/** The streams of one connection: which are open, what they send, and how they end (RFC 9113 §5.1). */
export class Streams implements StreamOwner {
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly #isServer: boolean;
  readonly #clock: Clock;
  readonly #options: Http2Options;
  readonly #writer: FrameWriter;
  readonly #flood: FloodGuard;
  readonly #onStreamEnd: () => void;
  readonly #open = new StreamTable();
  readonly #recentResets = new RecentResets();
  #nextLocalId: number;
  #lastPeerId = 0;
  #peerWindowBytes = DEFAULT_WINDOW_BYTES;
  /** Peer's streams above this id are refused: our GOAWAY said so. */
  #acceptUpTo = MAX_STREAM_ID;
  #openedTotal = 0;
  /** Of the last stream that ended with none beside it. */
  #idleSinceMs: number;

  /** `onStreamEnd`: a stream has left the table. */
  constructor(
    isServer: boolean,
    clock: Clock,
    options: Http2Options,
    writer: FrameWriter,
    flood: FloodGuard,
    onStreamEnd: () => void,
  ) {
    this.#isServer = isServer;
    this.#clock = clock;
    this.#options = options;
    this.#writer = writer;
    this.#flood = flood;
    this.#onStreamEnd = onStreamEnd;
    this.#nextLocalId = isServer ? 2 : 1;
    this.#idleSinceMs = clock.monotonic();
    this.inbound = new Inbound(writer, options);
    this.outbound = new Outbound(writer, clock, options, {
      onEndSent: stream => this.#afterEndSent(stream),
      onPayloadSent: bytes => flood.earn('windowUpdates', bytes, BYTES_PER_UPDATE),
      onOverflow: stream => this.#end(stream, ErrorCode.INTERNAL_ERROR, 'the producer ignores backpressure'),
    });
  }

  get count(): number {
    return this.#open.size;
  }

  get openedTotal(): number {
    return this.#openedTotal;
  }

  get idleSinceMs(): number {
    return this.#idleSinceMs;
  }

  get lastPeerId(): number {
    return this.#lastPeerId;
  }

  get idsLeft(): boolean {
    return this.#nextLocalId <= MAX_STREAM_ID;
  }

  open(fields: readonly string[], endStream: boolean, handler: Http2StreamHandler): Http2Stream {
    const stream = this.create(this.#nextLocalId, handler, false);
    this.#nextLocalId += 2;
    const method = getHeader(fields, ':method');
    stream.isHead = method === 'HEAD';
    stream.isConnect = method === 'CONNECT';
    this.sendHeaders(stream, fields, endStream);
    return stream;
  }

  get(streamId: number): StreamState | undefined {
    return this.#open.get(streamId);
  }

  refuseAbove(streamId: number): void {
    this.#acceptUpTo = streamId;
  }

  // === what the application sends ===

  sendHeaders(stream: StreamState, fields: readonly string[], endStream: boolean): void {
    if (stream.isOver || stream.localEnded) return;
    const isInformational = this.#isServer && fields[0] === ':status' && fields[1]?.startsWith('1') === true;
    if (!isInformational) stream.headSent = true;
    if (endStream) stream.localEnded = true;
    this.#writer.headers(stream.id, fields, endStream);
    if (!endStream) return;
    stream.endSent = true;
    this.#afterEndSent(stream);
  }

  sendData(stream: StreamState, slice: Uint8Array, endStream: boolean, isOwned: boolean): boolean {
    if (stream.isOver || stream.localEnded) return true;
    return this.outbound.send(stream, slice, endStream, isOwned);
  }

  sendTrailers(stream: StreamState, fields: readonly string[]): void {
    if (stream.isOver || stream.localEnded) return;
    this.outbound.sendTrailers(stream, fields);
  }

  resetStream(stream: StreamState, code: number): void {
    if (stream.isOver) return;
    this.sendReset(stream.id, code);
    this.finish(stream);
  }

  consume(stream: StreamState, bytes: number): void {
    if (!stream.isOver) this.inbound.consumed(stream, bytes);
  }

  // === what the peer does to all of them ===

  /** The peer's new SETTINGS_INITIAL_WINDOW_SIZE moves the windows of all streams (RFC 9113 §6.9.2). */
  onPeerWindow(windowBytes: number): void {
    const change = windowBytes - this.#peerWindowBytes;
    this.#peerWindowBytes = windowBytes;
    if (change === 0) return;
    for (const stream of this.#open.streams()) {
      if (this.outbound.addStreamCredit(stream, change)) continue;
      throw new Http2ConnectionError(
        ErrorCode.FLOW_CONTROL_ERROR,
        'SETTINGS_INITIAL_WINDOW_SIZE overflows a window',
      );
    }
    this.outbound.pump();
  }

  /** Breaking a rule that concerns one stream only. */
  failStream(streamId: number, code: number, reason: string): void {
    const stream = this.#open.get(streamId);
    if (stream !== undefined) return this.fail(stream, code, reason);
    this.#flood.count('streamErrors');
    this.sendReset(streamId, code);
  }

  /** Client: the peer's GOAWAY says which of our streams it will never process. */
  refuseLocalAbove(streamId: number): void {
    const message = 'the peer sent GOAWAY before it took the stream';
    const reset: StreamReset = {
      code: ErrorCode.REFUSED_STREAM,
      origin: 'connection',
      unprocessed: true,
      message,
    };
    this.#endEach(stream => stream.id > streamId && this.isLocal(stream.id), reset);
  }

  /** The connection is gone, in one direction or both. */
  endAll(reset: StreamReset): void {
    this.#endEach(() => true, reset);
  }

  /** The peer has half-closed the channel: what it has not finished it never will. */
  endUnfinished(reset: StreamReset): void {
    this.#endEach(stream => !stream.remoteEnded, reset);
  }

  /** Streams whose queue has not moved for `sendStallTimeoutMs`: the peer keeps its window shut. */
  resetStalled(nowMs: number): void {
    const { sendStallTimeoutMs } = this.#options;
    if (sendStallTimeoutMs === 0) return;
    for (const stream of this.#open.streams()) {
      const { waiting } = stream;
      if (waiting === undefined || waiting.bytes.bytes === 0) continue;
      if (nowMs - waiting.progressMs < sendStallTimeoutMs) continue;
      const text = `${waiting.bytes.bytes} bytes waited ${sendStallTimeoutMs} ms for the peer to open its window`;
      this.#end(stream, ErrorCode.ENHANCE_YOUR_CALM, text);
    }
  }

  // === states ===

  /** Takes note of a stream the peer begins. @returns false when it must be refused, unprocessed. */
  admitPeer(streamId: number): boolean {
    this.#lastPeerId = streamId;
    return streamId <= this.#acceptUpTo && this.#open.size < this.#options.maxConcurrentStreams;
  }

  /** Frames for it may still be under way, and are no fault of the peer. */
  wasReset(streamId: number): boolean {
    return this.#recentResets.has(streamId);
  }

  create(id: number, handler: Http2StreamHandler, headReceived: boolean): StreamState {
    const { streamWindowBytes } = this.#options;
    const stream = new StreamState(id, this, handler, this.#peerWindowBytes, streamWindowBytes, headReceived);
    this.#open.add(stream);
    this.#openedTotal++;
    return stream;
  }

  #afterEndSent(stream: StreamState): void {
    if (stream.remoteEnded) this.finish(stream);
  }

  /** The peer broke a rule. Throws when it does so all the time. */
  fail(stream: StreamState, code: number, reason: string): void {
    this.#end(stream, code, reason);
    this.#flood.count('streamErrors');
  }

  #end(stream: StreamState, code: number, reason: string): void {
    this.sendReset(stream.id, code);
    this.finish(stream);
    stream.handler.onReset({ code, origin: 'local', unprocessed: false, message: reason });
  }

  sendReset(streamId: number, code: number): void {
    this.#recentResets.add(streamId);
    this.#writer.rstStream(streamId, code);
  }

  finish(stream: StreamState): void {
    if (stream.isOver) return;
    stream.isOver = true;
    stream.localEnded = true;
    stream.remoteEnded = true;
    this.#open.delete(stream.id);
    this.outbound.discard(stream);
    this.inbound.forget(stream);
    if (this.#open.size === 0) this.#idleSinceMs = this.#clock.monotonic();
    this.#onStreamEnd();
  }

  /** All are told, also when a handler throws: it is thrown again behind the last. */
  #endEach(isMeant: (stream: StreamState) => boolean, reset: StreamReset): void {
    const errors: unknown[] = [];
    for (const stream of this.#open.streams().filter(isMeant)) {
      if (stream.isOver) continue;
      try {
        this.finish(stream);
        stream.handler.onReset(reset);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0)
      throw new AggregateError(errors, 'stream handlers failed while the connection ended');
  }

  isLocal(streamId: number): boolean {
    return (streamId & 1) === (this.#isServer ? 0 : 1);
  }

  isIdle(streamId: number): boolean {
    return this.isLocal(streamId) ? streamId >= this.#nextLocalId : streamId > this.#lastPeerId;
  }
}

/** What the peer sends for a stream that nobody has opened. */
export function idleError(name: string, streamId: number): Http2ConnectionError {
  return new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, `${name} on idle stream ${streamId}`);
}
