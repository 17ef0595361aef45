import { createPrivateKey, X509Certificate } from 'node:crypto';
import { ChannelError } from './channel.ts';
import type { TlsMaterial } from './engine.ts';

export const TLS_CIPHER_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384';
/** Hybrid post-quantum first, classic accepted. */
export const TLS_GROUPS = 'X25519MLKEM768:X25519:P-256';

export interface CheckedMaterial {
  /** One PEM each, leaf first. */
  readonly chainPem: readonly string[];
  readonly rootsPem: readonly string[];
  /** Wall clock, ms: of the whole presented chain. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Parses the material. Throws `ChannelError` naming what is wrong. */
export function checkTlsMaterial(material: TlsMaterial): CheckedMaterial {
  const chainPem = splitPem(material.certChainPem);
  const rootsPem = splitPem(material.trustBundlePem);
  const chain = chainPem.map((pem, i) => parse(pem, `certificate ${i} of the chain`));
  rootsPem.forEach((pem, i) => parse(pem, `root ${i} of the trust bundle`));
  const [leaf] = chain;
  if (leaf === undefined) throw invalidMaterial('the certificate chain holds no certificate');
  if (rootsPem.length === 0)
    throw invalidMaterial('the trust bundle holds no certificate: nobody could be verified');
  if (!leaf.checkPrivateKey(parseKey(material.privateKeyPem)))
    throw invalidMaterial('the private key does not belong to the leaf certificate');
  return {
    chainPem,
    rootsPem,
    notBefore: Math.max(...chain.map(c => c.validFromDate.getTime())),
    notAfter: Math.min(...chain.map(c => c.validToDate.getTime())),
  };
}

export function invalidMaterial(why: string): ChannelError {
  return new ChannelError('tls_handshake', `TLS material is not usable: ${why}`);
}

function parse(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw invalidMaterial(
      `${what} does not parse: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function parseKey(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem);
  } catch {
    throw invalidMaterial('the private key does not parse as PEM');
  }
}

function splitPem(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}
