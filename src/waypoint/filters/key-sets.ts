import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { type JwtKey, parseJwks } from '#shared/jwt/jwks.ts';
import { type KeySource, keySource } from '#shared/jwt/key-source.ts';
import type { TokenIssuer } from '#shared/route/token-issuer.ts';

export interface KeySetsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asks the main thread for the newest keys of a source. It answers by `set`, whatever comes of it. */
  readonly ask: (source: KeySource) => void;
}

interface KeySet {
  keys: readonly JwtKey[] | undefined;
  /** Monotonic. Nobody asks again before it. */
  askAgainAtMs: number;
  asking: boolean;
  readonly waiting: Set<() => void>;
}

/** A token of an unknown key makes nobody fetch keys more often than this. */
const ASK_INTERVAL_MS = 10_000;
const MAX_SETS = 1_000;

/** The keys of token issuers in one thread. They are fetched by the main thread. */
export class KeySets {
  readonly #options: KeySetsOptions;
  readonly #sets = new Map<string, KeySet>();
  readonly #inline = new WeakMap<TokenIssuer, readonly JwtKey[]>();

  constructor(options: KeySetsOptions) {
    this.#options = options;
  }

  /** @returns undefined while none have come */
  keysOf(issuer: TokenIssuer): readonly JwtKey[] | undefined {
    return issuer.keys.kind === 'inline'
      ? this.#inlineKeys(issuer, issuer.keys.jwks)
      : this.#set(issuer)?.keys;
  }

  /**
   * Waits for newer keys, up to the issuer's timeout. `onKeys` is called once, at once where nothing newer can be hoped for.
   * @returns gives the wait up
   */
  refresh(issuer: TokenIssuer, onKeys: () => void): () => void {
    const source = keySource(issuer);
    const set = this.#set(issuer);
    const now = this.#options.clock.monotonic();
    if (source === undefined || set === undefined || (!set.asking && now < set.askAgainAtMs)) {
      onKeys();
      return () => {};
    }
    const { timer, waiter } = this.#wait(set, issuer.timeoutMs, onKeys);
    if (!set.asking) {
      set.asking = true;
      this.#options.ask(source);
    }
    return () => {
      timer.cancel();
      set.waiting.delete(waiter);
    };
  }

  /** From the main thread. `jwks` undefined: could not be fetched, the last keys stay. */
  set(name: string, jwks: string | undefined): void {
    const set = this.#sets.get(name) ?? this.#add(name);
    if (jwks !== undefined) {
      const parsed = parseJwks(jwks);
      if (parsed.ok) set.keys = parsed.keys;
    }
    if (!set.asking) return;
    set.asking = false;
    set.askAgainAtMs = this.#options.clock.monotonic() + ASK_INTERVAL_MS;
    // Each takes itself out; a set iterates over what is left.
    for (const waiter of set.waiting) waiter();
  }

  #wait(set: KeySet, timeoutMs: number, onKeys: () => void): { timer: Timer; waiter: () => void } {
    const waiter = (): void => {
      timer.cancel();
      set.waiting.delete(waiter);
      onKeys();
    };
    const timer = this.#options.clock.setTimer(timeoutMs, waiter);
    set.waiting.add(waiter);
    return { timer, waiter };
  }

  #set(issuer: TokenIssuer): KeySet | undefined {
    const source = keySource(issuer);
    return source === undefined ? undefined : (this.#sets.get(source.name) ?? this.#add(source.name));
  }

  #add(name: string): KeySet {
    if (this.#sets.size >= MAX_SETS) this.#forgetOldest();
    const set: KeySet = { keys: undefined, askAgainAtMs: 0, asking: false, waiting: new Set() };
    this.#sets.set(name, set);
    return set;
  }

  #forgetOldest(): void {
    for (const [name, set] of this.#sets) {
      if (set.waiting.size > 0) continue;
      this.#sets.delete(name);
      return;
    }
  }

  #inlineKeys(issuer: TokenIssuer, jwks: string): readonly JwtKey[] {
    let keys = this.#inline.get(issuer);
    if (keys === undefined) {
      const parsed = parseJwks(jwks);
      keys = parsed.ok ? parsed.keys : [];
      if (!parsed.ok)
        this.#options.logger.warn('keys of a token issuer are not usable', {
          issuer: issuer.name,
          error: parsed.reason,
        });
      this.#inline.set(issuer, keys);
    }
    return keys;
  }
}
