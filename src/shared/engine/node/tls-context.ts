import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsContext, TlsMaterial } from '../engine.ts';
import { checkTlsMaterial, invalidMaterial, TLS_CIPHER_SUITES, TLS_GROUPS } from '../tls-material.ts';

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

/** Parses the material. Throws `ChannelError` naming what is wrong. */
export function createNodeTlsContext(material: TlsMaterial): NodeTlsContext {
  const { notBefore, notAfter } = checkTlsMaterial(material);
  return new NodeTlsContext(secureContext(material), notBefore, notAfter);
}

function secureContext(material: TlsMaterial): SecureContext {
  try {
    return createSecureContext({
      cert: material.certChainPem,
      key: material.privateKeyPem,
      ca: material.trustBundlePem,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ciphers: TLS_CIPHER_SUITES,
      ecdhCurve: TLS_GROUPS,
      // Without tickets (and with no session cache) every connection is a full handshake that proves the identity anew.
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
  } catch (error) {
    throw invalidMaterial(error instanceof Error ? error.message : String(error));
  }
}
