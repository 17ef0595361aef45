import type { TlsCredential } from '../route/tls-credential.ts';
import { readName, readText, type WireFields } from './wire-fields.ts';

/** `ambient.mesh.v1.TlsCredential` ↔ `TlsCredential`. The receiver still has to parse and check the PEM. */

/** @throws InvalidField */
export function tlsCredentialFromWire(wire: WireFields): TlsCredential {
  return {
    name: readName(wire, 'name'),
    certificateChainPem: readText(wire, 'certificate_chain_pem'),
    privateKeyPem: readText(wire, 'private_key_pem'),
    trustedRootsPem: readText(wire, 'trusted_roots_pem'),
    revocationListsPem: readText(wire, 'revocation_lists_pem'),
  };
}

export function tlsCredentialToWire(credential: TlsCredential): object {
  return {
    name: credential.name,
    certificate_chain_pem: credential.certificateChainPem,
    private_key_pem: credential.privateKeyPem,
    trusted_roots_pem: credential.trustedRootsPem,
    revocation_lists_pem: credential.revocationListsPem,
  };
}
