import { TlsContextHandle } from '../../native/tls-context-handle.ts';
import type { TlsContext, TlsMaterial } from '../engine.ts';
import { checkTlsMaterial, invalidMaterial, TLS_CIPHER_SUITES, TLS_GROUPS } from '../tls-material.ts';

export class NativeTlsContext implements TlsContext {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly handle: TlsContextHandle;

  constructor(handle: TlsContextHandle, notBefore: number, notAfter: number) {
    this.handle = handle;
    this.notBefore = notBefore;
    this.notAfter = notAfter;
  }
}

/** Throws `ChannelError` naming what is wrong. */
export function createNativeTlsContext(material: TlsMaterial): NativeTlsContext {
  const checked = checkTlsMaterial(material);
  try {
    const handle = new TlsContextHandle({
      certificates: checked.chainPem,
      privateKey: material.privateKeyPem,
      roots: checked.rootsPem,
      cipherSuites: TLS_CIPHER_SUITES,
      groups: TLS_GROUPS,
    });
    return new NativeTlsContext(handle, checked.notBefore, checked.notAfter);
  } catch (error) {
    throw invalidMaterial(error instanceof Error ? error.message : String(error));
  }
}
