import type { Clock, Timer } from '../lifecycle/clock.ts';

/** How many handshakes run and wait, for metrics. */
export interface HandshakeCounts {
  readonly active: number;
  readonly waiting: number;
  readonly startedTotal: number;
  readonly okTotal: number;
  /** Those that were given up before they had a place included. */
  readonly failedTotal: number;
  readonly rejectedTotal: number;
}

export type HandshakesBySide = Readonly<Record<'client' | 'server', HandshakeCounts>>;

/** A handshake that asks for a place. */
export interface LimitedHandshake {
  /** IP address of the other side. */
  readonly peer: string;
  /** It has a place. */
  start(): void;
  /** Since when it has waited for the other side, monotonic; undefined: it is for us to go on. */
  waitsSince(): number | undefined;
  /** It gives its place to others, and is over: calls `leave`. */
  evict(): void;
}

/** Of all places, running or waiting, one address gets at most this part: one peer that never finishes leaves the others theirs. */
const SHARE_OF_ONE_PEER = 1 / 4;
/** Who has said nothing for so long gives way to an address that has no place at all. */
const STALL_MS = 1_000;

interface Peer {
  /** Oldest first. */
  readonly running: Set<LimitedHandshake>;
  readonly waiting: Set<LimitedHandshake>;
}

/**
 * A handshake costs some tenths of a millisecond of CPU that a stranger can ask for. No more than `maxActive` go on at
 * a time, `maxWaiting` more wait, and what comes on top is turned away at once. Addresses take turns: the next place is for
 * the one that has the fewest, and strangers who hold all of them and say nothing lose them to it.
 */
export class HandshakeLimiter {
  readonly #clock: Clock;
  readonly #maxActive: number;
  readonly #maxWaiting: number;
  /** Of addresses with a place alone: as bounded as the places are. In order of their first one. */
  readonly #peers = new Map<string, Peer>();
  #active = 0;
  #waiting = 0;
  #look: Timer | undefined;
  #startedTotal = 0;
  #okTotal = 0;
  #failedTotal = 0;
  #rejectedTotal = 0;

  constructor(clock: Clock, maxActive: number, maxWaiting: number) {
    this.#clock = clock;
    this.#maxActive = maxActive;
    this.#maxWaiting = maxWaiting;
  }

  /** Starts it now or when a place is free. @returns false, never having started it, when there is none to wait for. */
  enter(handshake: LimitedHandshake): boolean {
    const peer = this.#peers.get(handshake.peer) ?? { running: new Set(), waiting: new Set() };
    if (this.#mayRun(peer)) {
      this.#peers.set(handshake.peer, peer);
      this.#begin(handshake, peer);
      return true;
    }
    if (!this.#mayWait(peer)) {
      this.#rejectedTotal++;
      return false;
    }
    this.#peers.set(handshake.peer, peer);
    peer.waiting.add(handshake);
    this.#waiting++;
    this.#lookLater();
    return true;
  }

  /**
   * The handshake is over, or given up: leaves the queue, or gives its place to the next one. Call it exactly once per
   * `enter`. @param ok the peer is who it has to be
   */
  leave(handshake: LimitedHandshake, ok: boolean): void {
    const peer = this.#peers.get(handshake.peer);
    if (peer?.waiting.delete(handshake) === true) {
      this.#failedTotal++;
      this.#forget(handshake.peer, peer);
      this.#waitsNoMore();
      return;
    }
    if (peer?.running.delete(handshake) !== true) return;
    if (ok) this.#okTotal++;
    else this.#failedTotal++;
    this.#active--;
    this.#forget(handshake.peer, peer);
    this.#beginNext();
  }

  get counts(): HandshakeCounts {
    return {
      active: this.#active,
      waiting: this.#waiting,
      startedTotal: this.#startedTotal,
      okTotal: this.#okTotal,
      failedTotal: this.#failedTotal,
      rejectedTotal: this.#rejectedTotal,
    };
  }

  #mayRun({ running }: Peer): boolean {
    return this.#active < this.#maxActive && running.size < partOf(this.#maxActive);
  }

  /** Where the queue is full the longest one's last makes room for an address that has not even half as many in it. */
  #mayWait(peer: Peer): boolean {
    if (peer.waiting.size >= partOf(this.#maxWaiting)) return false;
    if (this.#waiting < this.#maxWaiting) return true;
    let longest: Peer | undefined;
    for (const one of this.#peers.values())
      if (one.waiting.size > (longest?.waiting.size ?? 0)) longest = one;
    if (longest === undefined || longest.waiting.size <= 2 * peer.waiting.size + 1) return false;
    [...longest.waiting].at(-1)?.evict();
    return true;
  }

  /** Of the addresses that wait the one with the fewest places. */
  #beginNext(): void {
    let next: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.waiting.size === 0 || !this.#mayRun(peer)) continue;
      if (next === undefined || peer.running.size < next.running.size) next = peer;
    }
    const [handshake] = next?.waiting ?? [];
    if (next === undefined || handshake === undefined) return;
    next.waiting.delete(handshake);
    this.#waitsNoMore();
    this.#begin(handshake, next);
  }

  #begin(handshake: LimitedHandshake, peer: Peer): void {
    peer.running.add(handshake);
    this.#active++;
    this.#startedTotal++;
    handshake.start();
  }

  #waitsNoMore(): void {
    if (--this.#waiting > 0) return;
    this.#look?.cancel();
    this.#look = undefined;
  }

  #forget(address: string, { running, waiting }: Peer): void {
    if (running.size === 0 && waiting.size === 0) this.#peers.delete(address);
  }

  /** While somebody waits. */
  #lookLater(): void {
    this.#look ??= this.#clock.setTimer(STALL_MS, () => {
      this.#look = undefined;
      this.#evictStalled();
      if (this.#waiting > 0) this.#lookLater();
    });
  }

  /** One for each address that waits without having a place. */
  #evictStalled(): void {
    const without = [...this.#peers.values()].filter(
      ({ running, waiting }) => running.size === 0 && waiting.size > 0,
    );
    for (const peer of without) {
      if (peer.running.size === 0 && peer.waiting.size > 0) this.#longestStalled()?.evict();
    }
  }

  /** Of the address that has the most places among those that let one wait. */
  #longestStalled(): LimitedHandshake | undefined {
    const before = this.#clock.monotonic() - STALL_MS;
    let found: LimitedHandshake | undefined;
    let most = 0;
    for (const { running } of this.#peers.values()) {
      if (running.size <= most) continue;
      const stalled = [...running].find(one => (one.waitsSince() ?? Infinity) <= before);
      if (stalled === undefined) continue;
      found = stalled;
      most = running.size;
    }
    return found;
  }
}

function partOf(places: number): number {
  return Math.ceil(places * SHARE_OF_ONE_PEER);
}
