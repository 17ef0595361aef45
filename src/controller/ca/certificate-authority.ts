import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import type { TrustBundle } from '#shared/spiffe/trust-bundle.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import type { CaSource, SigningChain } from './chain-expiry.ts';
import type { IssuedLeaf } from './signing-authority.ts';

/** What the certificate service and the discovery server need of a CA, whoever keeps its root. */
export interface CertificateAuthority {
  readonly trustDomain: TrustDomain;
  readonly trust: TrustState;
  /** What signs now. */
  readonly chain: SigningChain;
  readonly source: CaSource;
  /**
   * `ttlMs` 0 is the default lifetime; `serverNames` (DNS names, IP addresses) are for the controller's own certificate.
   * Rejects with `CaError`.
   */
  issue(
    identity: SpiffeId,
    publicKeySpki: Buffer,
    ttlMs: number,
    serverNames?: readonly string[],
  ): Promise<IssuedLeaf>;
  /** Called after a change has been persisted. Returns the function that ends the subscription. */
  onTrustChange(listener: (trust: TrustState) => void): () => void;
}

/**
 * What proxies have to know. A proxy that is told another `version` than it holds takes over `bundle` at once (so that
 * a new root is known before anyone uses it) and fetches its certificates again (so that old leaves go out of use).
 */
export interface TrustState {
  readonly bundle: TrustBundle;
  /** SHA-256 of the certificate that signs leaves. */
  readonly signerFingerprint: string;
  /** Changes with the set of roots and with the signer. */
  readonly version: string;
}

export function createTrustState(bundle: TrustBundle, signerFingerprint: string): TrustState {
  return { bundle, signerFingerprint, version: `${bundle.version}-${signerFingerprint.slice(0, 16)}` };
}
