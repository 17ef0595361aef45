import { ByteQueue } from '../engine/byte-queue.ts';
import type { StreamState } from './stream-state.ts';

/** What a stream has to send and may not send yet, and its place among the streams that wait. Few streams ever have one. */
export class WaitingOutput {
  readonly stream: StreamState;
  readonly bytes = new ByteQueue();
  /** Behind the bytes; undefined: END_STREAM goes with the last DATA. */
  trailers: readonly string[] | undefined;
  /** The application has been told to stop. */
  wantsDrain = false;
  /** Monotonic ms of the last progress while bytes wait. */
  progressMs = 0;

  // === place in the connection's queue ===
  isQueued = false;
  previous: WaitingOutput | undefined;
  next: WaitingOutput | undefined;

  constructor(stream: StreamState) {
    this.stream = stream;
  }
}
