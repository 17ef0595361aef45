import type { KubeApi } from '#shared/kube/client.ts';
import { Informer } from '#shared/kube/informer.ts';
import { kindName } from '#shared/kube/kind-name.ts';
import type { KubeResource } from '#shared/kube/resource.ts';
import { type BackoffOptions, backoffDelay } from '#shared/lifecycle/backoff.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { KnownKind } from '../known-kinds.ts';
import { KindPresence } from './kind-presence.ts';
import { servedKinds } from './served-kinds.ts';

export interface KindWatchOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly wanted: ReadonlyMap<string, KnownKind>;
  /** A kind is served, or is served in another version than before. */
  readonly onCame: (resource: KubeResource) => void;
  readonly onWent: (kind: string) => void;
  /** After each look that succeeded, when the kinds it found have been told. */
  readonly onLooked: () => void;
  readonly onWatchError: (kind: string) => void;
}

const CRDS: KubeResource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
/** The server takes a moment to serve what a CRD says. */
const AFTER_CRD_MS: readonly number[] = [100, 1000, 5000];
/** A kind that is missed is missed again after this, or it is still there. */
const DOUBT_MS = 10_000;
/** Events are the rule; a look in between finds what they did not tell. */
const LOOK_MS = 60_000;
const BACKOFF: BackoffOptions = { initialMs: 200, maxMs: 10_000, factor: 2, jitter: 0.5 };

/** Follows which kinds are served: CRDs come and go while the controller runs. */
export class KindWatch {
  readonly #options: KindWatchOptions;
  readonly #presence = new KindPresence();
  readonly #stopping = new AbortController();
  readonly #crds: Informer;
  #looking: Promise<void> | undefined;
  #timer: Timer | undefined;
  /** Delays of the looks that are still to follow the last event. */
  #coming: readonly number[] = [];
  #failures = 0;
  #failure: string | undefined;

  constructor(options: KindWatchOptions) {
    this.#options = options;
    this.#crds = new Informer({
      ...options,
      resource: CRDS,
      metadataOnly: true,
      onChange: () => this.#onCrd(),
      onFailure: () => options.onWatchError(CRDS.kind),
    });
  }

  /** Why the last look failed. */
  get failure(): string | undefined {
    return this.#failure;
  }

  start(): void {
    this.#crds.start();
    this.#lookIn(0);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'));
    this.#timer?.cancel();
    await Promise.all([this.#crds.stop(), this.#looking]);
  }

  #onCrd(): void {
    this.#coming = AFTER_CRD_MS;
    this.#lookNext();
  }

  #lookNext(): void {
    const [next = LOOK_MS, ...rest] = this.#coming;
    this.#coming = rest;
    this.#lookIn(next);
  }

  #lookIn(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#stopping.signal.aborted) return;
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      // One at a time; the one that runs may not have seen what this is for.
      this.#looking = (this.#looking ?? Promise.resolve()).then(() => this.#look());
    });
  }

  async #look(): Promise<void> {
    const { api, onCame, onLooked, onWent, random, wanted } = this.#options;
    const { signal } = this.#stopping;
    try {
      const served = await servedKinds(api, wanted, signal);
      if (signal.aborted) return;
      const { came, doubtful, went } = this.#presence.onLook(served);
      for (const resource of came) onCame(resource);
      for (const kind of went) onWent(kind);
      this.#report(came, went);
      onLooked();
      if (doubtful && this.#coming.length === 0) this.#lookIn(DOUBT_MS);
      else this.#lookNext();
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = errorMessage(error);
      this.#options.onWatchError(CRDS.kind);
      this.#lookIn(backoffDelay(BACKOFF, this.#failures++, random()));
    }
  }

  #report(came: readonly KubeResource[], went: readonly string[]): void {
    this.#failures = 0;
    this.#failure = undefined;
    const { logger } = this.#options;
    if (came.length > 0)
      logger.info('kinds followed', {
        kinds: came.map(({ group, kind }) => kindName(group, kind)).join(' '),
      });
    if (went.length > 0)
      logger.warn('kinds are no longer served, their objects are gone', { kinds: went.join(' ') });
  }
}
