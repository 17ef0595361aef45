import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { verifyChain } from '#shared/pki/cert-chain.ts';
import { readCertificates, readSingleCertificate } from '#shared/pki/certificate-facts.ts';
import { issuerOf } from '#shared/pki/certificate.ts';
import { type CryptoProvider, importPrivateKey } from '#shared/pki/crypto-provider.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { createTrustBundle } from '#shared/spiffe/trust-bundle.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import { AnnouncedTrust } from './announced-trust.ts';
import { CaError } from './ca-error.ts';
import type { CaFileSource } from './ca-files.ts';
import { type CertificateAuthority, createTrustState, type TrustState } from './certificate-authority.ts';
import type { LeafPolicy } from './leaf-policy.ts';
import { overlap } from './root-overlap.ts';
import { type IssuedLeaf, type SigningAuthority, signLeaf } from './signing-authority.ts';

export interface PluggedCaOptions {
  readonly clock: Clock;
  readonly trustDomain: TrustDomain;
  readonly files: CaFileSource;
  readonly provider: CryptoProvider;
  readonly leafPolicy: LeafPolicy;
}

interface Loaded {
  readonly authority: SigningAuthority;
  readonly trust: TrustState;
}

/**
 * A CA whose certificate the operator gave. When its root is replaced, whether in steps or at once, the new root is trusted
 * before it signs and the old one for as long as its leaves live (`root-overlap.ts`).
 */
export class PluggedCa implements CertificateAuthority {
  readonly trustDomain: TrustDomain;
  readonly #options: PluggedCaOptions;
  readonly #trust: AnnouncedTrust;
  /** Root fingerprint → until when leaves that chain to it may live. */
  readonly #leavesUntilMs = new Map<string, number>();
  #authority: SigningAuthority;
  #since: ReadonlyMap<string, number>;

  private constructor(options: PluggedCaOptions, loaded: Loaded) {
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#authority = loaded.authority;
    this.#trust = new AnnouncedTrust(loaded.trust);
    // What is there at the start has been told by whoever was here before.
    this.#since = new Map(
      loaded.trust.bundle.roots.map(({ fingerprint }) => [fingerprint, Number.NEGATIVE_INFINITY]),
    );
  }

  /** Rejects with `CaError` when a file is missing or the files do not belong together. */
  static async open(options: PluggedCaOptions): Promise<PluggedCa> {
    return new PluggedCa(options, await loadFiles(options));
  }

  get trust(): TrustState {
    return this.#trust.state;
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
    const trust = this.trust;
    const leaf = { identity, publicKeySpki, ttlMs, serverNames };
    const issued = await signLeaf(
      this.#authority,
      trust.bundle,
      this.#options.leafPolicy,
      leaf,
      this.#options.clock.now(),
    );
    const [root] = trust.bundle.roots;
    if (root !== undefined) {
      const untilMs = this.#leavesUntilMs.get(root.fingerprint) ?? 0;
      this.#leavesUntilMs.set(root.fingerprint, Math.max(untilMs, issued.notAfterMs));
    }
    return issued;
  }

  /**
   * Reads the files again: after they changed, and every now and then for what an overlap waits for. Rejects with `CaError`,
   * and goes on with the files read before, when they do not belong together.
   */
  async reload(): Promise<void> {
    const wanted = await loadFiles(this.#options);
    const before = { bundle: this.trust.bundle, since: this.#since };
    const { clock } = this.#options;
    const { bundle, signsWithNew, since } = overlap(
      before,
      wanted.trust.bundle,
      this.#leavesUntilMs,
      clock.now(),
      clock.monotonic(),
    );
    if (signsWithNew) this.#authority = wanted.authority;
    this.#since = since;
    this.#trust.announce(createTrustState(bundle, this.#authority.certificate.fingerprint));
  }
}

async function loadFiles({ clock, files, provider }: PluggedCaOptions): Promise<Loaded> {
  try {
    const { caCert, caKey, certChain, rootCert } = await files.read();
    const certificate = readSingleCertificate(caCert);
    if (!certificate.isCa) throw new Error('ca-cert.pem is not a CA certificate');
    const roots = readCertificates(rootCert);
    const path = verifyChain(certificate, readCertificates(certChain), roots, clock.now());
    const root = path.at(-1);
    if (root === undefined) throw new Error('root-cert.pem is empty');
    const issuer = await issuerOf(certificate, await importPrivateKey(provider, caKey));
    // The root that signs goes first, as in the answers of a CA with its own root.
    const trust = createTrustState(createTrustBundle([root, ...roots]), certificate.fingerprint);
    return { authority: { issuer, certificate, intermediates: path.slice(0, -1) }, trust };
  } catch (cause) {
    const why = errorMessage(cause);
    throw new CaError('FAILED_PRECONDITION', `${files.name}: ${why}`, { cause });
  }
}
