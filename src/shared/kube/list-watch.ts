import { isJsonObject, type JsonObject } from '../config/json.ts';
import { type BackoffOptions, backoffDelay } from '../lifecycle/backoff.ts';
import { type Clock, delay } from '../lifecycle/clock.ts';
import type { Logger } from '../observability/logger.ts';
import { KubeApiError, kubeStatus } from './kube-api-error.ts';
import type { KubeApi } from './kube-client.ts';
import { parseWatchEvent, resourceVersionOf } from './watch-event.ts';

export interface ListWatchOptions<T> {
  readonly api: KubeApi;
  /** Of the collection, for instance `/api/v1/pods`. */
  readonly path: string;
  /** Selectors. */
  readonly query: Readonly<Record<string, string>>;
  /** An object that is not as it should be is rejected alone: its last good version stays. */
  readonly parse: (object: JsonObject) => ParsedObject<T>;
  /** The whole set, after the first list and after every change. Not to be kept: it changes. */
  readonly onChange: (items: ReadonlyMap<string, T>) => void;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

export type ParsedObject<T> =
  | { readonly ok: true; readonly key: string; readonly value: T }
  | { readonly ok: false; readonly error: string };

const RETRY: BackoffOptions = { initialMs: 100, maxMs: 15_000, factor: 2, jitter: 0.3 };
const PAGE_SIZE = 500;
/** The server ends a watch after about this long; spread, so that the watches of many nodes do not end together. */
const WATCH_SECONDS = { min: 240, spread: 240 };
/** Everything is listed again this often, should a watch ever have missed something. */
const RESYNC_MS = 1_800_000;
/** A watch that ends sooner, and brought nothing, has failed. */
const SHORTEST_WATCH_MS = 1_000;

/**
 * Keeps a copy of a collection of the API server: list, then watch from that version, and list again when the server has
 * forgotten the version. While the server cannot be reached the last known set stays; it is tried again for ever.
 */
export class ListWatch<T> {
  readonly #options: ListWatchOptions<T>;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #items = new Map<string, T>();
  /** UID → key: what an object that can no longer be read was called. */
  readonly #keys = new Map<string, string>();
  readonly #firstList: { readonly promise: Promise<void>; readonly resolve: () => void };
  #running: Promise<void> | undefined;
  #version: string | undefined;
  #listedAt = 0;
  #failures = 0;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    this.#logger = options.logger.child('list_watch');
    this.#firstList = Promise.withResolvers<void>();
  }

  get items(): ReadonlyMap<string, T> {
    return this.#items;
  }

  /** Resolves when the set is known for the first time, however long that takes. */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return this.#firstList.promise;
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        if (this.#version === undefined || clock.monotonic() - this.#listedAt > RESYNC_MS) await this.#list();
        await this.#watch();
      } catch (error) {
        if (signal.aborted) return;
        await this.#waitAfter(error);
      }
    }
  }

  async #waitAfter(error: unknown): Promise<void> {
    const { clock, path, random } = this.#options;
    // A version the server has forgotten is no failure of either side: the list comes at once, but only once.
    if (kubeStatus(error) === 410) {
      this.#version = undefined;
      this.#logger.info('the watched version has expired; listing again', { path });
      if (this.#failures++ === 0) return;
    } else {
      this.#failures++;
    }
    const retryInMs = backoffDelay(RETRY, this.#failures - 1, random());
    this.#logger.warn('cannot watch; the last known objects stay', {
      path,
      error: error instanceof Error ? error.message : String(error),
      retryInMs: Math.round(retryInMs),
    });
    await delay(clock, retryInMs, this.#stopped.signal).catch(() => undefined);
  }

  async #list(): Promise<void> {
    const { api, clock, onChange } = this.#options;
    const seen = new Set<string>();
    let next = '';
    let version: string;
    do {
      const page = await api.send({
        method: 'GET',
        path: this.#url({ limit: String(PAGE_SIZE), ...(next === '' ? {} : { continue: next }) }),
        signal: this.#stopped.signal,
      });
      if (!isJsonObject(page) || !Array.isArray(page['items'])) throw new Error('the answer is no list');
      for (const item of page['items']) if (isJsonObject(item)) seen.add(this.#keep(item) ?? '');
      version = resourceVersionOf(page);
      next = continuationOf(page);
    } while (next !== '');
    for (const key of this.#items.keys()) if (!seen.has(key)) this.#items.delete(key);
    const kept = [...this.#keys].filter(([, key]) => seen.has(key));
    this.#keys.clear();
    for (const [uid, key] of kept) this.#keys.set(uid, key);
    this.#version = version;
    this.#listedAt = clock.monotonic();
    this.#failures = 0;
    onChange(this.#items);
    this.#firstList.resolve();
  }

  async #watch(): Promise<void> {
    const { api, clock, random } = this.#options;
    const startedAt = clock.monotonic();
    const timeoutSeconds = String(Math.round(WATCH_SECONDS.min + random() * WATCH_SECONDS.spread));
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds,
      resourceVersion: this.#version ?? '',
    };
    let events = 0;
    await api.watch(
      this.#url(query),
      line => {
        events++;
        this.#apply(line);
      },
      this.#stopped.signal,
    );
    if (events === 0 && clock.monotonic() - startedAt < SHORTEST_WATCH_MS) {
      throw new Error('the watch ended at once, without an event');
    }
  }

  #apply(line: string): void {
    const event = parseWatchEvent(line);
    switch (event.kind) {
      case 'error':
      case 'expired':
        throw new KubeApiError(event.kind === 'expired' ? 410 : event.status, event.message);
      case 'changed':
        this.#keep(event.object);
        break;
      case 'deleted':
        this.#drop(event.object);
        break;
      case 'bookmark':
        break;
    }
    this.#version = event.resourceVersion;
    this.#failures = 0;
    if (event.kind !== 'bookmark') this.#options.onChange(this.#items);
  }

  /** @returns the key, also of an object whose last good version is kept. */
  #keep(object: JsonObject): string | undefined {
    const uid = uidOf(object);
    const parsed = this.#options.parse(object);
    if (parsed.ok) {
      this.#items.set(parsed.key, parsed.value);
      this.#keys.set(uid, parsed.key);
      return parsed.key;
    }
    this.#logger.warn('an object is not understood; its last good version stays', {
      path: this.#options.path,
      uid,
      error: parsed.error,
    });
    return this.#keys.get(uid);
  }

  #drop(object: JsonObject): void {
    const uid = uidOf(object);
    const parsed = this.#options.parse(object);
    const key = this.#keys.get(uid) ?? (parsed.ok ? parsed.key : undefined);
    if (key !== undefined) this.#items.delete(key);
    this.#keys.delete(uid);
  }

  #url(query: Readonly<Record<string, string>>): string {
    return `${this.#options.path}?${new URLSearchParams({ ...this.#options.query, ...query }).toString()}`;
  }
}

function uidOf(object: JsonObject): string {
  const metadata = object['metadata'];
  const uid = isJsonObject(metadata) ? metadata['uid'] : undefined;
  return typeof uid === 'string' ? uid : '';
}

function continuationOf(page: JsonObject): string {
  const metadata = page['metadata'];
  const next = isJsonObject(metadata) ? metadata['continue'] : undefined;
  return typeof next === 'string' ? next : '';
}
