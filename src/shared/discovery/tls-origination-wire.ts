import type { TlsOrigination, TrustedRoots } from '../route/traffic-policy.ts';
import {
  readEnum,
  readFlag,
  readIfSet,
  readName,
  readOptionalText,
  readTexts,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.TlsOrigination` ↔ `TlsOrigination`. */

const MODES = ['disable', 'simple', 'mutual', 'mesh'] as const;

/** @throws InvalidField */
export function tlsFromWire(wire: WireFields): TlsOrigination {
  return {
    mode: readEnum(wire, 'mode', MODES),
    serverName: readOptionalText(wire, 'server_name'),
    subjectAltNames: readTexts(wire, 'subject_alt_names'),
    trustedRoots: rootsFromWire(wire),
    revocationListFile: readOptionalText(wire, 'revocation_list_file'),
    clientCertificate: readIfSet(wire, 'client_certificate', found => ({
      certificateFile: readName(found, 'certificate_file'),
      privateKeyFile: readName(found, 'private_key_file'),
    })),
    credential: readOptionalText(wire, 'credential'),
    skipVerification: readFlag(wire, 'skip_verification'),
    alpn: readTexts(wire, 'alpn'),
    passesClientTls: readFlag(wire, 'passes_client_tls'),
  };
}

export function tlsToWire(tls: TlsOrigination): object {
  const { trustedRoots, clientCertificate } = tls;
  return {
    mode: MODES.indexOf(tls.mode),
    server_name: tls.serverName,
    subject_alt_names: tls.subjectAltNames,
    pem: trustedRoots.kind === 'pem' ? trustedRoots.pem : undefined,
    file: trustedRoots.kind === 'file' ? trustedRoots.path : undefined,
    roots_credential: trustedRoots.kind === 'credential' ? trustedRoots.name : undefined,
    unresolved_roots: trustedRoots.kind === 'unresolved' ? trustedRoots.reason : undefined,
    client_certificate: clientCertificate && {
      certificate_file: clientCertificate.certificateFile,
      private_key_file: clientCertificate.privateKeyFile,
    },
    credential: tls.credential,
    revocation_list_file: tls.revocationListFile,
    skip_verification: tls.skipVerification,
    alpn: tls.alpn,
    passes_client_tls: tls.passesClientTls,
  };
}

function rootsFromWire(wire: WireFields): TrustedRoots {
  const pem = readOptionalText(wire, 'pem');
  if (pem !== undefined) return { kind: 'pem', pem };
  const name = readOptionalText(wire, 'roots_credential');
  if (name !== undefined) return { kind: 'credential', name };
  const reason = readOptionalText(wire, 'unresolved_roots');
  if (reason !== undefined) return { kind: 'unresolved', reason };
  const path = readOptionalText(wire, 'file');
  return path === undefined ? { kind: 'system' } : { kind: 'file', path };
}
