import type { ByteChannel, ChannelError } from '../engine/channel.ts';
import type { HeaderList } from '../http/headers.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { Http2Options } from './options.ts';
import type { Http2Stream, Http2StreamHandler } from './stream.ts';

export type Http2Role = 'client' | 'server';

/** Events of the connection itself. */
export interface Http2ConnectionHandler {
  /**
   * Server: a request arrived, its fields checked (RFC 9113 §8.2, §8.3), pseudo-header fields first. `endStream`: no
   * body follows (`onEnd` is called all the same). The handler returned receives the stream's events.
   */
  onStream(stream: Http2Stream, fields: HeaderList, endStream: boolean): Http2StreamHandler;
  /** The peer takes no new streams (GOAWAY). Streams it will not process have been reset as `unprocessed` already. */
  onGoaway(code: number, debugText: string): void;
  /** A stream ended or the peer raised its limit: `canOpenStream` may have become true. */
  onCapacity(): void;
  /** Exactly once, and last; every stream has had its `onReset` before. Undefined when the connection ended in order. */
  onClose(error: ChannelError | undefined): void;
}

/** One HTTP/2 connection over a byte channel, either role (RFC 9113, h2 or h2c with prior knowledge). */
export class Http2Connection {
  readonly role: Http2Role;

  /** Sends the preface and SETTINGS at once and takes over the channel's events. */
  constructor(
    role: Http2Role,
    _channel: ByteChannel,
    _clock: Clock,
    _options: Partial<Http2Options>,
    _handler: Http2ConnectionHandler,
  ) {
    this.role = role;
  }

  /** Client: sends HEADERS. @returns undefined when `canOpenStream` is false; nothing was sent then. */
  openStream(
    _fields: readonly string[],
    _endStream: boolean,
    _handler: Http2StreamHandler,
  ): Http2Stream | undefined {
    throw new Error('not built yet');
  }

  /**
   * Graceful end. Server: GOAWAY with the highest id, a round trip later GOAWAY with the last one taken; client: no new
   * streams. Open streams live on, then the channel ends. Force it with `close` at the caller's deadline.
   */
  drain(): void {
    throw new Error('not built yet');
  }

  /** GOAWAY with `code` (`ErrorCode`) and debug text, then the channel is aborted; streams are reset. Idempotent. */
  close(_code: number, _debugText: string): void {
    throw new Error('not built yet');
  }

  /** Client: below the peer's limit of streams, no GOAWAY either way, ids left. */
  get canOpenStream(): boolean {
    return false;
  }

  /** `draining` from the first GOAWAY, sent or received. */
  get state(): 'open' | 'draining' | 'closed' {
    return 'closed';
  }

  get openStreams(): number {
    return 0;
  }

  /** Streams ever opened, by either side. */
  get openedTotal(): number {
    return 0;
  }

  /** `Clock.monotonic()` at which the last stream was opened or ended: for idle reaping. */
  get lastActivityMs(): number {
    return 0;
  }

  /** The peer's SETTINGS_MAX_CONCURRENT_STREAMS (`assumedPeerStreams` until it has spoken). */
  get peerMaxConcurrentStreams(): number {
    return 0;
  }

  /** The peer's SETTINGS have arrived. */
  get ready(): boolean {
    return false;
  }
}
