import type { ChannelError } from '../engine/channel.ts';
import type { HeaderList } from '../http/headers.ts';
import type { Http2Stream, Http2StreamHandler } from './stream.ts';

export type Http2Role = 'client' | 'server';

/** Events of the connection itself. */
export interface Http2ConnectionHandler {
  /**
   * Server: a request arrived, its fields checked (RFC 9113 §8.2, §8.3), pseudo-header fields first. `endStream`: no
   * body follows (`onEnd` is called all the same). They are to be read before anything else is done, as the list is used
   * again. The handler returned receives the stream's events.
   */
  onStream(stream: Http2Stream, fields: HeaderList, endStream: boolean): Http2StreamHandler;
  /** The peer takes no new streams (GOAWAY). Streams it will not process have been reset as `unprocessed` already. */
  onGoaway(code: number, debugText: string): void;
  /** A stream ended or the peer raised its limit: `canOpenStream` may have become true. */
  onCapacity(): void;
  /** Exactly once, and last; every stream has had its `onReset` before. Undefined when the connection ended in order. */
  onClose(error: ChannelError | undefined): void;
}
