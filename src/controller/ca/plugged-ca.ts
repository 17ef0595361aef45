import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { verifyChain } from '#shared/pki/cert-chain.ts';
import { readCertificates, readSingleCertificate } from '#shared/pki/certificate-facts.ts';
import { issuerOf } from '#shared/pki/certificate.ts';
import { type CryptoProvider, importPrivateKey } from '#shared/pki/crypto-provider.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { createTrustBundle, isRootTrusted } from '#shared/spiffe/trust-bundle.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import { CaError } from './ca-error.ts';
import { type CertificateAuthority, createTrustState, type TrustState } from './certificate-authority.ts';
import type { LeafPolicy } from './leaf-policy.ts';
import { type IssuedLeaf, type SigningAuthority, signLeaf } from './signing-authority.ts';

export interface PluggedCaOptions {
  readonly clock: Clock;
  readonly trustDomain: TrustDomain;
  /** Holds `ca-cert.pem`, `ca-key.pem`, `root-cert.pem` (one root or several) and `cert-chain.pem`. */
  readonly directory: string;
  readonly provider: CryptoProvider;
  readonly leafPolicy: LeafPolicy;
}

interface Loaded {
  readonly authority: SigningAuthority;
  readonly trust: TrustState;
}

/**
 * A CA whose certificate the operator gave (the `cacerts` layout). Roots are rotated by the operator: first both roots
 * into `root-cert.pem`, then the new `ca-*` files, at last the old root out; `reload` refuses a step that would cut
 * live leaves off.
 */
export class PluggedCa implements CertificateAuthority {
  readonly trustDomain: TrustDomain;
  readonly #options: PluggedCaOptions;
  readonly #listeners = new Set<(trust: TrustState) => void>();
  /** Root fingerprint → until when leaves that chain to it may live. */
  readonly #leavesUntilMs = new Map<string, number>();
  #loaded: Loaded;

  private constructor(options: PluggedCaOptions, loaded: Loaded) {
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#loaded = loaded;
  }

  /** Rejects with `CaError` when a file is missing or the files do not belong together. */
  static async open(options: PluggedCaOptions): Promise<PluggedCa> {
    return new PluggedCa(options, await loadFiles(options));
  }

  get trust(): TrustState {
    return this.#loaded.trust;
  }

  onTrustChange(listener: (trust: TrustState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async issue(
    identity: SpiffeId,
    publicKeySpki: Buffer,
    ttlMs: number,
    serverNames: readonly string[] = [],
  ): Promise<IssuedLeaf> {
    const { authority, trust } = this.#loaded;
    const leaf = { identity, publicKeySpki, ttlMs, serverNames };
    const issued = await signLeaf(
      authority,
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
   * Reads the files again, e.g. after their directory changed. Rejects with `CaError`, and goes on with the files read
   * before, when they do not belong together or a root is missing whose leaves may still live (unless forced).
   */
  async reload(force = false): Promise<void> {
    const loaded = await loadFiles(this.#options);
    if (!force) this.#refuseEarlyRemoval(loaded);
    const isChanged = loaded.trust.version !== this.#loaded.trust.version;
    this.#loaded = loaded;
    if (isChanged) for (const listener of this.#listeners) listener(loaded.trust);
  }

  #refuseEarlyRemoval(loaded: Loaded): void {
    for (const root of this.#loaded.trust.bundle.roots) {
      const untilMs = this.#leavesUntilMs.get(root.fingerprint) ?? 0;
      if (untilMs < this.#options.clock.now() || isRootTrusted(loaded.trust.bundle, root)) continue;
      throw new CaError(
        'FAILED_PRECONDITION',
        `root-cert.pem no longer holds root ${root.fingerprint.slice(0, 16)}, whose leaves live until ${new Date(untilMs).toISOString()}: add it again, or force`,
      );
    }
  }
}

async function loadFiles(options: PluggedCaOptions): Promise<Loaded> {
  const read = (name: string): Promise<string> => readFile(join(options.directory, name), 'utf8');
  try {
    const certificate = readSingleCertificate(await read('ca-cert.pem'));
    if (!certificate.isCa) throw new Error('ca-cert.pem is not a CA certificate');
    const roots = readCertificates(await read('root-cert.pem'));
    const chain = readCertificates(await read('cert-chain.pem'));
    const path = verifyChain(certificate, chain, roots, options.clock.now());
    const root = path.at(-1);
    if (root === undefined) throw new Error('root-cert.pem is empty');
    const issuer = await issuerOf(
      certificate,
      await importPrivateKey(options.provider, await read('ca-key.pem')),
    );
    // The root that signs goes first, as in the answers of a CA with its own root.
    const trust = createTrustState(createTrustBundle([root, ...roots]), certificate.fingerprint);
    const intermediates = path.slice(0, -1);
    return { authority: { issuer, certificate, intermediates }, trust };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CaError('FAILED_PRECONDITION', `CA files in ${options.directory}: ${why}`, { cause });
  }
}
