import { errorMessage } from '../../observability/error-message.ts';
import { TlsContextHandle, type TlsContextMaterial } from '../../native/tls-context-handle.ts';
import type { ForeignTlsMaterial, TlsContext, TlsMaterial } from '../engine.ts';
import {
  checkForeignMaterial,
  type CheckedMaterial,
  checkTlsMaterial,
  FOREIGN_CIPHER_SUITES,
  FOREIGN_CIPHERS,
  FOREIGN_GROUPS,
  invalidMaterial,
  TLS_CIPHER_SUITES,
  TLS_GROUPS,
} from '../tls-material.ts';
import { TrustedPeers } from './trusted-peers.ts';

export class NativeTlsContext implements TlsContext {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly handle: TlsContextHandle;
  /** With this certificate and trust bundle: a new one begins anew. */
  readonly trustedPeers = new TrustedPeers();

  constructor(handle: TlsContextHandle, notBefore: number, notAfter: number) {
    this.handle = handle;
    this.notBefore = notBefore;
    this.notAfter = notAfter;
  }
}

/** Throws `ChannelError` naming what is wrong. */
export function createNativeTlsContext(material: TlsMaterial): NativeTlsContext {
  const checked = checkTlsMaterial(material);
  return create(checked, {
    certificates: checked.chainPem,
    privateKey: material.privateKeyPem,
    roots: checked.rootsPem,
    cipherSuites: TLS_CIPHER_SUITES,
    groups: TLS_GROUPS,
    asksVerifier: true,
  });
}

/** Throws `ChannelError` naming what is wrong. */
export function createNativeForeignContext(material: ForeignTlsMaterial): NativeTlsContext {
  const checked = checkForeignMaterial(material);
  return create(checked, {
    certificates: checked.chainPem,
    privateKey: material.client?.privateKeyPem ?? '',
    roots: checked.rootsPem,
    revocationLists: checked.revocationListsPem,
    cipherSuites: FOREIGN_CIPHER_SUITES,
    olderCiphers: FOREIGN_CIPHERS,
    groups: FOREIGN_GROUPS,
    // Revocation lists end before certificates do.
    asksVerifier: false,
  });
}

function create({ notAfter, notBefore }: CheckedMaterial, material: TlsContextMaterial): NativeTlsContext {
  try {
    return new NativeTlsContext(new TlsContextHandle(material), notBefore, notAfter);
  } catch (error) {
    throw invalidMaterial(errorMessage(error));
  }
}
