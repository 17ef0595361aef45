import { isSpiffeId, type SpiffeId } from '../spiffe/spiffe-id.ts';

/** All certificates with their keys: belongs into memory-backed storage only, mode 0600. */
export interface CertificateSnapshot {
  readonly trustBundlePem: string;
  readonly certificates: readonly SnapshotEntry[];
}

export interface SnapshotEntry {
  readonly identity: SpiffeId;
  readonly certChainPem: string;
  readonly privateKeyPem: string;
}

export type DecodedSnapshot =
  | { readonly ok: true; readonly snapshot: CertificateSnapshot }
  | { readonly ok: false; readonly reason: string };

const FORMAT_VERSION = 1;
/** 10,000 identities of 3 KB each, with room. */
const MAX_CHARS = 64 * 1024 * 1024;

export function encodeSnapshot(snapshot: CertificateSnapshot): string {
  return JSON.stringify({ version: FORMAT_VERSION, ...snapshot });
}

/**
 * The shape only; what the certificates are worth is checked when they are imported. A file that does not fit is
 * refused as a whole: it was not written by this version, or only in part.
 */
export function decodeSnapshot(text: string): DecodedSnapshot {
  if (text.length > MAX_CHARS)
    return { ok: false, reason: `certificate snapshot of ${text.length} characters` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'certificate snapshot is not JSON' };
  }
  if (
    typeof value !== 'object' ||
    value === null ||
    !('version' in value) ||
    value.version !== FORMAT_VERSION
  ) {
    return { ok: false, reason: `certificate snapshot is not of version ${FORMAT_VERSION}` };
  }
  if (!('trustBundlePem' in value) || typeof value.trustBundlePem !== 'string') {
    return { ok: false, reason: 'certificate snapshot: trustBundlePem is not a string' };
  }
  if (!('certificates' in value) || !Array.isArray(value.certificates)) {
    return { ok: false, reason: 'certificate snapshot: certificates is not a list' };
  }
  const certificates: SnapshotEntry[] = [];
  for (const [index, entry] of value.certificates.entries()) {
    if (!isEntry(entry))
      return { ok: false, reason: `certificate snapshot: certificates[${index}] is incomplete` };
    const { identity, certChainPem, privateKeyPem } = entry;
    certificates.push({ identity, certChainPem, privateKeyPem });
  }
  return { ok: true, snapshot: { trustBundlePem: value.trustBundlePem, certificates } };
}

function isEntry(value: unknown): value is SnapshotEntry {
  return (
    typeof value === 'object' &&
    value !== null &&
    'identity' in value &&
    typeof value.identity === 'string' &&
    isSpiffeId(value.identity) &&
    'certChainPem' in value &&
    typeof value.certChainPem === 'string' &&
    'privateKeyPem' in value &&
    typeof value.privateKeyPem === 'string'
  );
}
