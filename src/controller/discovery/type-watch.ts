import type { DeltaRequest, DeltaResource } from '#shared/discovery/delta-message.ts';
import type { ResourceType } from '#shared/discovery/mesh-resource.ts';
import type { ResourceChange, ResourceStore, StoredResource } from './resource-store.ts';

/** What goes into the next response of one type. */
export interface Push {
  readonly resources: readonly DeltaResource[];
  readonly removed: readonly string[];
  readonly moreFollows: boolean;
}

/** How one client stands with one type, for `/debug/syncz`. */
export interface WatchStatus {
  readonly type: ResourceType;
  readonly state: 'synced' | 'stale' | 'nack';
  /** Names that changed and have not been sent. */
  readonly pending: number;
  readonly sentNonce: string;
  readonly ackedNonce: string;
  /** When the last push was sent and the last ACK or NACK came, ISO 8601; undefined: never. */
  readonly sentAt: string | undefined;
  readonly answeredAt: string | undefined;
  /** Why the last NACK was sent; kept for the record after a later ACK. */
  readonly lastNack: { readonly nonce: string; readonly reason: string } | undefined;
}

/**
 * Server state of one type on one stream. It holds no list of what was sent: the store knows what is, `dirty` knows which
 * names the client must hear of, and a name that is dirty and not in the store is a removal. So a client costs memory for
 * what is pending, not for all there is.
 *
 * One push is outstanding at a time; what changes meanwhile is merged into the next one.
 */
export class TypeWatch {
  readonly type: ResourceType;
  /** Of the client, proven. */
  readonly #identity: string;
  #wildcard = false;
  readonly #names = new Set<string>();
  /** Resources that were found through an alias: their changes go to the client under their own names. */
  readonly #resolved = new Set<string>();
  readonly #dirty = new Set<string>();
  /** The first request is answered even if there is nothing: the client waits to be told so. */
  #mustAnswer = true;
  #opened = false;
  #sentNonce = '';
  #ackedNonce = '';
  #sentAtMs: number | undefined;
  #answeredAtMs: number | undefined;
  #outstanding = false;
  #rejected = false;
  #lastNack: WatchStatus['lastNack'];

  constructor(type: ResourceType, identity: string) {
    this.type = type;
    this.#identity = identity;
  }

  get outstanding(): boolean {
    return this.#outstanding;
  }

  /** Something changed that has not been sent. */
  get hasPending(): boolean {
    return this.#dirty.size > 0;
  }

  /** `nowMs` is wall clock. @returns the reason when the request was a NACK of the outstanding push. */
  onRequest(request: DeltaRequest, store: ResourceStore, nowMs: number): string | undefined {
    const nack = this.#onAnswer(request, nowMs);
    for (const name of request.unsubscribe) this.#unsubscribe(name);
    if (!this.#opened) {
      this.#opened = true;
      this.#open(request, store);
    } else {
      for (const name of request.subscribe) this.#subscribe(name, store, NO_VERSIONS);
    }
    return nack;
  }

  /** Marks what this client has to hear of. */
  onChange(change: ResourceChange): void {
    const { name, aliases, audience } = change;
    // Not even its name is for others.
    if (audience?.includes(this.#identity) === false) return;
    const isWatched =
      this.#wildcard ||
      this.#names.has(name) ||
      this.#resolved.has(name) ||
      aliases.some(alias => this.#names.has(alias));
    if (isWatched) this.#dirty.add(name);
  }

  /** The next push of at most about `maxBytes`, undefined when there is none or the last one is not answered yet. */
  nextPush(store: ResourceStore, maxBytes: number): Push | undefined {
    if (this.#outstanding || !this.#opened || (this.#dirty.size === 0 && !this.#mustAnswer)) return undefined;
    this.#mustAnswer = false;
    const resources: DeltaResource[] = [];
    const removed: string[] = [];
    let bytes = 0;
    for (const name of this.#dirty) {
      if (bytes >= maxBytes) break;
      this.#dirty.delete(name);
      const found = this.#resolve(store, name);
      if (found.length === 0) {
        removed.push(name);
        bytes += name.length;
        this.#resolved.delete(name);
      }
      for (const stored of found) {
        resources.push(this.#toDelta(stored));
        bytes += stored.value.length + stored.name.length;
        if (!this.#wildcard) this.#resolved.add(stored.name);
      }
    }
    return { resources, removed, moreFollows: this.#dirty.size > 0 };
  }

  onSent(nonce: string, nowMs: number): void {
    this.#sentNonce = nonce;
    this.#sentAtMs = nowMs;
    this.#outstanding = true;
  }

  get state(): WatchStatus['state'] {
    if (this.#outstanding || this.#dirty.size > 0 || this.#mustAnswer) return 'stale';
    return this.#rejected ? 'nack' : 'synced';
  }

  status(): WatchStatus {
    return {
      type: this.type,
      state: this.state,
      pending: this.#dirty.size,
      sentNonce: this.#sentNonce,
      ackedNonce: this.#ackedNonce,
      sentAt: isoTime(this.#sentAtMs),
      answeredAt: isoTime(this.#answeredAtMs),
      lastNack: this.#lastNack,
    };
  }

  /** An answer to anything but the outstanding push is out of date and says nothing. */
  #onAnswer(request: DeltaRequest, nowMs: number): string | undefined {
    if (request.nonce === '' || request.nonce !== this.#sentNonce || !this.#outstanding) return undefined;
    this.#outstanding = false;
    this.#answeredAtMs = nowMs;
    const reason = request.error?.message;
    this.#rejected = reason !== undefined;
    if (reason === undefined) this.#ackedNonce = request.nonce;
    else this.#lastNack = { nonce: request.nonce, reason: reason.slice(0, MAX_REASON_LENGTH) };
    return reason;
  }

  #open(request: DeltaRequest, store: ResourceStore): void {
    if (request.subscribe.length === 0) this.#subscribe('*', store, request.initialVersions);
    for (const name of request.subscribe) this.#subscribe(name, store, request.initialVersions);
    // What the client holds and we no longer have.
    for (const name of request.initialVersions.keys()) {
      if (!this.#mayHold(store.get(this.type, name))) this.#dirty.add(name);
      else if (!this.#wildcard) this.#resolved.add(name);
    }
  }

  #subscribe(name: string, store: ResourceStore, held: ReadonlyMap<string, string>): void {
    if (name === '*') {
      this.#wildcard = true;
      for (const stored of store.all(this.type).values())
        if (this.#mayHold(stored)) this.#markUnlessHeld(stored, held);
      return;
    }
    if (this.#names.size >= MAX_NAMES) return;
    this.#names.add(name);
    const found = this.#resolve(store, name);
    // A name that means nothing yet is answered as removed: the client need not wait.
    if (found.length === 0) this.#dirty.add(name);
    for (const stored of found) this.#markUnlessHeld(stored, held);
  }

  #resolve(store: ResourceStore, name: string): readonly StoredResource[] {
    return store.resolve(this.type, name).filter(stored => this.#mayHold(stored));
  }

  #mayHold(stored: StoredResource | undefined): boolean {
    return stored !== undefined && stored.audience?.includes(this.#identity) !== false;
  }

  #markUnlessHeld(stored: StoredResource, held: ReadonlyMap<string, string>): void {
    if (held.get(stored.name) !== stored.version) this.#dirty.add(stored.name);
  }

  #unsubscribe(name: string): void {
    if (name === '*') this.#wildcard = false;
    else this.#names.delete(name);
  }

  #toDelta(stored: StoredResource): DeltaResource {
    const { name, version, value } = stored;
    // Only an on-demand client looks a resource up by another name than its own.
    return { name, version, aliases: this.#wildcard ? [] : stored.aliases, typeUrl: this.type, value };
  }
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

const NO_VERSIONS: ReadonlyMap<string, string> = new Map();
/** As many as a client of ours asks for (`subscription.ts`). */
const MAX_NAMES = 100_000;
const MAX_REASON_LENGTH = 4096;
