import { randomBytes } from 'node:crypto';
import { type CertificateFacts, readSingleCertificate } from '#shared/pki/certificate-facts.ts';
import {
  type CertificateIssuer,
  issueIntermediate,
  issueLeaf,
  issueRoot,
  issuerOf,
} from '#shared/pki/certificate.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import type { TrustBundle } from '#shared/spiffe/trust-bundle.ts';
import { CaError } from './ca-error.ts';
import { type CaSource, describe, firstToEnd, lastToBegin, type SigningChain } from './chain-expiry.ts';
import type { KeyStore } from './key-store.ts';
import { type LeafPolicy, leafValidity } from './leaf-policy.ts';
import type { AuthorityRecord } from './root-rotation.ts';

/** What signs leaves now. */
export interface SigningAuthority {
  readonly issuer: CertificateIssuer;
  /** The certificate of `issuer`. */
  readonly certificate: CertificateFacts;
  /** From the issuer up to, not including, the root. */
  readonly intermediates: readonly CertificateFacts[];
  /** From the issuer up to the root. */
  readonly chain: SigningChain;
}

export interface IssuedLeaf {
  /** Leaf, intermediates, and last one PEM text with every trusted root, the one that signs first. */
  readonly certChain: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface LeafRequest {
  readonly identity: SpiffeId;
  readonly publicKeySpki: Buffer;
  readonly ttlMs: number;
  readonly serverNames: readonly string[];
}

const DAY_MS = 86_400_000;
const ROOT_TTL_MS = 3650 * DAY_MS;
const INTERMEDIATE_TTL_MS = 365 * DAY_MS;
/** A CA certificate is backdated more than a leaf: nobody may see a leaf before its issuer is valid. */
const CA_BACKDATE_MS = 3_600_000;

/** A new root with its intermediate. Keys are stored first: a record that exists can always sign. */
export async function createAuthority(
  keys: KeyStore,
  trustDomain: string,
  nowMs: number,
): Promise<AuthorityRecord> {
  const id = randomBytes(4).toString('hex');
  const rootKey = `root-${id}`;
  // The id keeps the names of two roots apart: during a rotation chains are also matched by name.
  const root: CertificateIssuer = {
    subject: `O=${trustDomain}, CN=Root CA ${id}`,
    key: await keys.create(rootKey),
  };
  const rootPem = await issueRoot(root, {
    notBeforeMs: nowMs - CA_BACKDATE_MS,
    notAfterMs: nowMs + ROOT_TTL_MS,
  });
  return { id, rootPem, rootKey, ...(await createIntermediate(keys, root, rootPem, trustDomain, nowMs)) };
}

/** The same root with a new intermediate. */
export async function renewIntermediate(
  keys: KeyStore,
  record: AuthorityRecord,
  trustDomain: string,
  nowMs: number,
): Promise<AuthorityRecord> {
  const root = await issuerOf(readSingleCertificate(record.rootPem), await keys.load(record.rootKey));
  return { ...record, ...(await createIntermediate(keys, root, record.rootPem, trustDomain, nowMs)) };
}

export async function loadAuthority(keys: KeyStore, record: AuthorityRecord): Promise<SigningAuthority> {
  const certificate = readSingleCertificate(record.intermediatePem);
  const root = readSingleCertificate(record.rootPem);
  const issuer = await issuerOf(certificate, await keys.load(record.intermediateKey));
  return { issuer, certificate, intermediates: [certificate], chain: [certificate, root] };
}

/** Rejects with `CaError` when the lifetime is not acceptable, or one of the chain has ended or not begun: nobody would accept the leaf. */
export async function signLeaf(
  authority: SigningAuthority,
  source: CaSource,
  bundle: TrustBundle,
  policy: LeafPolicy,
  leaf: LeafRequest,
  nowMs: number,
): Promise<IssuedLeaf> {
  const { chain } = authority;
  const last = lastToBegin(chain);
  if (last !== undefined && nowMs < last.notBeforeMs) {
    const begin = new Date(last.notBeforeMs).toISOString();
    const reason = `${describe(last, source)} is not valid before ${begin}: is the controller's clock right?`;
    throw new CaError('UNAVAILABLE', `${leaf.identity}: ${reason}`);
  }
  const first = firstToEnd(chain);
  const allowed = leafValidity(policy, leaf.ttlMs, first?.notAfterMs ?? Number.POSITIVE_INFINITY, nowMs);
  if (!allowed.ok) {
    const reason = allowed.code === 'UNAVAILABLE' ? ended(first, source) : allowed.reason;
    throw new CaError(allowed.code, `${leaf.identity}: ${reason}`);
  }
  const { identity, publicKeySpki, serverNames } = leaf;
  const leafPem = await issueLeaf(authority.issuer, identity, publicKeySpki, allowed.validity, serverNames);
  return {
    certChain: [leafPem, ...authority.intermediates.map(certificate => certificate.pem), bundle.pem],
    ...allowed.validity,
  };
}

function ended(first: CertificateFacts | undefined, source: CaSource): string {
  if (first === undefined) return `${source.name} has no certificate`;
  return `${describe(first, source)} ends at ${new Date(first.notAfterMs).toISOString()}: ${source.remedy}`;
}

async function createIntermediate(
  keys: KeyStore,
  root: CertificateIssuer,
  rootPem: string,
  trustDomain: string,
  nowMs: number,
): Promise<Pick<AuthorityRecord, 'intermediatePem' | 'intermediateKey'>> {
  const id = randomBytes(4).toString('hex');
  const intermediateKey = `intermediate-${id}`;
  const key = await keys.create(intermediateKey);
  const intermediatePem = await issueIntermediate(
    root,
    `O=${trustDomain}, CN=Intermediate CA ${id}`,
    key.publicKey,
    {
      notBeforeMs: nowMs - CA_BACKDATE_MS,
      notAfterMs: Math.min(nowMs + INTERMEDIATE_TTL_MS, readSingleCertificate(rootPem).notAfterMs),
    },
  );
  return { intermediatePem, intermediateKey };
}
