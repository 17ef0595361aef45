import { errorMessage } from '../observability/error-message.ts';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import { ChannelError } from './channel.ts';
import type { ForeignTlsMaterial, TlsMaterial } from './engine.ts';

export const TLS_CIPHER_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384';
/** Hybrid post-quantum first, classic accepted. */
export const TLS_GROUPS = 'X25519MLKEM768:X25519:P-256';

/** Towards servers outside the mesh: what is asked of them is that nobody reads along, today or later. */
export const FOREIGN_CIPHER_SUITES = `${TLS_CIPHER_SUITES}:TLS_CHACHA20_POLY1305_SHA256`;
/** Of TLS 1.2. */
export const FOREIGN_CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20';
export const FOREIGN_GROUPS = `${TLS_GROUPS}:P-384`;

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
  return { ...checkChain(material), rootsPem: checkRoots(material.trustBundlePem) };
}

export interface CheckedForeignMaterial extends CheckedMaterial {
  /** One PEM each. */
  readonly revocationListsPem: readonly string[];
}

/** As `checkTlsMaterial`. Without a client certificate the chain is empty, and nothing ends. */
export function checkForeignMaterial(material: ForeignTlsMaterial): CheckedForeignMaterial {
  const { client, revocationListsPem, trustedRootsPem } = material;
  return {
    ...(client === undefined ? NO_CHAIN : checkChain(client)),
    rootsPem: trustedRootsPem === undefined ? machineRoots() : checkRoots(trustedRootsPem),
    revocationListsPem: checkRevocationLists(revocationListsPem),
  };
}

/** Throws `ChannelError` where there is no list in what is not empty. */
export function checkRevocationLists(pem: string): readonly string[] {
  const lists = pem.match(REVOCATION_LIST) ?? [];
  if (lists.length === 0 && pem.trim() !== '')
    throw invalidMaterial('there is no revocation list in what is given as such');
  return lists;
}

const NO_CHAIN = { chainPem: [], notBefore: 0, notAfter: Number.POSITIVE_INFINITY };
const REVOCATION_LIST = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g;

/** What the operating system trusts; an image without a store of its own gets the runtime's. */
function machineRoots(): readonly string[] {
  const system = getCACertificates('system');
  return [...(system.length > 0 ? system : getCACertificates('bundled')), ...getCACertificates('extra')];
}

/** Throws `ChannelError` naming what is wrong. */
export function checkChain({
  certChainPem,
  privateKeyPem,
}: Pick<TlsMaterial, 'certChainPem' | 'privateKeyPem'>): Omit<CheckedMaterial, 'rootsPem'> {
  const chainPem = splitPem(certChainPem);
  const chain = chainPem.map((pem, i) => parse(pem, `certificate ${i} of the chain`));
  const [leaf] = chain;
  if (leaf === undefined) throw invalidMaterial('the certificate chain holds no certificate');
  if (!leaf.checkPrivateKey(parseKey(privateKeyPem)))
    throw invalidMaterial('the private key does not belong to the leaf certificate');
  return {
    chainPem,
    notBefore: Math.max(...chain.map(c => c.validFromDate.getTime())),
    notAfter: Math.min(...chain.map(c => c.validToDate.getTime())),
  };
}

/** Throws `ChannelError` naming what is wrong. */
export function checkRoots(pem: string): readonly string[] {
  const rootsPem = splitPem(pem);
  rootsPem.forEach((root, i) => parse(root, `root ${i} of the trust bundle`));
  if (rootsPem.length === 0)
    throw invalidMaterial('the trust bundle holds no certificate: nobody could be verified');
  return rootsPem;
}

export function invalidMaterial(why: string): ChannelError {
  return new ChannelError('tls_handshake', `TLS material is not usable: ${why}`);
}

function parse(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw invalidMaterial(`${what} does not parse: ${errorMessage(error)}`);
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
