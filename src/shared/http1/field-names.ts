import { TOKEN_LOWER } from './octets.ts';

/** What the codec itself has to do with a field. */
export const FieldKind = {
  ordinary: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  /** Connection-specific and of no further use: dropped. */
  hopByHop: 5,
  upgrade: 6,
  expect: 7,
} as const;

const KINDS: ReadonlyMap<string, number> = new Map([
  ['host', FieldKind.host],
  ['content-length', FieldKind.contentLength],
  ['transfer-encoding', FieldKind.transferEncoding],
  ['connection', FieldKind.connection],
  ['keep-alive', FieldKind.hopByHop],
  ['proxy-connection', FieldKind.hopByHop],
  ['te', FieldKind.hopByHop],
  ['upgrade', FieldKind.upgrade],
  ['expect', FieldKind.expect],
]);

const SLOTS = 1024;
const MAX_KEPT_LENGTH = 64;

/**
 * Interned field names, shared by all connections of the thread: a direct-mapped table, so that its size is bounded and a
 * peer that sends ever new names costs only itself a string each.
 */
const names: string[] = Array.from({ length: SLOTS }, () => '');
const kinds = new Uint8Array(SLOTS);

/**
 * Slot that now holds the lower-case name at [start, end) of `buf`; valid until the next call.
 * @param hash 31-polynomial over the lower-case octets, as the scanner has it at hand.
 */
export function internName(buf: Buffer, start: number, end: number, hash: number): number {
  const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1);
  if (!equalsLower(buf, start, end, names[slot] ?? '')) {
    const name = buf.toString('latin1', start, end).toLowerCase();
    // A long name is not worth its place: slot 0 of length > 64 would pin up to 80 KiB.
    names[slot] = name;
    kinds[slot] = KINDS.get(name) ?? FieldKind.ordinary;
  }
  return slot;
}

export function nameAt(slot: number): string {
  const name = names[slot] ?? '';
  if (name.length > MAX_KEPT_LENGTH) names[slot] = '';
  return name;
}

export function kindAt(slot: number): number {
  return kinds[slot] ?? FieldKind.ordinary;
}

function equalsLower(buf: Buffer, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    if (TOKEN_LOWER[buf[start + i] ?? 0] !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** True for the fields only the codec writes: whatever a filter or another protocol version left in a list is not sent. */
export function isOwnedField(name: string): boolean {
  switch (name.length) {
    case 2:
      return name === 'te';
    case 4:
      return name === 'host';
    case 6:
      return name === 'expect';
    case 7:
      return name === 'upgrade';
    case 10:
      return name === 'connection' || name === 'keep-alive';
    case 14:
      return name === 'content-length';
    case 16:
      return name === 'proxy-connection';
    case 17:
      return name === 'transfer-encoding';
    default:
      return false;
  }
}

/**
 * Fields that must not come in a trailer section (RFC 9110 §6.5.1): framing, routing, authentication, request modifiers,
 * response control, content processing. They are dropped.
 */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set(
  (
    'age authorization cache-control connection content-encoding content-length content-range content-type cookie date ' +
    'expect expires host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive location ' +
    'max-forwards pragma proxy-authenticate proxy-authorization proxy-connection range retry-after set-cookie te trailer ' +
    'transfer-encoding upgrade vary warning www-authenticate'
  ).split(' '),
);

export function isForbiddenInTrailers(name: string): boolean {
  return NOT_IN_TRAILERS.has(name);
}
