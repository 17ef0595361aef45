import { backoffDelay } from '../lifecycle/backoff.ts';
import { errorMessage } from '../observability/error-message.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { parseTrustBundle, type TrustBundle } from '../spiffe/trust-bundle.ts';
import {
  type CertificateEntry,
  createEntry,
  dueInMs,
  isDue,
  isUsable,
  mayRequest,
} from './certificate-entry.ts';
import type { CertificateSnapshot } from './certificate-snapshot.ts';
import {
  type CertificateGauges,
  certificateGauges,
  type CertificateStatus,
  certificateStatus,
} from './certificate-status.ts';
import {
  type CertificateMaterial,
  type FetchedCertificate,
  fetchCertificate,
  materialOf,
  restoreCertificate,
} from './held-certificate.ts';
import { DueTimer } from './due-timer.ts';
import { type CertificateManagerOptions, withDefaults } from './manager-options.ts';
import { refetchTime, RENEWAL_BACKOFF, renewalTime } from './renewal.ts';
import { type Priority, RequestQueue } from './request-queue.ts';
import { TrustTracker } from './trust-tracker.ts';

export type CertificateUpdate =
  | { readonly type: 'certificate'; readonly material: CertificateMaterial }
  | { readonly type: 'released'; readonly identity: SpiffeId };

/** A use of an identity. */
export interface CertificateLease {
  readonly identity: SpiffeId;
  /** Idempotent. */
  release(): void;
}

/**
 * Keeps a valid certificate for each identity in use. Keys are made here and leave only through updates and `export`.
 * Construct, `subscribe`, then `retain`; `close` at the end. A failed renewal never takes a certificate away.
 */
export class CertificateManager {
  readonly #options: Required<CertificateManagerOptions>;
  readonly #entries = new Map<SpiffeId, CertificateEntry>();
  readonly #queue: RequestQueue<CertificateEntry>;
  readonly #listeners = new Set<(update: CertificateUpdate) => void>();
  readonly #trust = new TrustTracker();
  readonly #closed = new AbortController();
  readonly #due: DueTimer;

  constructor(options: CertificateManagerOptions) {
    this.#options = withDefaults(options);
    this.#queue = new RequestQueue(this.#options.maxConcurrent, entry => this.#renew(entry));
    this.#due = new DueTimer(this.#options.clock, () => this.#tick());
  }

  get trustBundle(): TrustBundle | undefined {
    return this.#trust.bundle;
  }

  /**
   * Uses an identity: it is fetched now if none is held, and kept and renewed until the last lease is released.
   * Throws when the limit of identities is reached.
   */
  retain(identity: SpiffeId, priority: Priority = 'Warmup'): CertificateLease {
    const entry = this.#entryFor(identity);
    entry.users += 1;
    entry.releaseAt = Number.POSITIVE_INFINITY;
    if (isDue(entry, this.#options.clock.now())) this.#enqueue(entry, priority);
    this.#scheduleFor(entry);
    let isReleased = false;
    return {
      identity,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#release(entry);
      },
    };
  }

  /** What a connection may use now: undefined when nothing valid is held (a request is on its way if it is retained). */
  current(identity: SpiffeId): CertificateMaterial | undefined {
    const entry = this.#entries.get(identity);
    const bundle = this.#trust.bundle;
    if (entry === undefined) return undefined;
    if (entry.held !== undefined && bundle !== undefined && isUsable(entry, this.#options.clock.now())) {
      return materialOf(identity, entry.held, bundle);
    }
    this.#enqueue(entry, 'RealTime');
    return undefined;
  }

  /** Everything that is held, e.g. for a worker that starts later. */
  materials(): CertificateMaterial[] {
    const { bundle } = this.#trust;
    if (bundle === undefined) return [];
    const entries = [...this.#entries.values()];
    return entries.flatMap(({ identity, held }) =>
      held === undefined ? [] : [materialOf(identity, held, bundle)],
    );
  }

  /** A valid certificate, asked for at once if none is held. Rejects after `timeoutMs` with the CA's last refusal. */
  async waitFor(identity: SpiffeId, timeoutMs: number): Promise<CertificateMaterial> {
    const lease = this.retain(identity, 'RealTime');
    try {
      return this.current(identity) ?? (await this.#nextMaterial(this.#entryFor(identity), timeoutMs));
    } finally {
      lease.release();
    }
  }

  subscribe(listener: (update: CertificateUpdate) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * The controller says that roots or signer changed. The roots are taken over at once, so that a new one is known
   * before a peer shows a leaf of it; the certificates are fetched again, spread over some seconds.
   * Throws `PkiError` or `SpiffeError` when the bundle is not one; nothing has changed then.
   */
  trustChanged(version: string, trustBundlePem: string): void {
    const epoch = this.#trust.epoch;
    const mustRefetch = this.#trust.announced(version, parseTrustBundle(trustBundlePem));
    if (this.#trust.epoch !== epoch) this.#announceAll();
    if (!mustRefetch) return;
    // What the CA refused it may give now, e.g. with another intermediate.
    this.controllerReached();
    const { clock, random } = this.#options;
    for (const entry of this.#entries.values()) {
      if (entry.held === undefined) continue;
      const refetchAtMs = refetchTime(clock.now(), entry.held.leaf.notAfterMs, random());
      entry.renewAtMs = Math.min(entry.renewAtMs, refetchAtMs);
      this.#scheduleFor(entry);
    }
  }

  /**
   * The controller, which is the CA, is there again: what failed while it was away is asked for now. After an outage of ten
   * minutes the backoff alone would keep new pods without a certificate for another two.
   */
  controllerReached(): void {
    const { clock } = this.#options;
    for (const entry of this.#entries.values()) {
      if (entry.failures === 0) continue;
      entry.failures = 1;
      entry.retryAt = clock.monotonic();
      this.#scheduleFor(entry);
    }
  }

  /** For `/config_dump`, sorted by identity. */
  status(): CertificateStatus[] {
    const nowMs = this.#options.clock.now();
    const { bundle } = this.#trust;
    const sorted = [...this.#entries.values()].toSorted((a, b) => (a.identity < b.identity ? -1 : 1));
    return sorted.map(entry => certificateStatus(entry.identity, entry.held, bundle, entry.lastError, nowMs));
  }

  gauges(): CertificateGauges {
    const leaves = [...this.#entries.values()].map(entry => entry.held?.leaf);
    return certificateGauges(leaves, this.#options.clock.now());
  }

  /** Holds private keys: the caller decides where it may be written. Undefined when nothing is held yet. */
  export(): CertificateSnapshot | undefined {
    const { bundle } = this.#trust;
    if (bundle === undefined) return undefined;
    const certificates = this.materials().map(({ identity, certChainPem, privateKeyPem }) => ({
      identity,
      certChainPem,
      privateKeyPem,
    }));
    return { trustBundlePem: bundle.pem, certificates };
  }

  /**
   * Takes over certificates of an earlier process, each until it is due; those not retained within the release delay
   * go. Returns why an entry was left out. Throws `PkiError` or `SpiffeError` when the trust bundle is not one.
   */
  import(snapshot: CertificateSnapshot): readonly { readonly identity: SpiffeId; readonly reason: string }[] {
    const bundle = parseTrustBundle(snapshot.trustBundlePem);
    if (this.#trust.bundle === undefined) this.#trust.replace(bundle);
    const refused: { identity: SpiffeId; reason: string }[] = [];
    const { clock, random, releaseDelayMs } = this.#options;
    for (const { identity, certChainPem, privateKeyPem } of snapshot.certificates) {
      try {
        const held = restoreCertificate(identity, certChainPem, privateKeyPem, bundle, clock.now());
        const entry = this.#entryFor(identity);
        if (entry.held !== undefined) continue;
        entry.held = held;
        entry.renewAtMs = renewalTime(held.leaf.notBeforeMs, held.leaf.notAfterMs, random());
        if (entry.users === 0) entry.releaseAt = clock.monotonic() + releaseDelayMs;
        this.#announce(entry);
        this.#scheduleFor(entry);
      } catch (error) {
        refused.push({ identity, reason: errorMessage(error) });
      }
    }
    return refused;
  }

  /** Resolves when no request is waiting or under way; later renewals do not count. */
  whenIdle(): Promise<void> {
    return this.#queue.whenIdle();
  }

  /** Stops timers and aborts requests under way. What was handed out stays usable. */
  close(): void {
    this.#closed.abort(new Error('the certificate manager was closed'));
    this.#due.close();
    this.#queue.close();
  }

  #entryFor(identity: SpiffeId): CertificateEntry {
    const existing = this.#entries.get(identity);
    if (existing !== undefined) return existing;
    const { maxIdentities } = this.#options;
    if (this.#entries.size >= maxIdentities) {
      throw new Error(
        `no certificate for ${identity}: ${maxIdentities} identities are in use on this proxy already`,
      );
    }
    const entry = createEntry(identity);
    this.#entries.set(identity, entry);
    return entry;
  }

  #release(entry: CertificateEntry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.releaseAt = this.#options.clock.monotonic() + this.#options.releaseDelayMs;
    this.#scheduleFor(entry);
  }

  #nextMaterial(entry: CertificateEntry, timeoutMs: number): Promise<CertificateMaterial> {
    return new Promise((resolve, reject) => {
      const done = (material: CertificateMaterial): void => {
        timer.cancel();
        resolve(material);
      };
      const timer = this.#options.clock.setTimer(timeoutMs, () => {
        entry.waiters.delete(done);
        const why = entry.lastError ?? 'the CA has not answered yet';
        reject(new Error(`no certificate for ${entry.identity} within ${timeoutMs} ms: ${why}`));
      });
      entry.waiters.add(done);
    });
  }

  #enqueue(entry: CertificateEntry, priority: Priority): void {
    if (this.#closed.signal.aborted || !mayRequest(entry, this.#options.clock.monotonic())) return;
    entry.isQueued = true;
    this.#queue.add(entry, priority);
  }

  /** Never rejects: what goes wrong with an entry is recorded there. */
  async #renew(entry: CertificateEntry): Promise<void> {
    entry.isQueued = false;
    entry.isFetching = true;
    const { epoch } = this.#trust;
    const { clock, provider, requestCertificate, requestTimeoutMs, ttlMs } = this.#options;
    const deadline = new AbortController();
    const timer = clock.setTimer(requestTimeoutMs, () =>
      deadline.abort(new Error(`the CA did not answer within ${requestTimeoutMs} ms`)),
    );
    const signal = AbortSignal.any([deadline.signal, this.#closed.signal]);
    const asked = { identity: entry.identity, ttlMs };
    try {
      const fetched = await fetchCertificate(provider, requestCertificate, asked, () => clock.now(), signal);
      this.#succeed(entry, fetched, epoch);
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#fail(entry, error);
    } finally {
      timer.cancel();
      entry.isFetching = false;
      this.#scheduleFor(entry);
    }
  }

  #succeed(entry: CertificateEntry, fetched: FetchedCertificate, epoch: number): void {
    const { clock, random } = this.#options;
    const { notAfterMs } = fetched.held.leaf;
    const known = this.#trust.epoch;
    const isSettled = this.#trust.answered(fetched.bundle, epoch);
    entry.held = fetched.held;
    entry.failures = 0;
    entry.lastError = undefined;
    const nowMs = clock.now();
    entry.renewAtMs = isSettled
      ? renewalTime(nowMs, notAfterMs, random())
      : refetchTime(nowMs, notAfterMs, random());
    if (this.#trust.epoch !== known) this.#announceAll();
    else if (this.#entries.get(entry.identity) === entry) this.#announce(entry);
  }

  #fail(entry: CertificateEntry, error: unknown): void {
    const { clock, random, onFailure } = this.#options;
    const retryInMs = backoffDelay(RENEWAL_BACKOFF, entry.failures, random());
    entry.failures += 1;
    entry.retryAt = clock.monotonic() + retryInMs;
    entry.lastError = errorMessage(error);
    const notAfterMs = entry.held?.leaf.notAfterMs;
    const until = notAfterMs === undefined ? {} : { notAfterMs };
    onFailure({ identity: entry.identity, message: entry.lastError, retryInMs, ...until });
  }

  #announceAll(): void {
    for (const entry of this.#entries.values()) this.#announce(entry);
  }

  #announce(entry: CertificateEntry): void {
    const { bundle } = this.#trust;
    if (entry.held === undefined || bundle === undefined) return;
    const material = materialOf(entry.identity, entry.held, bundle);
    for (const listener of this.#listeners) listener({ type: 'certificate', material });
    // A new bundle for an expired certificate is no answer to who waits for a valid one.
    if (!isUsable(entry, this.#options.clock.now())) return;
    for (const waiter of entry.waiters) waiter(material);
    entry.waiters.clear();
  }

  #scheduleFor(entry: CertificateEntry): void {
    const { clock } = this.#options;
    this.#due.within(dueInMs(entry, clock.now(), clock.monotonic()));
  }

  #tick(): void {
    const { clock } = this.#options;
    const [nowMs, monotonicMs] = [clock.now(), clock.monotonic()];
    let nextInMs = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      if (entry.releaseAt <= monotonicMs) {
        this.#forget(entry);
        continue;
      }
      if (isDue(entry, nowMs)) this.#enqueue(entry, this.#priorityOf(entry, nowMs));
      nextInMs = Math.min(nextInMs, dueInMs(entry, nowMs, monotonicMs));
    }
    if (this.#entries.size > 0) this.#due.within(nextInMs);
  }

  #priorityOf(entry: CertificateEntry, nowMs: number): Priority {
    if (entry.waiters.size > 0) return 'RealTime';
    return isUsable(entry, nowMs) ? 'Background' : 'Warmup';
  }

  #forget(entry: CertificateEntry): void {
    this.#entries.delete(entry.identity);
    this.#queue.delete(entry);
    for (const listener of this.#listeners) listener({ type: 'released', identity: entry.identity });
  }
}
