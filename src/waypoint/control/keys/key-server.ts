import { type BackoffOptions, backoffDelay } from '#shared/lifecycle/backoff.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { type KeySource, keySource } from '#shared/jwt/key-source.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import type { KeysCommand } from '../../workers/messages.ts';
import type { FetchDocument } from './fetch-document.ts';
import { fetchKeys } from './fetch-keys.ts';

export interface KeyServerOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly fetch: FetchDocument;
  readonly publish: (command: KeysCommand) => void;
}

interface Held {
  readonly source: KeySource;
  jwks: string | undefined;
  /** Monotonic; undefined: never. */
  fetchedAtMs: number | undefined;
  fetching: boolean;
  failures: number;
  timer: Timer | undefined;
}

/** Issuers rotate keys by showing the new one for a day or more: this is often enough (as Istio). */
const REFRESH_MS = 20 * 60_000;
/** However many tokens of unknown keys come, nobody is asked more often. */
const MIN_INTERVAL_MS = 10_000;
const RETRY: BackoffOptions = { initialMs: 1_000, maxMs: 300_000, factor: 2, jitter: 0.2 };

/**
 * Fetches the keys of all token issuers the configuration names, on the main thread, and keeps them fresh: in time, and when
 * a thread meets a token of a key it does not know. The last keys that could be fetched stay.
 */
export class KeyServer {
  readonly #options: KeyServerOptions;
  /** Sources by the service whose routes name them. */
  readonly #byService = new Map<string, readonly KeySource[]>();
  readonly #held = new Map<string, Held>();
  #stopped = false;

  constructor(options: KeyServerOptions) {
    this.#options = options;
  }

  /** To be told every change of the mesh. */
  onDelta({ removedRoutes, routes }: MeshDelta): void {
    if (routes.length === 0 && removedRoutes.length === 0) return;
    for (const name of removedRoutes) this.#byService.delete(name);
    for (const { hostname, namespace, tokenIssuers } of routes) {
      const sources = tokenIssuers.map(keySource).filter(source => source !== undefined);
      if (sources.length === 0) this.#byService.delete(`${namespace}/${hostname}`);
      else this.#byService.set(`${namespace}/${hostname}`, sources);
    }
    this.#follow(new Map([...this.#byService.values()].flat().map(source => [source.name, source])));
  }

  /** A thread needs newer keys. It is answered in any case: without having asked anybody, if that was done just now. */
  wanted(source: KeySource): void {
    const held = this.#held.get(source.name);
    if (held?.fetching === true) return;
    const sinceMs = this.#options.clock.monotonic() - (held?.fetchedAtMs ?? Number.NEGATIVE_INFINITY);
    if (held === undefined || sinceMs < MIN_INTERVAL_MS)
      this.#options.publish({ kind: 'keys', source: source.name, jwks: held?.jwks });
    else void this.#fetch(held);
  }

  /** What a thread that starts must be told. */
  commands(): readonly KeysCommand[] {
    return [...this.#held.values()]
      .filter(({ jwks }) => jwks !== undefined)
      .map(({ jwks, source }) => ({ kind: 'keys', source: source.name, jwks }));
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#held.values()) timer?.cancel();
  }

  #follow(sources: ReadonlyMap<string, KeySource>): void {
    for (const [name, { timer }] of this.#held) {
      if (sources.has(name)) continue;
      timer?.cancel();
      this.#held.delete(name);
    }
    for (const [name, source] of sources) {
      if (this.#held.has(name)) continue;
      const held: Held = {
        source,
        jwks: undefined,
        fetchedAtMs: undefined,
        fetching: false,
        failures: 0,
        timer: undefined,
      };
      this.#held.set(name, held);
      void this.#fetch(held);
    }
  }

  /** Never rejects. */
  async #fetch(held: Held): Promise<void> {
    const { clock, fetch, logger, publish } = this.#options;
    const { source } = held;
    held.timer?.cancel();
    held.fetching = true;
    try {
      const { jwks, skipped } = await fetchKeys(source, fetch);
      if (skipped.length > 0 && jwks !== held.jwks)
        logger.warn('keys of a token issuer are not used', { source: source.name, keys: skipped.join('; ') });
      held.jwks = jwks;
      held.failures = 0;
    } catch (error) {
      held.failures++;
      logger.warn('keys of a token issuer could not be fetched', {
        source: source.name,
        keys: held.jwks === undefined ? 'none: its tokens are refused' : 'the last ones stay',
        error: errorMessage(error),
      });
    }
    held.fetching = false;
    held.fetchedAtMs = clock.monotonic();
    if (this.#stopped || this.#held.get(source.name) !== held) return;
    this.#schedule(held);
    publish({ kind: 'keys', source: source.name, jwks: held.jwks });
  }

  #schedule(held: Held): void {
    const { clock, random } = this.#options;
    const delayMs =
      held.failures === 0
        ? REFRESH_MS * (0.9 + 0.1 * random())
        : backoffDelay(RETRY, held.failures - 1, random());
    held.timer = clock.setTimer(delayMs, () => void this.#fetch(held));
  }
}
