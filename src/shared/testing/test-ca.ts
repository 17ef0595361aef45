import type { TlsMaterial } from '../engine/engine.ts';
import {
  type CertificateIssuer,
  issueIntermediate,
  issueLeaf,
  issueRoot,
  type Validity,
} from '../pki/certificate.ts';
import { exportPrivateKey, exportPublicKey, generateKey, softwareProvider } from '../pki/crypto-provider.ts';
import { PeculiarCertificate, X509CrlGenerator } from '../pki/x509.ts';
import { parseSpiffeId } from '../spiffe/spiffe-id.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface TestLeafOptions {
  /** Both default to a leaf of 24 h that is valid since an hour. Wall clock, ms. */
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  /** Replaces the trust bundle in the material, e.g. by another CA's roots. */
  readonly trustBundlePem?: string;
  /** DNS names and IP addresses beside the identity. */
  readonly serverNames?: readonly string[];
}

/** A root and an intermediate in memory that issue TLS material for tests, about 1,000 leaves a second. */
export interface TestCa {
  readonly rootPem: string;
  readonly intermediatePem: string;
  /** Material for `spiffe://…/ns/…/sa/…`, chain of leaf and intermediate. Throws `SpiffeError` on a bad id. */
  issue(spiffeId: string, options?: TestLeafOptions): Promise<TlsMaterial>;
  /** Expired one hour ago. */
  issueExpired(spiffeId: string): Promise<TlsMaterial>;
  /** Valid from one hour on. */
  issueNotYetValid(spiffeId: string): Promise<TlsMaterial>;
  /** A chain of this CA with another CA's root as its trust bundle: it trusts nobody here. */
  issueTrustingOther(spiffeId: string, other: TestCa): Promise<TlsMaterial>;
  /** PEM: lists of both issuers, with these leaves on the intermediate's. */
  revocationLists(revoked: readonly TlsMaterial[]): Promise<string>;
}

/** `nowMs` (default: the wall clock) is the middle of every certificate's validity. */
export async function createTestCa(name = 'test', nowMs = Date.now()): Promise<TestCa> {
  const validity: Validity = { notBeforeMs: nowMs - 30 * DAY_MS, notAfterMs: nowMs + 365 * DAY_MS };
  const root = await newIssuer(`CN=${name} root`);
  const intermediate = await newIssuer(`CN=${name} intermediate`);
  const rootPem = await issueRoot(root, validity);
  const intermediatePem = await issueIntermediate(
    root,
    intermediate.subject,
    intermediate.key.publicKey,
    validity,
  );

  const issue = async (spiffeId: string, options: TestLeafOptions = {}): Promise<TlsMaterial> => {
    const key = await generateKey(softwareProvider, true);
    const leafValidity = {
      notBeforeMs: options.notBeforeMs ?? nowMs - HOUR_MS,
      notAfterMs: options.notAfterMs ?? nowMs + DAY_MS,
    };
    const publicKey = await exportPublicKey(key);
    const identity = parseSpiffeId(spiffeId);
    const leafPem = await issueLeaf(intermediate, identity, publicKey, leafValidity, options.serverNames);
    return {
      certChainPem: leafPem + intermediatePem,
      privateKeyPem: await exportPrivateKey(key),
      trustBundlePem: options.trustBundlePem ?? rootPem,
    };
  };

  return {
    rootPem,
    intermediatePem,
    issue,
    issueExpired: id => issue(id, { notBeforeMs: nowMs - DAY_MS, notAfterMs: nowMs - HOUR_MS }),
    issueNotYetValid: id => issue(id, { notBeforeMs: nowMs + HOUR_MS }),
    issueTrustingOther: (id, other) => issue(id, { trustBundlePem: other.rootPem }),
    revocationLists: async revoked => {
      const leaves = revoked.map(material => new PeculiarCertificate(material.certChainPem).serialNumber);
      const lists = [revocationList(root, [], nowMs), revocationList(intermediate, leaves, nowMs)];
      return (await Promise.all(lists)).join('\n');
    },
  };
}

async function revocationList(
  { key, subject }: CertificateIssuer,
  serialNumbers: readonly string[],
  nowMs: number,
): Promise<string> {
  const list = await X509CrlGenerator.create(
    {
      issuer: subject.toString(),
      thisUpdate: new Date(nowMs - HOUR_MS),
      nextUpdate: new Date(nowMs + DAY_MS),
      entries: serialNumbers.map(serialNumber => ({
        serialNumber,
        revocationDate: new Date(nowMs - HOUR_MS),
      })),
      signingKey: key.privateKey,
      signingAlgorithm: key.algorithm,
    },
    key.provider.crypto,
  );
  // The library writes another label than the one of RFC 7468 §4.
  return list.toString('pem').replaceAll(' CRL-', ' X509 CRL-');
}

async function newIssuer(subject: string): Promise<CertificateIssuer & { readonly subject: string }> {
  return { subject, key: await generateKey(softwareProvider, false) };
}
