import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MeshGate } from '../pod/mesh-gate.ts';
import type { IdentifiedPod, PodWorkers } from './enrolment.ts';
import type { LocalPod } from './local-pod.ts';

export interface SuccessionOptions {
  readonly mesh: MeshGate;
  readonly workers: PodWorkers;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often an older ztunnel is looked for, which may end at any moment. */
const POLL_MS = 100;
/** One pod gets no certificate while others have theirs: it is not what an upgrade waits for without end. */
const IDENTITY_PATIENCE_MS = 10_000;
/** A running pod joins when it can be served; one that is starting is not kept from it for longer than this. */
const ABLE_DEADLINE_MS = { running: 5_000, starting: 2_000 };

/** Of one pod: when this ztunnel comes to listen for it, beside an older one or after it. */
export class Succession {
  readonly #options: SuccessionOptions;
  #missing: string | undefined;
  #impatientMs: number | undefined;

  constructor(options: SuccessionOptions) {
    this.#options = options;
  }

  /** What is missing while the pod stays with the older ztunnel; undefined: it does not. */
  get missing(): string | undefined {
    return this.#missing;
  }

  /** Resolves when this ztunnel can do what the pod needs of it; rejects, in some seconds, with what is missing. */
  async able(pod: LocalPod): Promise<void> {
    const { mesh, workers } = this.#options;
    const deadlineMs = pod.starting ? ABLE_DEADLINE_MS.starting : ABLE_DEADLINE_MS.running;
    const identity = workers.identityReady(pod, deadlineMs);
    identity.catch(() => undefined);
    await mesh.wait(deadlineMs);
    await identity;
  }

  /**
   * An older ztunnel that listens for the pod goes on alone until this one is able to serve it: new connections would be
   * shared among the two, and half of them be refused. Once the older one has gone nobody waits any more.
   * @param isServed whether somebody listens for it
   * @param isWanted by the answer no the wait is over
   * @returns whether it is still wanted
   */
  async mayListen(pod: IdentifiedPod, isServed: () => boolean, isWanted: () => boolean): Promise<boolean> {
    const { clock, mesh } = this.#options;
    try {
      while (isServed()) {
        if (mesh.known && (await this.#mayJoin(pod))) break;
        this.#wait(pod);
        await delay(clock, POLL_MS);
        if (!isWanted()) return false;
      }
      return true;
    } finally {
      this.#missing = undefined;
      this.#impatientMs = undefined;
    }
  }

  async #mayJoin(pod: IdentifiedPod): Promise<boolean> {
    const { clock, workers } = this.#options;
    this.#impatientMs ??= clock.monotonic() + IDENTITY_PATIENCE_MS;
    if (await isThere(workers.identityReady(pod, POLL_MS))) return true;
    return clock.monotonic() >= this.#impatientMs && workers.hasIdentities();
  }

  #wait({ name, namespace }: IdentifiedPod): void {
    const { logger, mesh } = this.#options;
    const missing = mesh.known
      ? 'its certificate is not there yet'
      : 'the configuration of the mesh is not known yet';
    if (missing !== this.#missing)
      logger.info('a pod stays with the older ztunnel of this node', { pod: name, namespace, missing });
    this.#missing = missing;
  }
}

function isThere(wanted: Promise<void>): Promise<boolean> {
  return wanted.then(
    () => true,
    () => false,
  );
}
