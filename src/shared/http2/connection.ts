import { errorMessage } from '../observability/error-message.ts';
import { type ByteChannel, ChannelError } from '../engine/channel.ts';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import type { Http2ConnectionHandler, Http2Role } from './connection-handler.ts';
import { ErrorCode, errorCodeName, Http2ConnectionError } from './error-code.ts';
import { FloodGuard, type FloodName } from './flood-guard.ts';
import { MAX_STREAM_ID } from './frame.ts';
import { type FrameEvents, FrameHandler } from './frame-handler.ts';
import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { Keepalive } from './keepalive.ts';
import { type Http2Options, resolveHttp2Options } from './options.ts';
import { encodeSettings, initialPeerSettings, type PeerSettings } from './settings.ts';
import type { Http2Stream, Http2StreamHandler, StreamReset } from './stream.ts';
import { type OnStream, StreamReceiver } from './stream-receiver.ts';
import { StallWatch } from './stall-watch.ts';
import { Streams } from './streams.ts';

export type { Http2ConnectionHandler, Http2Role } from './connection-handler.ts';

const KEEPALIVE_PING = Buffer.from('keepaliv', 'latin1');
const DRAIN_PING = Buffer.from('draining', 'latin1');
/** For a last GOAWAY to be read by a peer we give up. */
const FORCED_LINGER_MS = 1_000;
/** For the last answers to be read by a peer that we part from in order. */
const ORDERLY_LINGER_MS = 10_000;

/** One HTTP/2 connection over a byte channel, either role (RFC 9113, h2 or h2c with prior knowledge). */
export class Http2Connection {
  readonly role: Http2Role;
  readonly #channel: ByteChannel;
  readonly #clock: Clock;
  readonly #options: Http2Options;
  readonly #handler: Http2ConnectionHandler;
  readonly #peer: PeerSettings;
  readonly #flood: FloodGuard;
  readonly #writer: FrameWriter;
  readonly #streams: Streams;
  readonly #reader: FrameReader;
  readonly #frames: FrameHandler;
  readonly #keepalive: Keepalive;
  readonly #stallWatch: StallWatch;
  #state: 'open' | 'draining' | 'closed' = 'open';
  /** Why the connection ended, when it did not end in order. */
  #error: ChannelError | undefined;
  /** No stream will be added: the channel ends with the last one. */
  #endsWhenIdle = false;
  #isClosing = false;
  #settingsTimer: Timer | undefined;
  #drainTimer: Timer | undefined;
  #lingerTimer: Timer | undefined;

  /** Sends the preface and SETTINGS at once and takes over the channel's events. Throws RangeError for bad options. */
  constructor(
    role: Http2Role,
    channel: ByteChannel,
    clock: Clock,
    options: Partial<Http2Options>,
    handler: Http2ConnectionHandler,
  ) {
    this.role = role;
    this.#channel = channel;
    this.#clock = clock;
    this.#options = resolveHttp2Options(options);
    this.#handler = handler;
    this.#peer = initialPeerSettings(this.#options.assumedPeerStreams);
    this.#flood = new FloodGuard(clock, this.#options.floodLimits);
    this.#writer = new FrameWriter(
      channel,
      this.#options.headerTableBytes,
      this.#options.maxControlBacklogBytes,
      bytes =>
        this.close(
          ErrorCode.ENHANCE_YOUR_CALM,
          `${bytes} bytes of headers and control frames wait: the peer does not read`,
        ),
    );
    const isServer = role === 'server';
    this.#streams = new Streams(isServer, clock, this.#options, this.#writer, this.#flood, () =>
      this.#onStreamEnd(),
    );
    const onStream: OnStream = (stream, fields, endStream) =>
      this.#handler.onStream(stream, fields, endStream);
    const receiver = new StreamReceiver(
      isServer,
      this.#options,
      this.#streams,
      this.#writer,
      this.#flood,
      onStream,
    );
    const parts = { role, options: this.#options, peer: this.#peer, streams: this.#streams, receiver };
    this.#frames = new FrameHandler(
      { ...parts, writer: this.#writer, flood: this.#flood },
      this.#frameEvents(),
    );
    this.#reader = new FrameReader(this.#frames, this.#options.maxFrameBytes, role === 'server');
    const ping = (): void => this.#writer.ping(KEEPALIVE_PING, 0, false);
    this.#keepalive = new Keepalive(clock, this.#options, ping, () => this.#onDead());
    this.#stallWatch = new StallWatch(clock, this.#options.sendStallTimeoutMs, {
      isBlocked: () => this.#writer.isBlocked,
      onCheck: nowMs => this.#streams.resetStalled(nowMs),
      onStall: () => this.#onStall(),
    });
    this.#start();
  }

  /** Client: sends HEADERS. @returns undefined when `canOpenStream` is false; nothing was sent then. */
  openStream(
    fields: readonly string[],
    endStream: boolean,
    handler: Http2StreamHandler,
  ): Http2Stream | undefined {
    return this.canOpenStream ? this.#streams.open(fields, endStream, handler) : undefined;
  }

  /**
   * Graceful end. Server: GOAWAY with the highest id, a round trip later GOAWAY with the last one taken; client: no new
   * streams. Open streams live on, then the channel ends. Force it with `close` at the caller's deadline.
   */
  drain(): void {
    if (this.#state === 'closed' || this.#endsWhenIdle || this.#drainTimer !== undefined) return;
    this.#state = 'draining';
    if (this.role === 'client') {
      this.#announceDrain();
      return;
    }
    this.#writer.goaway(MAX_STREAM_ID, ErrorCode.NO_ERROR, 'draining');
    this.#writer.ping(DRAIN_PING, 0, false);
    this.#drainTimer = this.#clock.setTimer(this.#options.drainGraceMs, () => this.#announceDrain());
  }

  /** GOAWAY with `code` (`ErrorCode`) and debug text, streams are reset, and the channel is closed. Idempotent. */
  close(code: number, debugText: string): void {
    if (this.#isClosing) return;
    if (code !== ErrorCode.NO_ERROR) {
      this.#error ??= new ChannelError(
        'protocol',
        `HTTP/2 connection closed with ${errorCodeName(code)}: ${debugText}`,
      );
    }
    this.#writer.goaway(this.#streams.lastPeerId, code, debugText);
    this.#endChannel(FORCED_LINGER_MS);
    this.#streams.endAll({ code, origin: 'connection', unprocessed: false, message: debugText });
  }

  /** Client: below the peer's limit of streams, no GOAWAY either way, ids left. */
  get canOpenStream(): boolean {
    if (this.role !== 'client' || this.#state !== 'open') return false;
    return this.#streams.count < this.#peer.maxConcurrentStreams && this.#streams.idsLeft;
  }

  /** `draining` from the first GOAWAY, sent or received. */
  get channel(): ByteChannel {
    return this.#channel;
  }

  get state(): 'open' | 'draining' | 'closed' {
    return this.#state;
  }

  get openStreams(): number {
    return this.#streams.count;
  }

  /** Streams ever opened, by either side. */
  get openedTotal(): number {
    return this.#streams.openedTotal;
  }

  /** `Clock.monotonic()` at which the last stream ended, for idle reaping. It means nothing while streams are open. */
  get idleSinceMs(): number {
    return this.#streams.idleSinceMs;
  }

  /** The peer's SETTINGS_MAX_CONCURRENT_STREAMS (`assumedPeerStreams` until it has spoken). */
  get peerMaxConcurrentStreams(): number {
    return this.#peer.maxConcurrentStreams;
  }

  /** The peer takes extended CONNECT (RFC 8441). */
  get peerConnectProtocol(): boolean {
    return this.#peer.connectProtocol;
  }

  /** The peer's SETTINGS have arrived. */
  get ready(): boolean {
    return this.#frames.settingsReceived;
  }

  /** Delivered to the application over all streams and not consumed yet. */
  get unconsumedBytes(): number {
    return this.#streams.inbound.unconsumedBytes;
  }

  /** How often the peer did what `floodLimits` counts. */
  floodTotal(name: FloodName): number {
    return this.#flood.total(name);
  }

  #frameEvents(): FrameEvents {
    return {
      onSettings: () => this.#handler.onCapacity(),
      onSettingsAck: () => this.#settingsTimer?.cancel(),
      onPong: (buffer, start) => this.#onPong(buffer, start),
      onGoaway: (lastStreamId, code, debugText) => this.#onGoaway(lastStreamId, code, debugText),
    };
  }

  #start(): void {
    if (this.role === 'client') this.#writer.preface();
    this.#writer.settings(encodeSettings(this.role, this.#options));
    this.#streams.inbound.start();
    this.#settingsTimer = this.#clock.setTimer(this.#options.settingsAckTimeoutMs, () =>
      this.close(
        ErrorCode.SETTINGS_TIMEOUT,
        `SETTINGS not acknowledged in ${this.#options.settingsAckTimeoutMs} ms`,
      ),
    );
    this.#keepalive.start();
    this.#stallWatch.start();
    this.#channel.setHandler({
      onData: slice => this.#onChannelData(slice),
      onEnd: () => this.#onChannelEnd(),
      onDrain: () => this.#onChannelDrain(),
      onClose: error => this.#onChannelClose(error),
    });
  }

  #onChannelData(slice: Buffer): void {
    this.#keepalive.heard();
    try {
      this.#reader.read(slice);
    } catch (error) {
      this.#onFault(error);
    }
  }

  #onChannelDrain(): void {
    this.#stallWatch.drained();
    this.#writer.unblock();
    try {
      this.#streams.outbound.pump();
    } catch (error) {
      this.#onFault(error);
    }
  }

  /** Broken rules end the connection, and so does a fault of ours or of a handler: the owner learns why. */
  #onFault(error: unknown): void {
    if (error instanceof Http2ConnectionError) return this.close(error.code, error.message);
    const message = errorMessage(error);
    this.#error ??= new ChannelError('protocol', `internal error on an HTTP/2 connection: ${message}`, {
      cause: error,
    });
    this.close(ErrorCode.INTERNAL_ERROR, 'internal error');
  }

  /** The peer sends no more. Answers it has asked for in full are still sent. */
  #onChannelEnd(): void {
    if (this.#isClosing) return;
    if (this.#state === 'open') this.#state = 'draining';
    try {
      this.#streams.endUnfinished(connectionLost('the peer closed the connection'));
      this.#endWhenIdle();
    } catch (error) {
      this.#onFault(error);
    }
  }

  #onChannelClose(error: ChannelError | undefined): void {
    this.#isClosing = true;
    this.#stop();
    try {
      this.#streams.endAll(connectionLost(error?.message ?? 'the connection was closed'));
    } finally {
      this.#handler.onClose(this.#error ?? error);
    }
  }

  #onStreamEnd(): void {
    if (this.#isClosing) return;
    if (this.#endsWhenIdle && this.#streams.count === 0) this.#endChannel(ORDERLY_LINGER_MS);
    else this.#handler.onCapacity();
  }

  #onPong(buffer: Buffer, start: number): void {
    if (DRAIN_PING.compare(buffer, start, start + 8) === 0) {
      if (this.#drainTimer !== undefined) this.#announceDrain();
    } else this.#keepalive.answered();
  }

  #onGoaway(lastStreamId: number, code: number, debugText: string): void {
    this.#state = 'draining';
    this.#streams.refuseLocalAbove(lastStreamId);
    this.#handler.onGoaway(code, debugText);
    if (this.role === 'client') this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    this.#endsWhenIdle = true;
    if (this.#streams.count === 0) this.#endChannel(ORDERLY_LINGER_MS);
  }

  /** From here on new streams of the peer are refused; those it opened before it read this are answered. */
  #announceDrain(): void {
    this.#drainTimer?.cancel();
    this.#drainTimer = undefined;
    this.#streams.refuseAbove(this.#streams.lastPeerId);
    this.#writer.goaway(this.#streams.lastPeerId, ErrorCode.NO_ERROR, 'draining');
    this.#endWhenIdle();
  }

  #onDead(): void {
    const text = `no answer to PING in ${this.#options.pingTimeoutMs} ms`;
    this.#abort(new ChannelError('timeout', `HTTP/2 connection is dead: ${text}`));
  }

  #onStall(): void {
    const text = `the peer has read nothing for ${this.#options.sendStallTimeoutMs} ms`;
    this.#abort(new ChannelError('timeout', text));
  }

  /** Nobody reads on the other side: a goodbye would only wait in the send buffer. */
  #abort(error: ChannelError): void {
    this.#error ??= error;
    this.#isClosing = true;
    this.#stop();
    this.#channel.abort(error);
    this.#streams.endAll(connectionLost(error.message));
  }

  /** What is written goes out, nothing more is read, and the peer has a moment to close its side. */
  #endChannel(lingerMs: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#stop();
    this.#channel.end();
    this.#linger(lingerMs, Number.POSITIVE_INFINITY);
  }

  /** A slow peer is left to read its last answers for as long as each round takes some of them. */
  #linger(lingerMs: number, bufferedBefore: number): void {
    this.#lingerTimer = this.#clock.setTimer(lingerMs, () => {
      const { bufferedBytes } = this.#channel;
      const makesProgress = bufferedBytes > 0 && bufferedBytes < bufferedBefore;
      if (makesProgress && lingerMs === ORDERLY_LINGER_MS) return this.#linger(lingerMs, bufferedBytes);
      const text = 'the peer did not close its side of an ended connection';
      this.#channel.abort(this.#error ?? new ChannelError('drain', text));
    });
  }

  #stop(): void {
    this.#state = 'closed';
    this.#reader.stop();
    this.#keepalive.stop();
    this.#settingsTimer?.cancel();
    this.#stallWatch.stop();
    this.#drainTimer?.cancel();
    this.#lingerTimer?.cancel();
  }
}

/** Whether the peer has processed the stream cannot be known. */
function connectionLost(message: string): StreamReset {
  return { code: ErrorCode.CANCEL, origin: 'connection', unprocessed: false, message };
}
