import type { ByteChannel } from '#shared/engine/channel.ts';
import type { RunMeter } from './run-meter.ts';

/** One connection of a run: as soon as an answer is there it asks for the next, until the run is over. */
export interface LoadConnection {
  begin(): void;
}

export interface ConnectionContext {
  readonly channel: ByteChannel;
  readonly meter: RunMeter;
  /** Runs a function at the end of the turn, when all that has come is read. */
  readonly defer: (fn: () => void) => void;
  /** Exactly once. `fault`: it did not end as it should; undefined: after the last answer of the run. */
  readonly onClosed: (fault: string | undefined) => void;
}
