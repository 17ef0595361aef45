import { PkiError } from './pki-error.ts';

export interface PemBlock {
  /** E.g. `CERTIFICATE`, `PRIVATE KEY`. */
  readonly label: string;
  readonly der: Buffer;
}

export interface PemLimits {
  /** Of the whole text. */
  readonly maxChars: number;
  readonly maxBlocks: number;
}

/** A chain of ten certificates with RSA 4096 keys fits; ten times the largest chain seen in the field. */
export const CHAIN_LIMITS: PemLimits = { maxChars: 256 * 1024, maxBlocks: 32 };
/** A CSR with an RSA 4096 key and one SAN is 1.7 KB. */
export const CSR_LIMITS: PemLimits = { maxChars: 16 * 1024, maxBlocks: 1 };

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';
const MAX_LABEL = 64;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Splits PEM text (RFC 7468) into its blocks, in order. Text between blocks is ignored (RFC 7468 §2), headers inside a
 * block are not. Throws `PkiError` `bad_pem` when a limit is passed, a block is not closed or its base64 is not strict.
 */
export function decodePem(text: string, limits: PemLimits): PemBlock[] {
  if (text.length > limits.maxChars) {
    throw new PkiError(
      'bad_pem',
      `PEM text of ${text.length} characters, at most ${limits.maxChars} are accepted`,
    );
  }
  const blocks: PemBlock[] = [];
  for (let at = text.indexOf(BEGIN); at !== -1; ) {
    if (blocks.length === limits.maxBlocks) {
      throw new PkiError('bad_pem', `PEM text with more than ${limits.maxBlocks} block(s)`);
    }
    const label = readLabel(text, at + BEGIN.length);
    const bodyStart = at + BEGIN.length + label.length + DASHES.length;
    const footer = `${END}${label}${DASHES}`;
    const bodyEnd = text.indexOf(DASHES, bodyStart);
    if (bodyEnd === -1 || !text.startsWith(footer, bodyEnd)) {
      throw new PkiError('bad_pem', `PEM block ${label} is not closed by ${footer}`);
    }
    blocks.push({ label, der: decodeBody(label, text.slice(bodyStart, bodyEnd)) });
    at = text.indexOf(BEGIN, bodyEnd + footer.length);
  }
  return blocks;
}

/** The one block of a PEM text; throws `PkiError` `bad_pem` when there is none, another kind or more than one. */
export function decodeSinglePem(text: string, labels: readonly string[], limits: PemLimits): PemBlock {
  const [block, second] = decodePem(text, limits);
  if (block === undefined) throw new PkiError('bad_pem', `no PEM block, expected ${labels.join(' or ')}`);
  if (second !== undefined) throw new PkiError('bad_pem', 'more than one PEM block');
  if (!labels.includes(block.label)) {
    throw new PkiError('bad_pem', `PEM block ${block.label}, expected ${labels.join(' or ')}`);
  }
  return block;
}

/** PEM text with 64 characters a line and a final line break. */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  let body = '';
  for (let at = 0; at < base64.length; at += 64) body += `${base64.slice(at, at + 64)}\n`;
  return `${BEGIN}${label}${DASHES}\n${body}${END}${label}${DASHES}\n`;
}

function readLabel(text: string, start: number): string {
  const end = text.indexOf(DASHES, start);
  const label = end === -1 ? '' : text.slice(start, end);
  if (label.length > MAX_LABEL || !/^[A-Z0-9 ]+$/.test(label)) {
    throw new PkiError('bad_pem', 'PEM header without a valid label');
  }
  return label;
}

function decodeBody(label: string, body: string): Buffer {
  const base64 = body.replace(/[ \t\r\n]+/g, '');
  // Buffer.from skips what it does not know: without this check two different texts would decode to one certificate.
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) {
    throw new PkiError('bad_pem', `PEM block ${label} does not hold strict base64`);
  }
  return Buffer.from(base64, 'base64');
}
