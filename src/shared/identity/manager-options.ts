import type { Clock } from '../lifecycle/clock.ts';
import { type CryptoProvider, softwareProvider } from '../pki/crypto-provider.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { RequestCertificate } from './request-certificate.ts';

export interface CertificateManagerOptions {
  readonly clock: Clock;
  readonly requestCertificate: RequestCertificate;
  /** Asked of the CA; it may answer with less. 0 (default): the CA's default. */
  readonly ttlMs?: number;
  readonly provider?: CryptoProvider;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Requests to the CA at once. Default 8. */
  readonly maxConcurrent?: number;
  /** Default 10 s. */
  readonly requestTimeoutMs?: number;
  /** How long an identity nobody uses any more is kept, for the next pod of a rollout. Default 60 s. */
  readonly releaseDelayMs?: number;
  /** Default 10,000. */
  readonly maxIdentities?: number;
  readonly onFailure?: (failure: RenewalFailure) => void;
}

export interface RenewalFailure {
  readonly identity: SpiffeId;
  readonly message: string;
  readonly retryInMs: number;
  /** When the certificate that is still held ends (wall clock, ms); absent when there is none. */
  readonly notAfterMs?: number;
}

export function withDefaults(options: CertificateManagerOptions): Required<CertificateManagerOptions> {
  return {
    ttlMs: 0,
    provider: softwareProvider,
    random: Math.random,
    maxConcurrent: 8,
    requestTimeoutMs: 10_000,
    releaseDelayMs: 60_000,
    maxIdentities: 10_000,
    onFailure: () => undefined,
    ...options,
  };
}
