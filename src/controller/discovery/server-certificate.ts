import { DueTimer } from '#shared/identity/due-timer.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { Validity } from '#shared/pki/certificate.ts';
import {
  exportPrivateKey,
  exportPublicKey,
  generateKey,
  softwareProvider,
} from '#shared/pki/crypto-provider.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { ServerCertificate } from './server-credentials.ts';

export interface ServerCertificateOptions {
  readonly ca: CertificateAuthority;
  readonly identity: SpiffeId;
  /** DNS names and IP addresses that clients dial. */
  readonly serverNames: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A certificate with when it is valid (wall clock, ms). */
export interface IssuedServerCertificate extends Validity {
  readonly certificate: ServerCertificate;
}

/** As for workloads: half of the life is left for retries. */
const RENEW_AFTER_SHARE = 0.5;
const RETRY_MS = 10_000;

/**
 * Keeps the controller's own certificate fresh: at half its life, and at once when the CA signs with another root. The wall clock is looked
 * at every ten seconds, since it may be set, and timers stand still while a machine sleeps: with a certificate that has ended, or is not valid
 * yet, no proxy gets through to the controller.
 */
export class ServerCertificateRenewal {
  readonly #options: ServerCertificateOptions;
  readonly #onReplace: (certificate: ServerCertificate) => void;
  readonly #stopWatching: () => void;
  readonly #due: DueTimer;
  #notBeforeMs = 0;
  /** Wall clock. */
  #renewAtMs = 0;
  /** Monotonic. */
  #retryAt = Number.NEGATIVE_INFINITY;
  #isRenewing = false;
  #stopped = false;

  constructor(
    options: ServerCertificateOptions,
    held: Validity,
    onReplace: (certificate: ServerCertificate) => void,
  ) {
    this.#options = options;
    this.#onReplace = onReplace;
    this.#due = new DueTimer(options.clock, () => this.#look());
    this.#stopWatching = options.ca.onTrustChange(() => {
      this.#renewAtMs = 0;
      this.#retryAt = Number.NEGATIVE_INFINITY;
      this.#due.within(0);
    });
    this.#hold(held);
  }

  /** A new one is being made. */
  get isRenewing(): boolean {
    return this.#isRenewing;
  }

  stop(): void {
    this.#stopped = true;
    this.#due.close();
    this.#stopWatching();
  }

  #hold({ notAfterMs, notBeforeMs }: Validity): void {
    const nowMs = this.#options.clock.now();
    this.#notBeforeMs = notBeforeMs;
    this.#renewAtMs = nowMs + (notAfterMs - nowMs) * RENEW_AFTER_SHARE;
    this.#due.within(this.#renewAtMs - nowMs);
  }

  #look(): void {
    const { clock } = this.#options;
    const nowMs = clock.now();
    const isDue = nowMs >= this.#renewAtMs || nowMs < this.#notBeforeMs;
    const retryInMs = this.#retryAt - clock.monotonic();
    if (isDue && retryInMs <= 0 && !this.#isRenewing) void this.#renew();
    else this.#due.within(Math.max(this.#renewAtMs - nowMs, retryInMs));
  }

  /** The certificate in use stays until there is a new one. */
  async #renew(): Promise<void> {
    const { clock, logger } = this.#options;
    this.#isRenewing = true;
    // A change of roots meanwhile sets it back, and has it renewed once more.
    this.#renewAtMs = Number.POSITIVE_INFINITY;
    try {
      const issued = await issueServerCertificate(this.#options);
      if (this.#stopped) return;
      this.#onReplace(issued.certificate);
      if (this.#renewAtMs === Number.POSITIVE_INFINITY) this.#hold(issued);
    } catch (error) {
      if (this.#stopped) return;
      const reason = errorMessage(error);
      logger.error('controller certificate not renewed, trying again', { reason });
      this.#renewAtMs = 0;
      this.#retryAt = clock.monotonic() + RETRY_MS;
    } finally {
      this.#isRenewing = false;
      this.#look();
    }
  }
}

/** A certificate for a key made here. Rejects with `CaError`. */
export async function issueServerCertificate(
  options: Omit<ServerCertificateOptions, 'clock' | 'logger'>,
): Promise<IssuedServerCertificate> {
  const { ca, identity, serverNames } = options;
  const key = await generateKey(softwareProvider, true);
  const issued = await ca.issue(identity, await exportPublicKey(key), 0, serverNames);
  const { notAfterMs, notBeforeMs } = issued;
  // The last element holds the roots, which a server does not send.
  const certChainPem = issued.certChain.slice(0, -1).join('');
  return {
    certificate: { certChainPem, privateKeyPem: await exportPrivateKey(key) },
    notAfterMs,
    notBeforeMs,
  };
}
