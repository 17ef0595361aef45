import type { Clock } from '../lifecycle/clock.ts';
import type { ChannelError } from './channel.ts';
import type { Engine } from './engine.ts';
import type { HandshakesBySide } from './handshake-limiter.ts';

export interface EngineOptions {
  readonly clock: Clock;
  /** Handshakes under way at a time, of each role. Default 256. */
  readonly maxActiveHandshakes?: number;
  /** Handshakes that wait for a place, of each role. Default 4096; further ones are refused. */
  readonly maxWaitingHandshakes?: number;
  /** Hears of accepts that failed (`resource_exhausted` for EMFILE) and of handlers that threw. */
  readonly onAcceptError?: (error: ChannelError) => void;
}

export interface MeasuredEngine extends Engine {
  readonly handshakes: HandshakesBySide;
}
