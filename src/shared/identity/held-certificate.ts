import type { TlsMaterial } from '../engine/engine.ts';
import { type CertificateChain, readCertificateAnswer, verifyAnswer } from '../pki/cert-chain.ts';
import type { CertificateFacts } from '../pki/certificate-facts.ts';
import { createCsr } from '../pki/csr.ts';
import {
  type CryptoProvider,
  exportPrivateKey,
  exportPublicKey,
  generateKey,
  publicKeyOf,
} from '../pki/crypto-provider.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { createTrustBundle, type TrustBundle } from '../spiffe/trust-bundle.ts';
import type { RequestCertificate } from './request-certificate.ts';

/** A certificate with its key, as fetched; the trust bundle is kept apart because it changes on its own. */
export interface HeldCertificate {
  readonly leaf: CertificateFacts;
  readonly intermediates: readonly CertificateFacts[];
  readonly certChainPem: string;
  readonly privateKeyPem: string;
}

export interface FetchedCertificate {
  readonly held: HeldCertificate;
  /** The roots the CA answered with. */
  readonly bundle: TrustBundle;
}

/** What workers get: everything to make a TLS context of. */
export interface CertificateMaterial extends TlsMaterial {
  readonly identity: SpiffeId;
  /** Wall clock, ms. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly serial: string;
}

/** Makes a key here, asks the CA and checks the answer. Rejects with `PkiError` when it is not what was asked for. */
export async function fetchCertificate(
  provider: CryptoProvider,
  request: RequestCertificate,
  asked: { readonly identity: SpiffeId; readonly ttlMs: number },
  now: () => number,
  signal: AbortSignal,
): Promise<FetchedCertificate> {
  const key = await generateKey(provider, true);
  const csrPem = await createCsr(key, asked.identity);
  const answer = await abortable(request({ csrPem, ...asked }, signal), signal);
  const chain = readCertificateAnswer(answer);
  verifyAnswer(chain, asked.identity, await exportPublicKey(key), now());
  return { held: hold(chain, await exportPrivateKey(key)), bundle: createTrustBundle(chain.roots) };
}

/** The same from a snapshot: throws when chain, key and identity do not belong together or the leaf is not valid now. */
export function restoreCertificate(
  identity: SpiffeId,
  certChainPem: string,
  privateKeyPem: string,
  bundle: TrustBundle,
  nowMs: number,
): HeldCertificate {
  const chain = readCertificateAnswer([certChainPem, bundle.pem]);
  verifyAnswer(chain, identity, publicKeyOf(privateKeyPem), nowMs);
  return hold(chain, privateKeyPem);
}

export function materialOf(
  identity: SpiffeId,
  held: HeldCertificate,
  bundle: TrustBundle,
): CertificateMaterial {
  return {
    identity,
    certChainPem: held.certChainPem,
    privateKeyPem: held.privateKeyPem,
    trustBundlePem: bundle.pem,
    notBeforeMs: held.leaf.notBeforeMs,
    notAfterMs: held.leaf.notAfterMs,
    serial: held.leaf.serial,
  };
}

/** Rejects as soon as the signal aborts, also when `work` does not listen to it. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', onAbort));
}

function hold(chain: CertificateChain, privateKeyPem: string): HeldCertificate {
  const certChainPem = [chain.leaf, ...chain.intermediates].map(certificate => certificate.pem).join('');
  return { leaf: chain.leaf, intermediates: chain.intermediates, certChainPem, privateKeyPem };
}
