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

/** Of all places, running or waiting, one address gets at most this part: one peer that never finishes leaves the others theirs. */
const SHARE_OF_ONE_PEER = 1 / 4;

interface PeerShare {
  active: number;
  waiting: number;
}

/**
 * A handshake costs some tenths of a millisecond of CPU that a stranger can ask for. No more than `maxActive` go on at
 * a time, `maxWaiting` more wait in order of arrival, and what comes on top is turned away at once.
 */
export class HandshakeLimiter {
  readonly #maxActive: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Map<() => void, string>();
  readonly #running = new Map<() => void, string>();
  /** Of addresses with a place alone: as bounded as the places are. */
  readonly #peers = new Map<string, PeerShare>();
  #startedTotal = 0;
  #okTotal = 0;
  #failedTotal = 0;
  #rejectedTotal = 0;

  constructor(maxActive: number, maxWaiting: number) {
    this.#maxActive = maxActive;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Calls `start` now or when a place is free. @returns false, never having called it, when there is none to wait for.
   * @param peer IP address of the other side
   */
  enter(start: () => void, peer: string): boolean {
    const share = this.#peers.get(peer) ?? { active: 0, waiting: 0 };
    if (this.#mayRun(share)) {
      this.#peers.set(peer, share);
      this.#begin(start, peer, share);
      return true;
    }
    if (this.#waiting.size >= this.#maxWaiting || share.waiting >= partOf(this.#maxWaiting)) {
      this.#rejectedTotal++;
      return false;
    }
    share.waiting++;
    this.#peers.set(peer, share);
    this.#waiting.set(start, peer);
    return true;
  }

  /**
   * The handshake is over, or given up: leaves the queue, or gives its place to the next one. Call it exactly once per
   * `enter`. @param ok the peer is who it has to be
   */
  leave(start: () => void, ok: boolean): void {
    const queuedFor = this.#waiting.get(start);
    if (queuedFor !== undefined) {
      this.#failedTotal++;
      this.#waiting.delete(start);
      this.#release(queuedFor, 'waiting');
      return;
    }
    const ranFor = this.#running.get(start);
    if (ranFor === undefined) return;
    if (ok) this.#okTotal++;
    else this.#failedTotal++;
    this.#running.delete(start);
    this.#release(ranFor, 'active');
    this.#beginNext();
  }

  get counts(): HandshakeCounts {
    return {
      active: this.#running.size,
      waiting: this.#waiting.size,
      startedTotal: this.#startedTotal,
      okTotal: this.#okTotal,
      failedTotal: this.#failedTotal,
      rejectedTotal: this.#rejectedTotal,
    };
  }

  #mayRun({ active }: PeerShare): boolean {
    return this.#running.size < this.#maxActive && active < partOf(this.#maxActive);
  }

  /** The first in line whose address is within its share. */
  #beginNext(): void {
    for (const [start, peer] of this.#waiting) {
      const share = this.#peers.get(peer);
      if (share === undefined || !this.#mayRun(share)) continue;
      this.#waiting.delete(start);
      share.waiting--;
      this.#begin(start, peer, share);
      return;
    }
  }

  #begin(start: () => void, peer: string, share: PeerShare): void {
    share.active++;
    this.#running.set(start, peer);
    this.#startedTotal++;
    start();
  }

  #release(peer: string, what: keyof PeerShare): void {
    const share = this.#peers.get(peer);
    if (share === undefined) return;
    share[what]--;
    if (share.active === 0 && share.waiting === 0) this.#peers.delete(peer);
  }
}

function partOf(places: number): number {
  return Math.ceil(places * SHARE_OF_ONE_PEER);
}
