import type { SpiffeId } from '../spiffe/spiffe-id.ts';

export interface CertificateRequest {
  /** PEM, PKCS#10, with `identity` as its URI SAN. */
  readonly csrPem: string;
  readonly identity: SpiffeId;
  /** 0: the CA's default. */
  readonly ttlMs: number;
}

/**
 * Asks a CA: leaf, intermediates, roots last, each a PEM text. Rejects when the CA refuses or cannot be reached. The
 * answer is checked by the caller; the transport need not.
 */
export type RequestCertificate = (
  request: CertificateRequest,
  signal: AbortSignal,
) => Promise<readonly string[]>;
