import { type KubeApi, MERGE_PATCH } from '#shared/kube/client.ts';
import { bareKind, groupOf } from '#shared/kube/kind-name.ts';
import { ifThere } from '#shared/kube/kube-error.ts';
import { type KubeResource, objectPath } from '#shared/kube/resource.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { LeaderTask } from '../kube/leadership.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import { numberAt, objectAt, textAt } from '../translate/loose-fields.ts';
import type { DesiredStatus } from './desired-status.ts';
import { statusChange } from './merge-status.ts';
import { pluralOf } from './status-kinds.ts';

export interface StatusWriterOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** What every status should say now. */
  readonly compute: () => ReadonlyMap<string, DesiredStatus>;
  /** Something may have changed what they should say. @returns what ends that */
  readonly onChange: (listener: () => void) => () => void;
}

/** Changes within this time are one computation. */
const DEBOUNCE_MS = 50;
/** A status somebody else overwrote is found by looking. */
const RESYNC_MS = 10 * 60_000;
const CONCURRENCY = 8;
const PER_SECOND = 100;
const BURST = 200;

/**
 * Keeps statuses as they should be: what is to be said is computed from the index, what differs from what was last
 * written is read from the server and patched there, where it differs.
 */
export class StatusWriter implements LeaderTask {
  readonly name = 'statuses';
  readonly #options: StatusWriterOptions;
  #desired: ReadonlyMap<string, DesiredStatus> = new Map();
  /** Of each key, what was last asked for, as text. */
  readonly #asked = new Map<string, string>();
  #queue: WorkQueue | undefined;
  #soon: Timer | undefined;
  #resync: Timer | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, logger, onChange, random } = this.#options;
    this.#queue = new WorkQueue({
      clock,
      random,
      concurrency: CONCURRENCY,
      perSecond: PER_SECOND,
      burst: BURST,
      process: key => this.#write(key),
      onFailure: (key, error, waitMs) => {
        const reason = errorMessage(error);
        logger.warn('status could not be written, trying again', { object: key, reason, waitMs });
      },
    });
    this.#unsubscribe = onChange(() => {
      this.#soon ??= clock.setTimer(DEBOUNCE_MS, () => {
        this.#soon = undefined;
        this.#lookAtAll();
      });
    });
    this.#lookAgain();
    this.#queue.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#soon?.cancel();
    this.#soon = undefined;
    this.#resync?.cancel();
    await this.#queue?.stop();
    this.#asked.clear();
  }

  #lookAgain(): void {
    this.#asked.clear();
    this.#lookAtAll();
    this.#resync = this.#options.clock.setTimer(RESYNC_MS, () => this.#lookAgain());
  }

  #lookAtAll(): void {
    this.#desired = this.#options.compute();
    for (const key of this.#asked.keys()) if (!this.#desired.has(key)) this.#asked.delete(key);
    for (const [key, desired] of this.#desired) {
      const text = fingerprint(desired);
      if (this.#asked.get(key) === text) continue;
      this.#asked.set(key, text);
      this.#queue?.add(key);
    }
  }

  async #write(key: string): Promise<void> {
    const desired = this.#desired.get(key);
    if (desired === undefined) return;
    const { api, clock } = this.#options;
    const { name, namespace } = desired.object.metadata;
    const resource = resourceOf(desired);
    const present = await ifThere(api.request({ path: objectPath(resource, namespace, name) }));
    if (present === undefined) return;
    const metadata = objectAt(present, 'metadata');
    // Of a newer object we know nothing yet: what we say is about the one that was looked at.
    const { generation } = desired.object.metadata;
    if (generation < (numberAt(metadata, 'generation') ?? 0)) return;
    const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const status = statusChange(objectAt(present, 'status'), desired, generation, now);
    if (status === undefined) return;
    // With the version that was read: a list that somebody else changed meanwhile is read again, not overwritten.
    const body = { metadata: { resourceVersion: textAt(metadata, 'resourceVersion') }, status };
    const path = objectPath(resource, namespace, name, 'status');
    await ifThere(api.request({ method: 'PATCH', path, contentType: MERGE_PATCH, body }));
  }
}

function resourceOf({ object }: DesiredStatus): KubeResource {
  const { apiVersion, kind } = object;
  return {
    group: groupOf(apiVersion),
    version: apiVersion.slice(apiVersion.indexOf('/') + 1),
    kind: bareKind(kind),
    plural: pluralOf(kind),
    namespaced: object.metadata.namespace !== '',
  };
}

/** Without the object itself: only what is said, and of which generation. */
function fingerprint(desired: DesiredStatus): string {
  const { object, ...said } = desired;
  return JSON.stringify([object.metadata.generation, said]);
}
