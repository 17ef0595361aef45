import type { Clock, Timer } from '../lifecycle/clock.ts';
import type { MeshDelta } from '../workload/mesh-view.ts';
import { collectGarbage } from './collect-garbage.ts';

/** Fewer leave less behind than a collection is worth. */
const MIN_CHANGES = 256;
/** More changes come, as a rule. */
const BURST_MS = 10_000;
/** Of a mesh that never rests. */
const MAX_BUSY_SHARE = 0.005;

/**
 * Full collections of the main thread's heap when much of the mesh has changed. Each message leaves buffers and objects behind,
 * and a thread that has little to do comes to collect them late or never: a mesh that grew pod by pod to 2,000 took
 * twice what it needs. A collection holds up no traffic, and takes its small share of the time at most. Traffic threads
 * are left alone: theirs would.
 */
export class ChangeGarbage {
  readonly #clock: Clock;
  readonly #collect: () => void;
  #changes = 0;
  #notBefore = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, collect = collectGarbage) {
    this.#clock = clock;
    this.#collect = collect;
  }

  add(delta: MeshDelta): void {
    this.#changes += changesIn(delta);
    if (this.#changes < MIN_CHANGES) return;
    const pauseMs = this.#notBefore - this.#clock.monotonic();
    this.#timer ??= this.#clock.setTimer(Math.max(BURST_MS, pauseMs), () => this.#run());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #run(): void {
    this.#timer = undefined;
    this.#changes = 0;
    const startedAt = this.#clock.monotonic();
    this.#collect();
    const endedAt = this.#clock.monotonic();
    this.#notBefore = endedAt + (endedAt - startedAt) / MAX_BUSY_SHARE;
  }
}

function changesIn(delta: MeshDelta): number {
  const present = [delta.workloads, delta.services, delta.policies, delta.routes];
  const gone = [delta.removedWorkloads, delta.removedServices, delta.removedPolicies, delta.removedRoutes];
  return [...present, ...gone].reduce((sum, { length }) => sum + length, 0);
}
