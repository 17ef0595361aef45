import { errorMessage } from '../../observability/error-message.ts';
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { ForeignTlsMaterial, TlsContext, TlsMaterial } from '../engine.ts';
import {
  checkForeignMaterial,
  checkTlsMaterial,
  FOREIGN_CIPHER_SUITES,
  FOREIGN_CIPHERS,
  FOREIGN_GROUPS,
  invalidMaterial,
  TLS_CIPHER_SUITES,
  TLS_GROUPS,
} from '../tls-material.ts';

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
  const context = secureContext({
    cert: material.certChainPem,
    key: material.privateKeyPem,
    ca: material.trustBundlePem,
    minVersion: 'TLSv1.3',
    ciphers: TLS_CIPHER_SUITES,
    ecdhCurve: TLS_GROUPS,
  });
  return new NodeTlsContext(context, notBefore, notAfter);
}

/** As `createNodeTlsContext`. */
export function createNodeForeignContext(material: ForeignTlsMaterial): NodeTlsContext {
  const { notBefore, notAfter, revocationListsPem, rootsPem } = checkForeignMaterial(material);
  const { client } = material;
  const context = secureContext({
    ...(client === undefined ? {} : { cert: client.certChainPem, key: client.privateKeyPem }),
    ...(revocationListsPem.length === 0 ? {} : { crl: [...revocationListsPem] }),
    ca: [...rootsPem],
    minVersion: 'TLSv1.2',
    ciphers: `${FOREIGN_CIPHER_SUITES}:${FOREIGN_CIPHERS}`,
    ecdhCurve: FOREIGN_GROUPS,
  });
  return new NodeTlsContext(context, notBefore, notAfter);
}

function secureContext(options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext({
      ...options,
      maxVersion: 'TLSv1.3',
      // Without tickets (and with no session cache) every connection is a full handshake that proves the identity anew.
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
  } catch (error) {
    throw invalidMaterial(errorMessage(error));
  }
}
