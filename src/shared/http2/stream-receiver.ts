import type { HeaderList } from '../http/headers.ts';
import { ErrorCode, errorCodeName, Http2ConnectionError } from './error-code.ts';
import type { FloodGuard } from './flood-guard.ts';
import { Flag } from './frame.ts';
import type { FrameWriter } from './frame-writer.ts';
import { checkRequest, checkResponse, checkTrailers } from './message-fields.ts';
import type { Http2Options } from './options.ts';
import type { Http2Stream, Http2StreamHandler } from './stream.ts';
import type { StreamState } from './stream-state.ts';
import { idleError, type Streams } from './streams.ts';

export type OnStream = (stream: Http2Stream, fields: HeaderList, endStream: boolean) => Http2StreamHandler;

/** One list for all: nobody adds to trailers. */
const NO_TRAILERS: HeaderList = [];

const NO_HANDLER: Http2StreamHandler = {
  onHeaders() {},
  onData() {},
  onEnd() {},
  onReset() {},
  onDrain() {},
};

/** Takes the frames that concern one stream to it, as its state allows (RFC 9113 §5.1, §8.1). */
export class StreamReceiver {
  readonly #isServer: boolean;
  readonly #options: Http2Options;
  readonly #streams: Streams;
  readonly #writer: FrameWriter;
  readonly #flood: FloodGuard;
  readonly #onStream: OnStream;
  // The DATA frame being read.
  #dataStream: StreamState | undefined;
  #dataFlags = 0;
  #dataOverhead = 0;

  constructor(
    isServer: boolean,
    options: Http2Options,
    streams: Streams,
    writer: FrameWriter,
    flood: FloodGuard,
    onStream: OnStream,
  ) {
    this.#isServer = isServer;
    this.#options = options;
    this.#streams = streams;
    this.#writer = writer;
    this.#flood = flood;
    this.#onStream = onStream;
  }

  /** A decoded header block, valid until the next one. `listBytes` above the limit: fields were left out. */
  onFields(streamId: number, fields: HeaderList, listBytes: number, endStream: boolean): void {
    const isTooLarge = listBytes > this.#options.maxHeaderListBytes;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) this.#onNewStream(streamId, fields, isTooLarge, endStream);
    else if (stream.remoteEnded)
      this.#streams.fail(stream, ErrorCode.STREAM_CLOSED, 'HEADERS after END_STREAM');
    else if (isTooLarge) {
      const text = `a header list of ${listBytes} bytes when at most ${this.#options.maxHeaderListBytes} are accepted`;
      this.#streams.fail(stream, ErrorCode.ENHANCE_YOUR_CALM, text);
    } else if (stream.headReceived) this.#onTrailers(stream, fields, endStream);
    else this.#onResponse(stream, fields, endStream);
  }

  onDataStart(streamId: number, flags: number, length: number): void {
    this.#dataFlags = flags;
    this.#dataOverhead = length;
    this.#dataStream = undefined;
    if (!this.#streams.inbound.receive(length)) {
      throw new Http2ConnectionError(
        ErrorCode.FLOW_CONTROL_ERROR,
        'DATA beyond the window of the connection',
      );
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) this.#onUnexpected('DATA', streamId);
    else if (stream.remoteEnded) this.#streams.fail(stream, ErrorCode.STREAM_CLOSED, 'DATA after END_STREAM');
    else if (!stream.headReceived)
      this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, 'DATA before the response head');
    else if (length > stream.receiveWindow) {
      this.#streams.fail(stream, ErrorCode.FLOW_CONTROL_ERROR, 'DATA beyond the window of the stream');
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
      return this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, 'more DATA than content-length declares');
    }
    this.#streams.inbound.delivered(stream, slice.length);
    stream.handler.onData(slice);
  }

  /** `isEmpty`: without END_STREAM such a frame says nothing. */
  onDataEnd(isEmpty: boolean): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    const endStream = (this.#dataFlags & Flag.END_STREAM) !== 0;
    if (isEmpty && !endStream) this.#flood.count('emptyData');
    if (stream !== undefined && !stream.isOver) {
      if (this.#dataOverhead > 0) this.#streams.inbound.returnStreamCredit(stream, this.#dataOverhead);
      if (endStream) this.#endRemote(stream, NO_TRAILERS);
    }
    this.#streams.inbound.returnConnectionCredit();
  }

  onReset(streamId: number, code: number): void {
    this.#flood.count('resets');
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (this.#streams.isIdle(streamId)) throw idleError('RST_STREAM', streamId);
      return;
    }
    // Work asked for and called off before it was answered costs the client nothing and us everything.
    if (this.#isServer && !stream.headSent) this.#flood.count('prematureResets');
    this.#streams.finish(stream);
    const message = `the peer reset the stream with ${errorCodeName(code)}`;
    stream.handler.onReset({ code, origin: 'peer', unprocessed: code === ErrorCode.REFUSED_STREAM, message });
  }

  onWindowUpdate(streamId: number, increment: number): void {
    this.#flood.count('windowUpdates');
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (this.#streams.isIdle(streamId)) throw idleError('WINDOW_UPDATE', streamId);
    } else if (increment === 0) this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
    else if (!this.#streams.outbound.addStreamCredit(stream, increment)) {
      this.#streams.fail(stream, ErrorCode.FLOW_CONTROL_ERROR, 'WINDOW_UPDATE beyond 2^31-1');
    } else this.#streams.outbound.pump();
  }

  #onNewStream(streamId: number, fields: HeaderList, isTooLarge: boolean, endStream: boolean): void {
    if (!this.#isServer || this.#streams.isLocal(streamId) || streamId <= this.#streams.lastPeerId) {
      return this.#onUnexpected('HEADERS', streamId);
    }
    if (!this.#streams.admitPeer(streamId)) {
      this.#flood.count('streamErrors');
      return this.#streams.sendReset(streamId, ErrorCode.REFUSED_STREAM);
    }
    if (isTooLarge) return this.#answerTooLarge(streamId, endStream);
    const check = checkRequest(fields, this.#options.enableConnectProtocol);
    if (typeof check === 'string') return this.#streams.failStream(streamId, ErrorCode.PROTOCOL_ERROR, check);
    if (endStream && check.contentLength > 0) {
      return this.#streams.failStream(
        streamId,
        ErrorCode.PROTOCOL_ERROR,
        'no DATA and content-length declares some',
      );
    }
    const stream = this.#streams.create(streamId, NO_HANDLER, true);
    stream.isHead = check.method === 'HEAD';
    stream.isConnect = check.method === 'CONNECT';
    stream.expectedBytes = stream.isConnect ? -1 : check.contentLength;
    stream.handler = this.#onStream(stream, fields, endStream);
    if (endStream && !stream.isOver) this.#endRemote(stream, NO_TRAILERS);
  }

  /** RFC 6585 §5: the client learns why, and needs not send the body. */
  #answerTooLarge(streamId: number, endStream: boolean): void {
    this.#flood.count('streamErrors');
    this.#writer.headers(streamId, [':status', '431'], true);
    if (!endStream) this.#streams.sendReset(streamId, ErrorCode.NO_ERROR);
  }

  #onResponse(stream: StreamState, fields: HeaderList, endStream: boolean): void {
    const check = checkResponse(fields);
    if (typeof check === 'string') return this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, check);
    const { status, contentLength } = check;
    if (status < 200) {
      if (endStream)
        return this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, 'an informational head ends the stream');
      return stream.handler.onHeaders(fields, false);
    }
    stream.headReceived = true;
    if (status >= 300) stream.isConnect = false;
    if (!stream.isConnect) {
      const isBodiless = stream.isHead || status === 204 || status === 304;
      stream.expectedBytes = isBodiless ? 0 : contentLength;
    }
    if (endStream && stream.expectedBytes > 0) {
      return this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, 'no DATA and content-length declares some');
    }
    stream.handler.onHeaders(fields, endStream);
    if (endStream && !stream.isOver) this.#endRemote(stream, NO_TRAILERS);
  }

  #onTrailers(stream: StreamState, fields: HeaderList, endStream: boolean): void {
    if (stream.isConnect)
      return this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, 'HEADERS on a CONNECT tunnel');
    if (!endStream)
      return this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, 'trailers without END_STREAM');
    const problem = checkTrailers(fields);
    if (problem !== undefined) return this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, problem);
    this.#endRemote(stream, fields.slice());
  }

  #endRemote(stream: StreamState, trailers: HeaderList): void {
    if (stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes) {
      return this.#streams.fail(stream, ErrorCode.PROTOCOL_ERROR, 'less DATA than content-length declares');
    }
    stream.remoteEnded = true;
    stream.handler.onEnd(trailers);
    if (stream.endSent) this.#streams.finish(stream);
  }

  /** Something for a stream that is not open: an error (RFC 9113 §5.1), unless it crossed with our own reset. */
  #onUnexpected(name: string, streamId: number): void {
    if (this.#streams.isIdle(streamId)) throw idleError(name, streamId);
    if (this.#streams.wasReset(streamId)) return;
    throw new Http2ConnectionError(ErrorCode.STREAM_CLOSED, `${name} on closed stream ${streamId}`);
  }
}
