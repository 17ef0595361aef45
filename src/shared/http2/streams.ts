import { getHeader, type HeaderList } from '../http/headers.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { ErrorCode, errorCodeName, Http2ConnectionError } from './error-code.ts';
import type { FloodGuard } from './flood-guard.ts';
import { DEFAULT_WINDOW_BYTES, Flag, MAX_STREAM_ID } from './frame.ts';
import type { FrameWriter } from './frame-writer.ts';
import { Inbound } from './inbound.ts';
import { checkRequest, checkResponse, checkTrailers } from './message-fields.ts';
import type { Http2Options } from './options.ts';
import { Outbound } from './outbound.ts';
import { RecentResets } from './recent-resets.ts';
import type { Http2Stream, Http2StreamHandler, StreamReset } from './stream.ts';
import { type StreamOwner, StreamState } from './stream-state.ts';

export interface StreamsEvents {
  onStream(stream: Http2Stream, fields: HeaderList, endStream: boolean): Http2StreamHandler;
  /** A stream has left the table. */
  onStreamEnd(): void;
}

/** WINDOW_UPDATE frames a peer may send for each byte of ours, beyond its fixed rate. */
const UPDATES_PER_BYTE = 1 / 256;

const NO_HANDLER: Http2StreamHandler = {
  onHeaders() {},
  onData() {},
  onEnd() {},
  onReset() {},
  onDrain() {},
};

/** The streams of one connection: their states (RFC 9113 §5.1), what they send and what they are sent. */
export class Streams implements StreamOwner {
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly #isServer: boolean;
  readonly #clock: Clock;
  readonly #options: Http2Options;
  readonly #writer: FrameWriter;
  readonly #flood: FloodGuard;
  readonly #events: StreamsEvents;
  readonly #open = new Map<number, StreamState>();
  readonly #recentResets = new RecentResets();
  #nextLocalId: number;
  #lastPeerId = 0;
  #peerWindowBytes = DEFAULT_WINDOW_BYTES;
  /** Peer's streams above this id are refused: our GOAWAY said so. */
  #acceptUpTo = MAX_STREAM_ID;
  #openedTotal = 0;
  #lastActivityMs: number;
  // The DATA frame being read.
  #dataStream: StreamState | undefined;
  #dataFlags = 0;
  #dataOverhead = 0;

  constructor(
    isServer: boolean,
    clock: Clock,
    options: Http2Options,
    writer: FrameWriter,
    flood: FloodGuard,
    events: StreamsEvents,
  ) {
    this.#isServer = isServer;
    this.#clock = clock;
    this.#options = options;
    this.#writer = writer;
    this.#flood = flood;
    this.#events = events;
    this.#nextLocalId = isServer ? 2 : 1;
    this.#lastActivityMs = clock.monotonic();
    this.inbound = new Inbound(writer, options);
    this.outbound = new Outbound(writer, clock, options, {
      onEndSent: stream => this.#afterEndSent(stream),
      onPayloadSent: bytes => flood.earn('windowUpdates', bytes * UPDATES_PER_BYTE),
      onOverflow: stream => this.#end(stream, ErrorCode.INTERNAL_ERROR, 'the producer ignores backpressure'),
    });
  }

  get count(): number {
    return this.#open.size;
  }

  get openedTotal(): number {
    return this.#openedTotal;
  }

  get lastActivityMs(): number {
    return this.#lastActivityMs;
  }

  get lastPeerId(): number {
    return this.#lastPeerId;
  }

  get idsLeft(): boolean {
    return this.#nextLocalId <= MAX_STREAM_ID;
  }

  open(fields: readonly string[], endStream: boolean, handler: Http2StreamHandler): Http2Stream {
    const stream = this.#create(this.#nextLocalId, handler, false);
    this.#nextLocalId += 2;
    const method = getHeader(fields, ':method');
    stream.isHead = method === 'HEAD';
    stream.isConnect = method === 'CONNECT';
    this.sendHeaders(stream, fields, endStream);
    return stream;
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
    this.#sendReset(stream.id, code);
    this.#finish(stream);
  }

  consume(stream: StreamState, bytes: number): void {
    if (!stream.isOver) this.inbound.consumed(stream, bytes);
  }

  // === what the peer sends ===

  /** A decoded header block. `listBytes` above the limit: fields were left out. */
  onFields(streamId: number, fields: HeaderList, listBytes: number, endStream: boolean): void {
    const isTooLarge = listBytes > this.#options.maxHeaderListBytes;
    const stream = this.#open.get(streamId);
    if (stream === undefined) this.#onNewStream(streamId, fields, isTooLarge, endStream);
    else if (stream.remoteEnded) this.#fail(stream, ErrorCode.STREAM_CLOSED, 'HEADERS after END_STREAM');
    else if (isTooLarge) {
      const text = `a header list of ${listBytes} bytes when at most ${this.#options.maxHeaderListBytes} are accepted`;
      this.#fail(stream, ErrorCode.ENHANCE_YOUR_CALM, text);
    } else if (stream.headReceived) this.#onTrailers(stream, fields, endStream);
    else this.#onResponse(stream, fields, endStream);
  }

  onDataStart(streamId: number, flags: number, length: number): void {
    this.#dataFlags = flags;
    this.#dataOverhead = length;
    this.#dataStream = undefined;
    if (!this.inbound.receive(length)) {
      throw new Http2ConnectionError(
        ErrorCode.FLOW_CONTROL_ERROR,
        'DATA beyond the window of the connection',
      );
    }
    const stream = this.#open.get(streamId);
    if (stream === undefined) this.#onUnexpected('DATA', streamId);
    else if (stream.remoteEnded) this.#fail(stream, ErrorCode.STREAM_CLOSED, 'DATA after END_STREAM');
    else if (!stream.headReceived)
      this.#fail(stream, ErrorCode.PROTOCOL_ERROR, 'DATA before the response head');
    else if (length > stream.receiveWindow) {
      this.#fail(stream, ErrorCode.FLOW_CONTROL_ERROR, 'DATA beyond the window of the stream');
    } else {
      stream.receiveWindow -= length;
      this.#dataStream = stream;
    }
  }

  onDataChunk(slice: Buffer): void {
    const stream = this.#dataStream;
    if (stream === undefined || stream.isOver) return;
    this.#dataOverhead -= slice.length;
    stream.receivedBytes += slice.length;
    if (stream.expectedBytes >= 0 && stream.receivedBytes > stream.expectedBytes) {
      return this.#fail(stream, ErrorCode.PROTOCOL_ERROR, 'more DATA than content-length declares');
    }
    this.inbound.delivered(stream, slice.length);
    stream.handler.onData(slice);
  }

  /** `payloadBytes` 0 and no END_STREAM: a frame that says nothing. */
  onDataEnd(isEmpty: boolean): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    const endStream = (this.#dataFlags & Flag.END_STREAM) !== 0;
    if (isEmpty && !endStream) this.#flood.count('emptyData');
    if (stream !== undefined && !stream.isOver) {
      if (this.#dataOverhead > 0) this.inbound.returnStreamCredit(stream, this.#dataOverhead);
      if (endStream) this.#endRemote(stream, []);
    }
    this.inbound.returnConnectionCredit();
  }

  onReset(streamId: number, code: number): void {
    this.#flood.count('resets');
    const stream = this.#open.get(streamId);
    if (stream === undefined) {
      if (this.#isIdle(streamId)) throw idleError('RST_STREAM', streamId);
      return;
    }
    // Work asked for and called off before it was answered costs the client nothing and us everything.
    if (this.#isServer && !stream.headSent) this.#flood.count('prematureResets');
    this.#finish(stream);
    const message = `the peer reset the stream with ${errorCodeName(code)}`;
    stream.handler.onReset({ code, origin: 'peer', unprocessed: code === ErrorCode.REFUSED_STREAM, message });
  }

  onWindowUpdate(streamId: number, increment: number): void {
    this.#flood.count('windowUpdates');
    const stream = this.#open.get(streamId);
    if (stream === undefined) {
      if (this.#isIdle(streamId)) throw idleError('WINDOW_UPDATE', streamId);
    } else if (increment === 0) this.#fail(stream, ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
    else if (!this.outbound.addStreamCredit(stream, increment)) {
      this.#fail(stream, ErrorCode.FLOW_CONTROL_ERROR, 'WINDOW_UPDATE beyond 2^31-1');
    } else this.outbound.pump();
  }

  /** The peer's new SETTINGS_INITIAL_WINDOW_SIZE moves the windows of all streams (RFC 9113 §6.9.2). */
  onPeerWindow(windowBytes: number): void {
    const change = windowBytes - this.#peerWindowBytes;
    this.#peerWindowBytes = windowBytes;
    if (change === 0) return;
    for (const stream of this.#open.values()) {
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
    if (stream !== undefined) return this.#fail(stream, code, reason);
    this.#flood.count('streamErrors');
    this.#sendReset(streamId, code);
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
    this.#endEach(stream => stream.id > streamId && this.#isLocal(stream.id), reset);
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
    for (const stream of this.#open.values()) {
      if (stream.pendingBytes === 0 || nowMs - stream.progressMs < sendStallTimeoutMs) continue;
      const text = `${stream.pendingBytes} bytes waited ${sendStallTimeoutMs} ms for the peer to open its window`;
      this.#end(stream, ErrorCode.ENHANCE_YOUR_CALM, text);
    }
  }

  // === states ===

  #create(id: number, handler: Http2StreamHandler, headReceived: boolean): StreamState {
    const { streamWindowBytes } = this.#options;
    const stream = new StreamState(id, this, handler, this.#peerWindowBytes, streamWindowBytes, headReceived);
    this.#open.set(id, stream);
    this.#openedTotal++;
    this.#lastActivityMs = this.#clock.monotonic();
    return stream;
  }

  #onNewStream(streamId: number, fields: HeaderList, isTooLarge: boolean, endStream: boolean): void {
    if (!this.#isServer || this.#isLocal(streamId) || streamId <= this.#lastPeerId) {
      return this.#onUnexpected('HEADERS', streamId);
    }
    this.#lastPeerId = streamId;
    if (streamId > this.#acceptUpTo || this.#open.size >= this.#options.maxConcurrentStreams) {
      this.#flood.count('streamErrors');
      return this.#sendReset(streamId, ErrorCode.REFUSED_STREAM);
    }
    if (isTooLarge) return this.#answerTooLarge(streamId, endStream);
    const check = checkRequest(fields, this.#options.enableConnectProtocol);
    if (!check.ok) return this.failStream(streamId, ErrorCode.PROTOCOL_ERROR, check.reason);
    if (endStream && check.request.contentLength > 0) {
      return this.failStream(streamId, ErrorCode.PROTOCOL_ERROR, 'no DATA and content-length declares some');
    }
    const stream = this.#create(streamId, NO_HANDLER, true);
    stream.isHead = check.request.method === 'HEAD';
    stream.isConnect = check.request.isConnect;
    stream.expectedBytes = stream.isConnect ? -1 : check.request.contentLength;
    stream.handler = this.#events.onStream(stream, fields, endStream);
    if (endStream && !stream.isOver) this.#endRemote(stream, []);
  }

  /** RFC 6585 §5: the client learns why, and needs not send the body. */
  #answerTooLarge(streamId: number, endStream: boolean): void {
    this.#flood.count('streamErrors');
    this.#writer.headers(streamId, [':status', '431'], true);
    if (!endStream) this.#sendReset(streamId, ErrorCode.NO_ERROR);
  }

  #onResponse(stream: StreamState, fields: HeaderList, endStream: boolean): void {
    const check = checkResponse(fields);
    if (!check.ok) return this.#fail(stream, ErrorCode.PROTOCOL_ERROR, check.reason);
    const { status, contentLength } = check;
    if (status < 200) {
      if (endStream)
        return this.#fail(stream, ErrorCode.PROTOCOL_ERROR, 'an informational head ends the stream');
      return stream.handler.onHeaders(fields, false);
    }
    stream.headReceived = true;
    if (status >= 300) stream.isConnect = false;
    if (!stream.isConnect) {
      const isBodiless = stream.isHead || status === 204 || status === 304;
      stream.expectedBytes = isBodiless ? 0 : contentLength;
    }
    if (endStream && stream.expectedBytes > 0) {
      return this.#fail(stream, ErrorCode.PROTOCOL_ERROR, 'no DATA and content-length declares some');
    }
    stream.handler.onHeaders(fields, endStream);
    if (endStream && !stream.isOver) this.#endRemote(stream, []);
  }

  #onTrailers(stream: StreamState, fields: HeaderList, endStream: boolean): void {
    if (stream.isConnect) return this.#fail(stream, ErrorCode.PROTOCOL_ERROR, 'HEADERS on a CONNECT tunnel');
    if (!endStream) return this.#fail(stream, ErrorCode.PROTOCOL_ERROR, 'trailers without END_STREAM');
    const problem = checkTrailers(fields);
    if (problem !== undefined) return this.#fail(stream, ErrorCode.PROTOCOL_ERROR, problem);
    this.#endRemote(stream, fields);
  }

  #endRemote(stream: StreamState, trailers: HeaderList): void {
    if (stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes) {
      return this.#fail(stream, ErrorCode.PROTOCOL_ERROR, 'less DATA than content-length declares');
    }
    stream.remoteEnded = true;
    stream.handler.onEnd(trailers);
    if (stream.endSent) this.#finish(stream);
  }

  #afterEndSent(stream: StreamState): void {
    if (stream.remoteEnded) this.#finish(stream);
  }

  /** Something for a stream that is not open: an error, unless it crossed with our own reset. */
  #onUnexpected(name: string, streamId: number): void {
    if (this.#isIdle(streamId)) throw idleError(name, streamId);
    if (this.#recentResets.has(streamId)) return;
    if (name === 'HEADERS')
      throw new Http2ConnectionError(ErrorCode.STREAM_CLOSED, `HEADERS on closed stream ${streamId}`);
    this.failStream(streamId, ErrorCode.STREAM_CLOSED, `${name} on a closed stream`);
  }

  /** The peer broke a rule. Throws when it does so all the time. */
  #fail(stream: StreamState, code: number, reason: string): void {
    this.#end(stream, code, reason);
    this.#flood.count('streamErrors');
  }

  #end(stream: StreamState, code: number, reason: string): void {
    this.#sendReset(stream.id, code);
    this.#finish(stream);
    stream.handler.onReset({ code, origin: 'local', unprocessed: false, message: reason });
  }

  #sendReset(streamId: number, code: number): void {
    this.#recentResets.add(streamId);
    this.#writer.rstStream(streamId, code);
  }

  #finish(stream: StreamState): void {
    if (stream.isOver) return;
    stream.isOver = true;
    stream.localEnded = true;
    stream.remoteEnded = true;
    this.#open.delete(stream.id);
    this.outbound.discard(stream);
    this.inbound.forget(stream);
    this.#lastActivityMs = this.#clock.monotonic();
    this.#events.onStreamEnd();
  }

  #endEach(isMeant: (stream: StreamState) => boolean, reset: StreamReset): void {
    for (const stream of [...this.#open.values()].filter(isMeant)) {
      if (stream.isOver) continue;
      this.#finish(stream);
      stream.handler.onReset(reset);
    }
  }

  #isLocal(streamId: number): boolean {
    return (streamId & 1) === (this.#isServer ? 0 : 1);
  }

  #isIdle(streamId: number): boolean {
    return this.#isLocal(streamId) ? streamId >= this.#nextLocalId : streamId > this.#lastPeerId;
  }
}

function idleError(name: string, streamId: number): Http2ConnectionError {
  return new Http2ConnectionError(ErrorCode.PROTOCOL_ERROR, `${name} on idle stream ${streamId}`);
}
