import type { DeltaRequest, DeltaResource, DeltaResponse, DiscoveryNode } from './delta-message.ts';

/**
 * Client state of one resource type on a delta stream: what is subscribed, which version of what is held, what to say next.
 * It outlives streams, so that a reconnect asks only for what changed. Pure: no IO, no clock.
 *
 * A rejected resource is not "known" in its new version: the last good version, if any, stays known, and a reconnect
 * offers that one, so the server sends the resource again.
 */
export class DeltaSubscription {
  readonly typeUrl: string;
  readonly #wildcard: boolean;
  readonly #known = new Map<string, string>();
  readonly #rejected = new Map<string, RejectedResource>();
  readonly #requested = new Set<string>();
  #streamOpen = false;
  #synced = false;

  constructor(typeUrl: string, mode: 'wildcard' | 'on_demand') {
    this.typeUrl = typeUrl;
    this.#wildcard = mode === 'wildcard';
  }

  /** Resource name → version held, accepted ones only. */
  get known(): ReadonlyMap<string, string> {
    return this.#known;
  }

  get rejected(): ReadonlyMap<string, RejectedResource> {
    return this.#rejected;
  }

  /** The first message of this type has been sent on the current stream. */
  get isOpen(): boolean {
    return this.#streamOpen;
  }

  /** The whole state has been received since the process started. */
  get synced(): boolean {
    return this.#synced;
  }

  /** What a snapshot on disk held: asked for as already known. */
  restore(versions: Iterable<readonly [name: string, version: string]>): void {
    for (const [name, version] of versions) this.#known.set(name, version);
  }

  /**
   * First message of this type on a new stream. Undefined when there is nothing to ask for yet: an empty list of names
   * on a first message would mean everything.
   */
  open(node: DiscoveryNode | undefined): DeltaRequest | undefined {
    if (!this.#wildcard && this.#requested.size === 0) return undefined;
    this.#streamOpen = true;
    const names = [...this.#requested];
    return {
      ...this.#request(),
      node,
      // `*` must be said once names are: an empty list alone is the wildcard.
      subscribe: this.#wildcard && names.length > 0 ? ['*', ...names] : names,
      initialVersions: new Map(this.#known),
    };
  }

  /** The stream is gone; what is known stays. */
  close(): void {
    this.#streamOpen = false;
  }

  /**
   * Asks for `<network>/<ip>` or `<namespace>/<hostname>` on demand.
   * @returns what to send now, undefined when it is subscribed already or waits for a stream.
   */
  subscribe(name: string): DeltaRequest | undefined {
    if (this.#requested.has(name)) return undefined;
    if (this.#requested.size >= MAX_ON_DEMAND_NAMES) return undefined;
    this.#requested.add(name);
    if (!this.#streamOpen) return undefined;
    return { ...this.#request(), subscribe: [name] };
  }

  unsubscribe(name: string): DeltaRequest | undefined {
    if (!this.#requested.delete(name) || !this.#streamOpen) return undefined;
    return { ...this.#request(), unsubscribe: [name] };
  }

  /**
   * Takes a response in. `check` says why a resource is not acceptable, or undefined when it is.
   * The reply is an ACK, or a NACK that names what was rejected; the rest of the response is accepted all the same.
   */
  receive(response: DeltaResponse, check: (resource: DeltaResource) => string | undefined): ReceivedResponse {
    const accepted: DeltaResource[] = [];
    const rejected: RejectedResource[] = [];
    for (const resource of response.resources) {
      const reason = check(resource);
      if (reason === undefined) {
        accepted.push(resource);
        this.#known.set(resource.name, resource.version);
        this.#rejected.delete(resource.name);
      } else {
        const rejection = { name: resource.name, version: resource.version, reason };
        rejected.push(rejection);
        this.#rejected.set(resource.name, rejection);
      }
    }
    for (const name of response.removed) {
      this.#known.delete(name);
      this.#rejected.delete(name);
    }
    if (!response.moreFollows) this.#synced = true;
    return {
      reply: { ...this.#request(), nonce: response.nonce, error: nackError(rejected) },
      accepted,
      rejected,
      removed: response.removed,
    };
  }

  #request(): DeltaRequest {
    return {
      typeUrl: this.typeUrl,
      node: undefined,
      subscribe: [],
      unsubscribe: [],
      initialVersions: NO_VERSIONS,
      nonce: '',
      error: undefined,
    };
  }
}

export interface RejectedResource {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
}

export interface ReceivedResponse {
  readonly reply: DeltaRequest;
  readonly accepted: readonly DeltaResource[];
  readonly rejected: readonly RejectedResource[];
  readonly removed: readonly string[];
}

/** More names than any node has peers: a bound on what a scan of random addresses can make us hold. */
export const MAX_ON_DEMAND_NAMES = 100_000;
/** google.rpc.Code.INVALID_ARGUMENT */
const INVALID_ARGUMENT = 3;
/** A response may reject thousands for one cause; the first ones say enough. */
const MAX_REASONS = 10;
const NO_VERSIONS: ReadonlyMap<string, string> = new Map();

function nackError(rejected: readonly RejectedResource[]): DeltaRequest['error'] {
  if (rejected.length === 0) return undefined;
  const reasons = rejected.slice(0, MAX_REASONS).map(r => `${r.name}: ${r.reason}`);
  if (rejected.length > MAX_REASONS) reasons.push(`and ${rejected.length - MAX_REASONS} more`);
  return { code: INVALID_ARGUMENT, message: reasons.join('; ') };
}
