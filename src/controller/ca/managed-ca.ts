import { readCertificates } from '#shared/pki/certificate-facts.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { createTrustBundle } from '#shared/spiffe/trust-bundle.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import { AnnouncedTrust } from './announced-trust.ts';
import { CaError } from './ca-error.ts';
import type { CaStore } from './ca-store.ts';
import { type CertificateAuthority, createTrustState, type TrustState } from './certificate-authority.ts';
import type { CaSource, SigningChain } from './chain-expiry.ts';
import { DEFAULT_LEAF_POLICY, type LeafPolicy } from './leaf-policy.ts';
import {
  type CaState,
  finish,
  prepare,
  switchOver,
  type Transition,
  trustedAuthorities,
  withLeavesUntil,
} from './root-rotation.ts';
import {
  createAuthority,
  type IssuedLeaf,
  loadAuthority,
  renewIntermediate,
  type SigningAuthority,
  signLeaf,
} from './signing-authority.ts';

export interface ManagedCaOptions {
  readonly clock: Clock;
  readonly trustDomain: TrustDomain;
  readonly store: CaStore;
  readonly leafPolicy?: LeafPolicy;
  /** Something an operator should know that does not stop the CA, e.g. a failed renewal of the intermediate. */
  readonly onWarning?: (message: string, cause: unknown) => void;
  /** The state cannot be written, and the CA goes on; undefined: it is written again. */
  readonly onUnwritten?: (cause: unknown) => void;
}

export interface RotationRequest {
  readonly force?: boolean;
  /** Proxies that have not confirmed the present trust version; see `TransitionInput`. */
  readonly unconfirmed?: readonly string[];
}

/** An intermediate is replaced when less than this share of its life is left: longer than any leaf lives. */
const RENEW_INTERMEDIATE_SHARE = 1 / 3;
const RETRY_MS = 60_000;
/** `leavesUntilMs` is rounded up by this share of a leaf's life, so that it is not written for each leaf. */
const HORIZON_SLACK_SHARE = 1 / 8;
const MIN_HORIZON_SLACK_MS = 10_000;

/** A CA whose root this controller made and keeps; replicas share its store, and `adopt` what another one made of it. */
export class ManagedCa implements CertificateAuthority {
  readonly trustDomain: TrustDomain;
  readonly #clock: Clock;
  readonly #store: CaStore;
  readonly #leafPolicy: LeafPolicy;
  readonly #onWarning: (message: string, cause: unknown) => void;
  readonly #onUnwritten: (cause: unknown) => void;
  readonly #trust: AnnouncedTrust;
  #state: CaState;
  #authority: SigningAuthority;
  #lastChange: Promise<void> = Promise.resolve();
  #horizonWritten: Promise<void> = Promise.resolve();
  /** A write of it failed: monotonic time of the next try. */
  #horizonRetryMs: number | undefined;
  #nextRenewalMs = Number.NEGATIVE_INFINITY;
  #renewal: Promise<void> = Promise.resolve();

  private constructor(options: ManagedCaOptions, state: CaState, authority: SigningAuthority) {
    this.trustDomain = options.trustDomain;
    this.#clock = options.clock;
    this.#store = options.store;
    this.#leafPolicy = options.leafPolicy ?? DEFAULT_LEAF_POLICY;
    this.#onWarning = options.onWarning ?? (() => undefined);
    this.#onUnwritten = options.onUnwritten ?? (() => undefined);
    this.#state = state;
    this.#authority = authority;
    this.#trust = new AnnouncedTrust(trustOf(state, authority));
  }

  /** Loads the CA of the store, whatever phase a crash left it in, or makes a new one. Rejects with `CaError`. */
  static async open(options: ManagedCaOptions): Promise<ManagedCa> {
    const { clock, store, trustDomain } = options;
    const state = (await store.read()) ?? (await createState(store, trustDomain, clock.now()));
    const ca = new ManagedCa(options, state, await loadAuthority(store.keys, state.active));
    await ca.#removeUnusedKeys();
    return ca;
  }

  get trust(): TrustState {
    return this.#trust.state;
  }

  get chain(): SigningChain {
    return this.#authority.chain;
  }

  /** Its intermediate is renewed by itself. */
  get source(): CaSource {
    return { name: this.#store.name, remedy: 'rotate the root, docs/identity.md' };
  }

  get phase(): CaState['phase'] {
    return this.#state.phase;
  }

  get state(): CaState {
    return this.#state;
  }

  onTrustChange(listener: (trust: TrustState) => void): () => void {
    return this.#trust.onChange(listener);
  }

  async issue(
    identity: SpiffeId,
    publicKeySpki: Buffer,
    ttlMs: number,
    serverNames: readonly string[] = [],
  ): Promise<IssuedLeaf> {
    const nowMs = this.#clock.now();
    await this.#renewIntermediateIfDue(nowMs);
    // Authority and horizon are taken in one turn: a rotation step that follows already counts this leaf.
    const authority = this.#authority;
    const trust = this.trust;
    await this.#coverLeaf(nowMs, ttlMs);
    return signLeaf(
      authority,
      this.source,
      trust.bundle,
      this.#leafPolicy,
      { identity, publicKeySpki, ttlMs, serverNames },
      nowMs,
    );
  }

  /** Step 1: a new root is made and trusted; the old one still signs. Rejects with `CaError` in another phase. */
  prepareRotation(): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#state.phase !== 'stable') throw refused(prepare(this.#state, this.#state.active));
      const next = await createAuthority(this.#store.keys, this.trustDomain, this.#clock.now());
      await this.#commit(prepare(this.#state, next));
    });
  }

  /** Step 2: the new root's intermediate signs. Rejects with `CaError` while a proxy may not know the new root. */
  switchRotation(request: RotationRequest = {}): Promise<void> {
    return this.#exclusive(() => this.#commit(switchOver(this.#state, this.#transitionInput(request))));
  }

  /** Step 3: the old root is no longer trusted and its keys go. Rejects with `CaError` while its leaves may live. */
  finishRotation(request: RotationRequest = {}): Promise<void> {
    return this.#exclusive(async () => {
      await this.#commit(finish(this.#state, this.#transitionInput(request)));
      await this.#removeUnusedKeys();
    });
  }

  #transitionInput(request: RotationRequest): Parameters<typeof switchOver>[1] {
    const { force = false, unconfirmed } = request;
    return { nowMs: this.#clock.now(), force, ...(unconfirmed === undefined ? {} : { unconfirmed }) };
  }

  /** Takes over what another replica has committed. */
  adopt(state: CaState): Promise<void> {
    return this.#exclusive(() => this.#take(state));
  }

  /**
   * Writes the CA where it was deleted; when another replica was first, or somebody brought a backup, that is taken over.
   * Rejects when it cannot be written.
   */
  restore(): Promise<void> {
    return this.#exclusive(async () => {
      try {
        await this.#store.write(this.#state);
      } catch (error) {
        if (!(await this.#adoptAfter(error))) throw error;
      }
    });
  }

  async #commit(transition: Transition): Promise<void> {
    if (!transition.ok) throw refused(transition);
    try {
      await this.#store.write(transition.state);
    } catch (error) {
      await this.#adoptAfter(error);
      throw error;
    }
    await this.#take(transition.state);
  }

  async #take(state: CaState): Promise<void> {
    const authority = await loadAuthority(this.#store.keys, state.active);
    this.#state = withLeavesUntil(this.#state, state);
    this.#authority = authority;
    this.#trust.announce(trustOf(this.#state, authority));
  }

  /** When another replica was first, its state is the CA's. @returns whether there was one */
  async #adoptAfter(error: unknown): Promise<boolean> {
    if (!(error instanceof CaError && error.code === 'ABORTED')) return false;
    const theirs = await this.#store.read();
    if (theirs !== undefined) await this.#take(theirs);
    return theirs !== undefined;
  }

  async #writeHorizon(): Promise<void> {
    try {
      await this.#store.write(this.#state);
    } catch (error) {
      await this.#adoptAfter(error);
      await this.#store.write(this.#state);
    }
  }

  /** Makes sure that `leavesUntilMs` on disk covers a leaf before it is handed out. */
  #coverLeaf(nowMs: number, ttlMs: number): Promise<void> {
    const { defaultTtlMs, maxTtlMs } = this.#leafPolicy;
    const lifeMs = Math.min(ttlMs === 0 ? defaultTtlMs : ttlMs, maxTtlMs);
    const isBeyond = nowMs + lifeMs > this.#state.leavesUntilMs;
    if (isBeyond) {
      const leavesUntilMs = nowMs + lifeMs + Math.max(MIN_HORIZON_SLACK_MS, lifeMs * HORIZON_SLACK_SHARE);
      this.#state = { ...this.#state, leavesUntilMs };
    }
    const isRetryDue = this.#horizonRetryMs !== undefined && this.#clock.monotonic() >= this.#horizonRetryMs;
    if (isBeyond || isRetryDue) this.#horizonWritten = this.#keepHorizon();
    return this.#horizonWritten;
  }

  /** A full disk must not stop the mesh's certificates: memory knows the time, only a restart would forget it. Never rejects. */
  async #keepHorizon(): Promise<void> {
    if (this.#horizonRetryMs !== undefined) this.#horizonRetryMs = this.#clock.monotonic() + RETRY_MS;
    try {
      await this.#exclusive(() => this.#writeHorizon());
      if (this.#horizonRetryMs !== undefined) this.#onUnwritten(undefined);
      this.#horizonRetryMs = undefined;
    } catch (error) {
      if (this.#horizonRetryMs === undefined) this.#onUnwritten(error);
      this.#horizonRetryMs = this.#clock.monotonic() + RETRY_MS;
    }
  }

  /** Resolves at once where what signs is good meanwhile; never rejects. */
  async #renewIntermediateIfDue(nowMs: number): Promise<void> {
    const { notBeforeMs, notAfterMs } = this.#authority.certificate;
    // One that is not valid yet was made while the clock was wrong.
    const isValid = notBeforeMs <= nowMs && nowMs <= notAfterMs;
    const isDue = !isValid || notAfterMs - nowMs < (notAfterMs - notBeforeMs) * RENEW_INTERMEDIATE_SHARE;
    if (isDue && this.#clock.monotonic() >= this.#nextRenewalMs) {
      this.#nextRenewalMs = this.#clock.monotonic() + RETRY_MS;
      this.#renewal = this.#renewIntermediate(nowMs);
    }
    if (!isValid) await this.#renewal;
  }

  async #renewIntermediate(nowMs: number): Promise<void> {
    try {
      await this.#exclusive(async () => {
        const active = await renewIntermediate(this.#store.keys, this.#state.active, this.trustDomain, nowMs);
        await this.#commit({ ok: true, state: { ...this.#state, active } });
        await this.#removeUnusedKeys();
      });
    } catch (error) {
      this.#onWarning('the CA’s intermediate certificate could not be renewed', error);
    }
  }

  /** Removes keys that a crash between two steps, or a finished rotation, left without a certificate. Never rejects: they do no harm. */
  async #removeUnusedKeys(): Promise<void> {
    try {
      await this.#removeKeys();
    } catch (error) {
      this.#onWarning('keys that the CA no longer uses could not be removed', error);
    }
  }

  async #removeKeys(): Promise<void> {
    const used = new Set(
      trustedAuthorities(this.#state).flatMap(record => [record.rootKey, record.intermediateKey]),
    );
    for (const name of await this.#store.keys.list()) {
      if (/^(root|intermediate)-/.test(name) && !used.has(name)) await this.#store.keys.remove(name);
    }
  }

  /** Changes of the state run one after another; one that fails does not stop the next. */
  #exclusive(change: () => Promise<void>): Promise<void> {
    const result = this.#lastChange.then(change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}

async function createState(store: CaStore, trustDomain: TrustDomain, nowMs: number): Promise<CaState> {
  const active = await createAuthority(store.keys, trustDomain, nowMs);
  const state: CaState = { phase: 'stable', active, leavesUntilMs: 0 };
  try {
    await store.write(state);
    return state;
  } catch (error) {
    // Of replicas that start together one makes the CA, the others take it.
    const theirs = await store.read();
    if (theirs === undefined) throw error;
    return theirs;
  }
}

function trustOf(state: CaState, authority: SigningAuthority): TrustState {
  const roots = trustedAuthorities(state).flatMap(record => readCertificates(record.rootPem));
  return createTrustState(createTrustBundle(roots), authority.certificate.fingerprint);
}

function refused(transition: Transition): CaError {
  return new CaError(
    'FAILED_PRECONDITION',
    `root rotation: ${transition.ok ? 'not possible' : transition.reason}`,
  );
}
