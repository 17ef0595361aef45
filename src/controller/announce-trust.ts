import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { readIfThere } from '#shared/state/read-if-there.ts';
import { replaceFileNow } from '#shared/state/replace-file.ts';
import type { CertificateAuthority } from './ca/certificate-authority.ts';
import { tellUnwritten } from './ca/unwritten-state.ts';
import type { ResourceStore } from './discovery/resource-store.ts';

export interface AnnounceTrustOptions {
  readonly ca: CertificateAuthority;
  /** The file that proxies read before they have a stream; undefined: they have another one. */
  readonly rootCertPath: string | undefined;
  readonly store: ResourceStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly faults: StandingFaults;
}

const RETRY_MS = 10_000;
/** Proxies run as others do. */
const FOR_EVERYBODY = 0o644;

/**
 * Keeps proxies told of the roots: on the discovery stream, and in the file they read before they have one. In the turn of
 * the change itself: a step of a rotation that follows must find proxies that have not confirmed it.
 * @returns the function that ends it.
 */
export function announceTrust(options: AnnounceTrustOptions): () => void {
  const { ca, rootCertPath, store } = options;
  const file = rootCertPath === undefined ? undefined : new RootFile(rootCertPath, options);
  const announce = (): void => {
    const { bundle, version } = ca.trust;
    // The file first: who is told on the stream may have to connect again at once.
    file?.write(bundle.pem);
    store.publish([{ kind: 'trust', trust: { trustDomain: ca.trustDomain, rootsPem: bundle.pem, version } }]);
  };
  announce();
  const unsubscribe = ca.onTrustChange(announce);
  return () => {
    unsubscribe();
    file?.close();
  };
}

/** Whole or not at all, for readers that look at any moment. On a disk that is full the roots of before stay until there is room. */
class RootFile {
  readonly #path: string;
  readonly #options: AnnounceTrustOptions;
  #timer: Timer | undefined;

  constructor(path: string, options: AnnounceTrustOptions) {
    this.#path = path;
    this.#options = options;
  }

  write(pem: string): void {
    const wasFailing = this.#timer !== undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    try {
      if (pem !== readIfThere(this.#path)) replaceFileNow(this.#path, pem, FOR_EVERYBODY);
      if (wasFailing) this.#tell(undefined);
    } catch (error) {
      if (!wasFailing) this.#tell(errorMessage(error));
      this.#timer = this.#options.clock.setTimer(RETRY_MS, () => this.write(pem));
    }
  }

  close(): void {
    this.#timer?.cancel();
  }

  #tell(reason: string | undefined): void {
    const { faults, logger } = this.#options;
    tellUnwritten(logger, faults, {
      what: `the file of the roots ${this.#path}`,
      consequence: 'proxies that are new may not trust the controller',
      reason,
    });
  }
}
