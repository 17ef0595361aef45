import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
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

/** As for workloads: half of the life is left for retries. */
const RENEW_AFTER_SHARE = 0.5;
const RETRY_MS = 10_000;

/** Keeps the controller's own certificate fresh: at half its life, and at once when the CA signs with another root. */
export class ServerCertificateRenewal {
  readonly #options: ServerCertificateOptions;
  readonly #onReplace: (certificate: ServerCertificate) => void;
  readonly #stopWatching: () => void;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(
    options: ServerCertificateOptions,
    notAfterMs: number,
    onReplace: (certificate: ServerCertificate) => void,
  ) {
    this.#options = options;
    this.#onReplace = onReplace;
    this.#stopWatching = options.ca.onTrustChange(() => this.#renewSoon(0));
    this.#scheduleBefore(notAfterMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#stopWatching();
  }

  #scheduleBefore(notAfterMs: number): void {
    this.#renewSoon((notAfterMs - this.#options.clock.now()) * RENEW_AFTER_SHARE);
  }

  #renewSoon(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(delayMs, () => void this.#renew());
  }

  /** The certificate in use stays until there is a new one. */
  async #renew(): Promise<void> {
    try {
      const issued = await issueServerCertificate(this.#options);
      if (this.#stopped) return;
      this.#onReplace(issued.certificate);
      this.#scheduleBefore(issued.notAfterMs);
    } catch (error) {
      if (this.#stopped) return;
      const reason = errorMessage(error);
      this.#options.logger.error('controller certificate not renewed, trying again', { reason });
      this.#renewSoon(RETRY_MS);
    }
  }
}

/** A certificate for a key made here. Rejects with `CaError`. */
export async function issueServerCertificate(
  options: Omit<ServerCertificateOptions, 'clock' | 'logger'>,
): Promise<{ readonly certificate: ServerCertificate; readonly notAfterMs: number }> {
  const { ca, identity, serverNames } = options;
  const key = await generateKey(softwareProvider, true);
  const issued = await ca.issue(identity, await exportPublicKey(key), 0, serverNames);
  // The last element holds the roots, which a server does not send.
  const certChainPem = issued.certChain.slice(0, -1).join('');
  return {
    certificate: { certChainPem, privateKeyPem: await exportPrivateKey(key) },
    notAfterMs: issued.notAfterMs,
  };
}
