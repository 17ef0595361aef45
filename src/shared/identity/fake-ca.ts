import { createECDH, createHash, createPrivateKey } from 'node:crypto';
import type { Clock } from '../lifecycle/clock.ts';
import { type CertificateIssuer, issueLeaf, issueRoot } from '../pki/certificate.ts';
import { verifyCsr } from '../pki/csr.ts';
import { importPrivateKey, softwareProvider } from '../pki/crypto-provider.ts';
import type { RequestCertificate } from './request-certificate.ts';

/**
 * `FAKE_CA`: a CA inside the proxy for tests and trials without a controller. Its key is derived from a public string,
 * so that all proxies started this way trust each other. **Anyone can sign with it: it protects nothing.**
 */
export async function createFakeCa(clock: Clock): Promise<RequestCertificate> {
  const issuer: CertificateIssuer = {
    subject: 'CN=FAKE_CA insecure',
    key: await importPrivateKey(softwareProvider, publiclyKnownKey()),
  };
  const root = await issueRoot(issuer, {
    notBeforeMs: Date.UTC(2020, 0, 1),
    notAfterMs: Date.UTC(2099, 0, 1),
  });
  return async ({ csrPem, identity, ttlMs }) => {
    const { publicKeySpki } = await verifyCsr(softwareProvider, csrPem, identity);
    const nowMs = clock.now();
    const validity = {
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs: nowMs + (ttlMs === 0 ? DEFAULT_TTL_MS : ttlMs),
    };
    return [await issueLeaf(issuer, identity, publicKeySpki, validity), root];
  };
}

const BACKDATE_MS = 120_000;
const DEFAULT_TTL_MS = 86_400_000;

function publiclyKnownKey(): string {
  const scalar = createHash('sha256').update('ambient-mesh FAKE_CA: not a secret').digest();
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  const point = ecdh.getPublicKey();
  const coordinate = (from: number): string => point.subarray(from, from + 32).toString('base64url');
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: coordinate(1),
    y: coordinate(33),
    d: scalar.toString('base64url'),
  };
  return createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'pem' }).toString();
}
