import type { SharedCount } from './shared-count.ts';

/** What a connection came to: as many as a pod may have, or as many as are left for all the others of the node. */
export type Bound = 'pod' | 'node';

export interface PlaceOptions {
  /** By this pod, in this direction, over all threads. */
  readonly held: SharedCount;
  /** By all pods, in every direction, over all threads. */
  readonly used: SharedCount;
  readonly thread: number;
  readonly bounds: PlaceBounds;
}

/** As of `ConnectionBounds`. */
export interface PlaceBounds {
  readonly perPod: number;
  readonly room: number;
  readonly sharesFairly: boolean;
}

/**
 * The places of one pod and direction, as one thread takes them and gives them back. Nothing is allocated, and nobody waits:
 * a thread counts itself in and then looks, so that two that look at once may both be refused the last place, and never
 * both get it.
 */
export class Place {
  readonly #held: SharedCount;
  readonly #used: SharedCount;
  readonly #thread: number;
  readonly #bounds: PlaceBounds;

  constructor({ held, used, thread, bounds }: PlaceOptions) {
    this.#held = held;
    this.#used = used;
    this.#thread = thread;
    this.#bounds = bounds;
  }

  get held(): number {
    return this.#held.total;
  }

  /** Takes a place: `give` it back once. @returns what stands against it; undefined when it is taken */
  take(): Bound | undefined {
    const held = this.#held.add(this.#thread, 1);
    const used = this.#used.add(this.#thread, 1);
    const bound = boundOf(held, used, this.#bounds);
    if (bound !== undefined) this.give();
    return bound;
  }

  /** Takes a place whatever the bound is. */
  enter(): void {
    this.#held.add(this.#thread, 1);
    this.#used.add(this.#thread, 1);
  }

  give(): void {
    this.#held.add(this.#thread, -1);
    this.#used.add(this.#thread, -1);
  }
}

/**
 * What stands against a pod's holding so many. That it may hold no more than is left for all others bounds whoever takes all
 * there is to half of it, two of them to a third each, and so on: there is always some for who has little.
 */
export function boundOf(
  held: number,
  used: number,
  { perPod, room, sharesFairly }: PlaceBounds,
): Bound | undefined {
  if (held > perPod) return 'pod';
  return (sharesFairly ? held : 0) > room - used ? 'node' : undefined;
}
