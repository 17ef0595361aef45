import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { verifyChain } from '#shared/pki/cert-chain.ts';
import { readCertificates, readSingleCertificate } from '#shared/pki/certificate-facts.ts';
import { issuerOf } from '#shared/pki/certificate.ts';
import { type CryptoProvider, importPrivateKey } from '#shared/pki/crypto-provider.ts';
import { PkiError } from '#shared/pki/pki-error.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { createTrustBundle } from '#shared/spiffe/trust-bundle.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import { AnnouncedTrust } from './announced-trust.ts';
import { CaError } from './ca-error.ts';
import type { CaFiles, CaFileSource } from './ca-files.ts';
import { type CertificateAuthority, createTrustState, type TrustState } from './certificate-authority.ts';
import type { CaSource, SigningChain } from './chain-expiry.ts';
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

const REMEDY =
  'put a CA certificate there that is valid for longer (ca-cert.pem with its chain, or tls.crt); it is taken over without a restart';

interface Loaded {
  /** What it was made of. */
  readonly text: string;
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
  #wanted: Loaded;
  /** Files that were refused last, and why. */
  #refused: { readonly text: string; readonly error: unknown } | undefined;

  private constructor(options: PluggedCaOptions, loaded: Loaded) {
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#authority = loaded.authority;
    this.#wanted = loaded;
    this.#trust = new AnnouncedTrust(loaded.trust);
    // What is there at the start has been told by whoever was here before.
    this.#since = new Map(
      loaded.trust.bundle.roots.map(({ fingerprint }) => [fingerprint, Number.NEGATIVE_INFINITY]),
    );
  }

  /** Rejects with `CaError` when a file is missing or the files do not belong together. */
  static async open(options: PluggedCaOptions): Promise<PluggedCa> {
    return new PluggedCa(options, await loadFiles(options, await readFiles(options)));
  }

  get trust(): TrustState {
    return this.#trust.state;
  }

  get chain(): SigningChain {
    return this.#authority.chain;
  }

  get source(): CaSource {
    return { name: this.#options.files.name, remedy: REMEDY };
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
      this.source,
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
    const wanted = (this.#wanted = await this.#load());
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

  /** What is in use is not judged again: that it ends is said elsewhere. What was refused before is refused in the same words. */
  async #load(): Promise<Loaded> {
    const read = await readFiles(this.#options);
    const text = textOf(read);
    if (text === this.#wanted.text) return this.#wanted;
    try {
      return await loadFiles(this.#options, read);
    } catch (error) {
      if (this.#refused?.text !== text) this.#refused = { text, error };
      throw this.#refused.error;
    }
  }
}

function textOf({ caCert, caKey, certChain, rootCert }: CaFiles): string {
  return [caCert, caKey, certChain, rootCert].join('\n');
}

async function readFiles({ files }: PluggedCaOptions): Promise<CaFiles> {
  try {
    return await files.read();
  } catch (cause) {
    throw new CaError('FAILED_PRECONDITION', `${files.name}: ${errorMessage(cause)}`, { cause });
  }
}

async function loadFiles({ clock, files, provider }: PluggedCaOptions, read: CaFiles): Promise<Loaded> {
  try {
    const { caCert, caKey, certChain, rootCert } = read;
    const certificate = readSingleCertificate(caCert);
    if (!certificate.isCa) throw new Error('ca-cert.pem is not a CA certificate');
    const roots = readCertificates(rootCert);
    const path = verifyChain(certificate, readCertificates(certChain), roots, clock.now());
    const root = path.at(-1);
    if (root === undefined) throw new Error('root-cert.pem is empty');
    const issuer = await issuerOf(certificate, await importPrivateKey(provider, caKey));
    // The root that signs goes first, as in the answers of a CA with its own root.
    const trust = createTrustState(createTrustBundle([root, ...roots]), certificate.fingerprint);
    const authority = { issuer, certificate, intermediates: path.slice(0, -1), chain: path };
    return { text: textOf(read), authority, trust };
  } catch (cause) {
    const why = `${files.name}: ${errorMessage(cause)}`;
    // What has ended is replaced, and may be at any moment; all else was put there by mistake.
    const hasEnded = cause instanceof PkiError && cause.code === 'not_valid_now';
    throw hasEnded
      ? new CaError('UNAVAILABLE', `${why}: ${REMEDY}`, { cause })
      : new CaError('FAILED_PRECONDITION', why, { cause });
  }
}
