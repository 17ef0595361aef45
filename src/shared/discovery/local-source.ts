import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import { errorMessage } from '../observability/error-message.ts';
import type { Logger } from '../observability/logger.ts';
import type { DiscoveryListener, DiscoverySource, DiscoveryStatus } from './discovery-source.ts';
import { parseLocalConfig } from './local-config.ts';
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  type MeshResource,
  type ResourceType,
  resourceName,
  resourceType,
  toMeshDelta,
} from './mesh-resource.ts';
import type { RejectedResource } from './subscription.ts';

export interface LocalSourceOptions {
  /** YAML or JSON. */
  readonly path: string;
  readonly listener: DiscoveryListener;
  readonly clock: Clock;
  readonly logger: Logger;
}

const TYPES: readonly ResourceType[] = [ADDRESS_TYPE, AUTHORIZATION_TYPE];
const DEBOUNCE_MS = 20;

/** Discovery from a watched file (`LOCAL_XDS_PATH`): the same deltas as from a controller, for trials and single machines. */
export class LocalSource implements DiscoverySource {
  readonly #options: LocalSourceOptions;
  #held: ReadonlyMap<string, MeshResource> = new Map();
  #rejected: readonly RejectedResource[] = [];
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #loadedAt: number | undefined;
  #lastError: string | undefined;

  constructor(options: LocalSourceOptions) {
    this.#options = options;
  }

  start(): void {
    const { path } = this.#options;
    // The directory, not the file: a file replaced by rename is another file.
    this.#watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(path)) this.#loadSoon();
    });
    this.#watcher.on('error', error => (this.#lastError = error.message));
    this.#load();
  }

  stop(): Promise<void> {
    this.#watcher?.close();
    this.#timer?.cancel();
    return Promise.resolve();
  }

  subscribe(): void {
    // Everything of the file is subscribed.
  }

  status(): DiscoveryStatus {
    const all = [...this.#held.values()];
    return {
      source: this.#options.path,
      connectedSince: this.#loadedAt === undefined ? undefined : new Date(this.#loadedAt).toISOString(),
      lastError: this.#lastError,
      types: TYPES.map(type => ({
        type,
        synced: this.#loadedAt !== undefined,
        resources: all.filter(resource => resourceType(resource) === type).length,
        systemVersion: '',
        rejected: this.#rejected,
      })),
    };
  }

  #loadSoon(): void {
    this.#timer ??= this.#options.clock.setTimer(DEBOUNCE_MS, () => {
      this.#timer = undefined;
      this.#load();
    });
  }

  #load(): void {
    const { clock, listener, logger, path } = this.#options;
    const isFirst = this.#loadedAt === undefined;
    try {
      const parsed = parseLocalConfig(parse(readFileSync(path, 'utf8')));
      this.#rejected = parsed.flatMap(i => (i.ok ? [] : [{ name: i.item, version: '', reason: i.reason }]));
      for (const { name, reason } of this.#rejected)
        logger.warn('item rejected', { path, item: name, reason });
      this.#replace(parsed.flatMap(i => (i.ok ? [i.resource] : [])));
      this.#loadedAt = clock.now();
      this.#lastError = undefined;
      if (isFirst) listener.onSynced();
    } catch (error) {
      this.#lastError = errorMessage(error);
      logger.error('configuration file not usable, the last one stays', { path, reason: this.#lastError });
    }
  }

  /** While an item is bad, what is missing may be what it has become of: it is kept. */
  #replace(resources: readonly MeshResource[]): void {
    const next = new Map(
      resources.map(resource => [`${resourceType(resource)} ${resourceName(resource)}`, resource]),
    );
    const gone: [ResourceType, string][] = [];
    for (const [key, resource] of this.#held) {
      if (next.has(key)) continue;
      if (this.#rejected.length > 0) next.set(key, resource);
      else gone.push([resourceType(resource), resourceName(resource)]);
    }
    const changed = [...next]
      .filter(([key, r]) => !isDeepStrictEqual(this.#held.get(key), r))
      .map(([, r]) => r);
    this.#held = next;
    for (const type of TYPES) {
      const ofType = changed.filter(resource => resourceType(resource) === type);
      const removed = gone.filter(([t]) => t === type).map(([, name]) => name);
      if (ofType.length + removed.length > 0)
        this.#options.listener.onDelta(toMeshDelta(type, ofType, removed));
    }
  }
}
