import type { RequestHead } from '#shared/http/exchange.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { Service } from '#shared/workload/workload.ts';
import { displayName } from '#shared/workload/workload-service.ts';
import type { RequestPeers } from '../telemetry/request-metrics.ts';
import { matchesTap } from './match-tap.ts';
import type { TapEvent, TapFields } from './tap-event.ts';
import type { TapRequest } from './tap-filter.ts';
import { TappedRequest, type TapWatcher } from './tapped-request.ts';

export interface ThreadTapsOptions {
  readonly clock: Clock;
  /** How many threads share a tap's rate. */
  readonly threads: number;
  /** Tells requests of different threads apart. */
  readonly thread: number;
  /** To the main thread, at most every `FLUSH_MS`, at most `MAX_HELD` events. */
  readonly send: (tap: number, events: readonly TapEvent[]) => void;
}

/** What a tap sees of a request beside its head. */
export interface TapSubject {
  readonly peers: RequestPeers;
  readonly service: Service;
  readonly sourceAddress: string;
}

const FLUSH_MS = 100;
const SECOND_MS = 1_000;
/** A request has three events; what does not fit is counted as skipped. */
const MAX_HELD = 3_000;

/** The taps of one thread. Without any, a request costs a look at `idle`. */
export class ThreadTaps {
  readonly #options: ThreadTapsOptions;
  readonly #taps = new Map<number, ThreadTap>();
  #nextRequest = 0;

  constructor(options: ThreadTapsOptions) {
    this.#options = options;
  }

  /** Nobody watches. */
  get idle(): boolean {
    return this.#taps.size === 0;
  }

  start(id: number, request: TapRequest): void {
    this.stop(id);
    this.#taps.set(id, new ThreadTap(id, request, this.#options));
  }

  stop(id: number): void {
    this.#taps.get(id)?.close();
    this.#taps.delete(id);
  }

  close(): void {
    for (const id of this.#taps.keys()) this.stop(id);
  }

  /** @returns undefined when no tap asks for this request, or none has room for it. */
  begin({ peers, service, sourceAddress }: TapSubject, head: RequestHead): TappedRequest | undefined {
    const watchers: TapWatcher[] = [];
    for (const tap of this.#taps.values()) {
      if (matchesTap(tap.request.filter, peers, service, head) && tap.admit()) watchers.push(tap);
    }
    if (watchers.length === 0) return undefined;
    const { clock, thread } = this.#options;
    const { source, sourceIdentity } = peers;
    const fields: TapFields = {
      'src.addr': sourceAddress,
      ...(source === undefined ? {} : { 'src.workload': source.name, 'src.namespace': source.namespace }),
      ...(sourceIdentity === undefined ? {} : { 'src.identity': sourceIdentity }),
      'dst.service': displayName(service),
      'dst.namespace': service.namespace,
    };
    const id = `${thread}:${this.#nextRequest++}`;
    return new TappedRequest(id, new Date(clock.now()).toISOString(), head, fields, watchers);
  }
}

/** One tap in one thread: its share of the rate, and what waits to be sent. */
class ThreadTap implements TapWatcher {
  readonly request: TapRequest;
  readonly #id: number;
  readonly #options: ThreadTapsOptions;
  readonly #perSecond: number;
  #held: TapEvent[] = [];
  #flush: Timer | undefined;
  #second = 0;
  #admitted = 0;
  #skipped = 0;

  constructor(id: number, request: TapRequest, options: ThreadTapsOptions) {
    this.#id = id;
    this.request = request;
    this.#options = options;
    this.#perSecond = Math.max(1, Math.floor(request.maxPerSecond / options.threads));
  }

  /** @returns false when this second has had its requests: one more is counted as skipped. */
  admit(): boolean {
    const second = Math.floor(this.#options.clock.monotonic() / SECOND_MS);
    if (second !== this.#second) {
      this.#second = second;
      this.#admitted = 0;
    }
    if (this.#admitted < this.#perSecond && this.#held.length < MAX_HELD) {
      this.#admitted++;
      return true;
    }
    this.#skipped++;
    this.#schedule();
    return false;
  }

  show(event: TapEvent): void {
    if (this.#held.length >= MAX_HELD) return;
    this.#held.push(event);
    this.#schedule();
  }

  close(): void {
    this.#flush?.cancel();
  }

  #schedule(): void {
    this.#flush ??= this.#options.clock.setTimer(FLUSH_MS, () => this.#send());
  }

  #send(): void {
    this.#flush = undefined;
    if (this.#skipped > 0) this.#held.push({ event: 'skipped', fields: { requests: this.#skipped } });
    this.#skipped = 0;
    const events = this.#held;
    this.#held = [];
    this.#options.send(this.#id, events);
  }
}
