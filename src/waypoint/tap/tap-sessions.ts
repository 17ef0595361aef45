import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { formatTapEvent, type TapEvent } from './tap-event.ts';
import type { TapRequest } from './tap-filter.ts';

/** To every traffic thread. */
export type TapCommand =
  | { readonly kind: 'tap_start'; readonly tap: number; readonly request: TapRequest }
  | { readonly kind: 'tap_stop'; readonly tap: number };

/** Where the lines of one tap go. */
export interface TapOutput {
  /** @returns false when it was not taken: who watches does not keep up */
  writeLine(line: string): boolean;
  end(): void;
}

export interface TapSessionsOptions {
  readonly clock: Clock;
  readonly command: (command: TapCommand) => void;
}

/** Taps that may run beside each other. */
export const MAX_TAPS = 8;

interface Session {
  readonly request: TapRequest;
  readonly output: TapOutput;
  readonly timer: Timer;
  /** Ids of requests that are being shown. */
  readonly open: Set<string>;
  shown: number;
  lost: number;
}

/** The taps of the process, in its main thread: who watches, and for how long. */
export class TapSessions {
  readonly #options: TapSessionsOptions;
  readonly #sessions = new Map<number, Session>();
  #nextId = 1;

  constructor(options: TapSessionsOptions) {
    this.#options = options;
  }

  /** @returns undefined when there are too many already; else what stops it */
  start(request: TapRequest, output: TapOutput): (() => void) | undefined {
    if (this.#sessions.size >= MAX_TAPS) return undefined;
    const tap = this.#nextId++;
    const timer = this.#options.clock.setTimer(request.durationMs, () => this.#stop(tap));
    this.#sessions.set(tap, { request, output, timer, open: new Set(), shown: 0, lost: 0 });
    this.#options.command({ kind: 'tap_start', tap, request });
    return () => this.#stop(tap);
  }

  /** For a thread that starts while others are tapped. */
  commands(): TapCommand[] {
    return [...this.#sessions].map(([tap, { request }]) => ({ kind: 'tap_start', tap, request }));
  }

  onEvents(tap: number, events: readonly TapEvent[]): void {
    for (const event of events) {
      const session = this.#sessions.get(tap);
      if (session === undefined) return;
      if (this.#isWanted(session, event) && !session.output.writeLine(formatTapEvent(event))) session.lost++;
      if (session.shown >= session.request.limit && session.open.size === 0) this.#stop(tap);
    }
  }

  close(): void {
    for (const tap of this.#sessions.keys()) this.#stop(tap);
  }

  /** With a limit: the first so many requests of all threads, each to its end. */
  #isWanted(session: Session, event: TapEvent): boolean {
    switch (event.event) {
      case 'request':
        if (session.shown >= session.request.limit) return false;
        session.shown++;
        session.open.add(event.id);
        return true;
      case 'response':
        return session.open.has(event.id);
      case 'end':
        return session.open.delete(event.id);
      case 'skipped':
        return true;
    }
  }

  #stop(tap: number): void {
    const session = this.#sessions.get(tap);
    if (session === undefined) return;
    this.#sessions.delete(tap);
    session.timer.cancel();
    if (session.lost > 0) session.output.writeLine(JSON.stringify({ event: 'lost', lines: session.lost }));
    session.output.end();
    this.#options.command({ kind: 'tap_stop', tap });
  }
}
