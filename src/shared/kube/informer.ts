import { type BackoffOptions, backoffDelay } from '../lifecycle/backoff.ts';
import { type Clock, delay, type Timer } from '../lifecycle/clock.ts';
import { errorMessage } from '../observability/error-message.ts';
import type { Logger } from '../observability/logger.ts';
import type { KubeApi } from './client.ts';
import { isGone, KubeError, kubeErrorOf } from './kube-error.ts';
import {
  type InformerChange,
  KnownVersions,
  nameKey,
  type ObjectName,
  objectNameOf,
  resourceVersionOf,
} from './known-versions.ts';
import { acceptOf, listObjects, type Selection, selectorQuery } from './list.ts';
import { collectionPath } from './resource.ts';
import type { WatchEvent } from './watch-decoder.ts';

export interface InformerOptions extends Selection {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** In the order of the server; a relist hands over what differs. */
  readonly onChange: (change: InformerChange) => void;
  /** All there is has been handed over once. */
  readonly onSynced?: () => void;
  /** A list or watch broke off; it is tried again. */
  readonly onFailure?: () => void;
}

const BACKOFF: BackoffOptions = { initialMs: 200, maxMs: 30_000, factor: 2, jitter: 0.5 };
/** The server ends a watch after this, give or take half: replicas of the API server share the load anew. */
const WATCH_S = 300;
/** A bookmark comes every minute; three missed ones mean that the connection is dead. */
const IDLE_MS = 200_000;
/** A list in between finds what a watch should have told and did not. */
const RELIST_MS = 30 * 60_000;
/** A watch that ends sooner counts as a failure: a proxy in between may cut every one. */
const MIN_WATCH_MS = 1000;
/** A watch that lives for so long was not begun at a version that is too old again. */
const STEADY_MS = 10_000;

/**
 * Keeps in step with all objects of one kind: a list, then a watch from where it was, for ever. Whatever goes wrong is
 * tried again: a watch that ends goes on from the last version heard of (bookmarks included); one that is too old for the
 * server (410) begins with a list, which tells what differs and what is gone meanwhile. While the server is away
 * everything known stays.
 */
export class Informer {
  readonly #options: InformerOptions;
  readonly #known = new KnownVersions();
  readonly #stopping = new AbortController();
  #resourceVersion: string | undefined;
  #listedAt = 0;
  #failures = 0;
  /** Versions that were too old, one behind the other: each costs the server a list of everything. */
  #goneInARow = 0;
  #synced = false;
  #failure: string | undefined;
  #running: Promise<void> | undefined;

  constructor(options: InformerOptions) {
    this.#options = options;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** Why it is not in step at the moment. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Objects told of. */
  get size(): number {
    return this.#known.size;
  }

  knows(name: ObjectName): boolean {
    return this.#known.has(name);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Nothing is told after it. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('informer stopped'));
    await this.#running;
  }

  /** Forgets all. @returns what was known, for a kind that is gone. */
  clear(): readonly ObjectName[] {
    this.#resourceVersion = undefined;
    return this.#known.clear();
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        if (this.#resourceVersion === undefined || clock.monotonic() - this.#listedAt > RELIST_MS) {
          await this.#list();
        }
        await this.#watch();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        const waitMs = Math.max(
          backoffDelay(BACKOFF, Math.max(this.#failures, this.#goneInARow), random()),
          1000 * (error instanceof KubeError ? (error.retryAfterS ?? 0) : 0),
        );
        this.#onFailure(error, waitMs);
        await delay(clock, waitMs, this.#stopping.signal).catch(() => undefined);
      }
    }
  }

  async #list(): Promise<void> {
    const { api, clock, onSynced } = this.#options;
    this.#known.beginList();
    const version = await listObjects(api, this.#options, {
      signal: this.#stopping.signal,
      onPage: items => this.#tell({ upserts: this.#known.onPage(items), deletes: [] }),
    });
    this.#tell({ upserts: [], deletes: this.#known.endList() });
    this.#resourceVersion = version;
    this.#listedAt = clock.monotonic();
    if (this.#synced || this.#stopping.signal.aborted) return;
    this.#synced = true;
    onSynced?.();
  }

  /** Resolves when the server has ended the watch in an orderly way. */
  async #watch(): Promise<void> {
    const { api, clock, namespace, random, resource } = this.#options;
    const startedAt = clock.monotonic();
    let steady: Timer | undefined;
    const watching = api.watch({
      path: collectionPath(resource, namespace),
      query: {
        ...selectorQuery(this.#options),
        resourceVersion: this.#resourceVersion,
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(Math.round(WATCH_S * (0.5 + random()))),
      },
      accept: acceptOf(this.#options, 'PartialObjectMetadata'),
      signal: this.#stopping.signal,
      idleMs: IDLE_MS,
      onOpen: () => {
        // Not at once: what comes may be no events, or that it is too old again, and each would be a line in the log.
        steady = clock.setTimer(this.#goneInARow === 0 ? MIN_WATCH_MS : STEADY_MS, () => this.#recovered());
      },
      onEvents: events => this.#onEvents(events),
    });
    await watching.finally(() => steady?.cancel());
    if (clock.monotonic() - startedAt >= MIN_WATCH_MS) {
      this.#failures = 0;
      return;
    }
    throw new Error(`watch of ${resource.plural} ended at once`);
  }

  #onEvents(events: readonly WatchEvent[]): void {
    const upserts = new Map<string, WatchEvent['object']>();
    const deletes = new Map<string, ObjectName>();
    for (const event of events) {
      if (event.type === 'ERROR') {
        this.#tell({ upserts: [...upserts.values()], deletes: [...deletes.values()] });
        throw kubeErrorOf(500, event.object, `watch of ${this.#options.resource.plural}`);
      }
      this.#resourceVersion = resourceVersionOf(event.object) || this.#resourceVersion;
      this.#collect(event, upserts, deletes);
    }
    this.#failures = 0;
    if (this.#goneInARow === 0) this.#recovered();
    this.#tell({ upserts: [...upserts.values()], deletes: [...deletes.values()] });
  }

  /** Of an object that changed twice in what arrived together, the last state is told. */
  #collect(
    { object, type }: WatchEvent,
    upserts: Map<string, WatchEvent['object']>,
    deletes: Map<string, ObjectName>,
  ): void {
    if (type === 'BOOKMARK') return;
    if (type === 'DELETED') {
      const name = this.#known.onDelete(object);
      if (name === undefined) return;
      upserts.delete(nameKey(name));
      deletes.set(nameKey(name), name);
    } else if (this.#known.onUpsert(object)) {
      const key = nameKey(objectNameOf(object));
      deletes.delete(key);
      upserts.set(key, object);
    }
  }

  #tell(change: InformerChange): void {
    if (this.#stopping.signal.aborted) return;
    if (change.upserts.length > 0 || change.deletes.length > 0) this.#options.onChange(change);
  }

  #recovered(): void {
    this.#goneInARow = 0;
    if (this.#failure !== undefined) {
      this.#options.logger.info('in step with the API server again', { kind: this.#options.resource.kind });
    }
    this.#failure = undefined;
  }

  #onFailure(error: unknown, waitMs: number): void {
    const { logger, resource } = this.#options;
    const reason = errorMessage(error);
    if (isGone(error)) {
      // An ordinary event after a long outage, not a fault; what differs is told by the list.
      this.#resourceVersion = undefined;
      logger.debug('too far behind the API server, listing again', { kind: resource.kind, reason });
      if (this.#goneInARow++ === 0) return;
    } else this.#failures++;
    // One line when it begins: an outage of an hour is not news every half minute.
    if (this.#failure === undefined)
      logger.warn('not in step with the API server, trying again', { kind: resource.kind, reason, waitMs });
    this.#failure = reason;
    this.#options.onFailure?.();
  }
}
