import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ChannelError } from '../channel.ts';
import type { TlsContext, TlsMaterial } from '../engine.ts';

const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384';
/** Hybrid post-quantum first, classic accepted. */
const GROUPS = 'X25519MLKEM768:X25519:P-256';

export class NodeTlsContext implements TlsContext {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly secureContext: SecureContext;

  constructor(secureContext: SecureContext, notBefore: number, notAfter: number) {
    this.secureContext = secureContext;
    this.notBefore = notBefore;
    this.notAfter = notAfter;
  }
}

/** Parses the material. The validity is that of the whole presented chain. Throws `ChannelError` naming what is wrong. */
export function createNodeTlsContext(material: TlsMaterial): NodeTlsContext {
  const chain = splitPem(material.certChainPem).map((pem, i) => parse(pem, `certificate ${i} of the chain`));
  const roots = splitPem(material.trustBundlePem).map((pem, i) =>
    parse(pem, `root ${i} of the trust bundle`),
  );
  const [leaf] = chain;
  if (leaf === undefined) throw invalid('the certificate chain holds no certificate');
  if (roots.length === 0) throw invalid('the trust bundle holds no certificate: nobody could be verified');
  if (!leaf.checkPrivateKey(parseKey(material.privateKeyPem)))
    throw invalid('the private key does not belong to the leaf certificate');
  return new NodeTlsContext(
    secureContext(material),
    Math.max(...chain.map(c => c.validFromDate.getTime())),
    Math.min(...chain.map(c => c.validToDate.getTime())),
  );
}

function secureContext(material: TlsMaterial): SecureContext {
  try {
    return createSecureContext({
      cert: material.certChainPem,
      key: material.privateKeyPem,
      ca: material.trustBundlePem,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ciphers: CIPHERS,
      ecdhCurve: GROUPS,
      // Without tickets (and with no session cache) every connection is a full handshake that proves the identity anew.
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

function parse(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw invalid(`${what} does not parse: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parseKey(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem);
  } catch {
    throw invalid('the private key does not parse as PEM');
  }
}

function splitPem(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

function invalid(why: string): ChannelError {
  return new ChannelError('tls_handshake', `TLS material is not usable: ${why}`);
}
