import { RecordType } from './record-type.ts';

/** RFC 1035 §4.1.1. */
export const HEADER_BYTES = 12;
const MAX_LABEL_BYTES = 63;
/** RFC 1035 §2.3.4, in wire form: lengths and the final zero included. */
const MAX_NAME_BYTES = 255;
/** Type, class, TTL and length of a record, behind its name. */
const RECORD_FIXED_BYTES = 10;

/** Bits of the second word of a header. */
export const Flag = {
  response: 0x8000,
  opcode: 0x7800,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
  code: 0x000f,
} as const;

/** The one thing that an ordinary query asks. */
export interface Question {
  /** In lower case, without final dot; undefined: it has bytes that no name of the mesh has. */
  readonly name: string | undefined;
  readonly type: number;
  readonly class: number;
  /** Offset of what follows it. */
  readonly end: number;
  /** Undefined: the client knows nothing of EDNS. */
  readonly edns: Edns | undefined;
}

/** RFC 6891 §6.1.2. */
export interface Edns {
  /** The longest message that the client takes over UDP. */
  readonly udpBytes: number;
  readonly dnssecOk: boolean;
}

/** What a message on a DNS port is, as far as it matters here. */
export type Query =
  /** It may be answered here. */
  | { readonly kind: 'question'; readonly question: Question }
  /** Others may understand it: passed on as it is. */
  | { readonly kind: 'opaque'; readonly question: Question | undefined }
  /** Answered with FORMERR. */
  | { readonly kind: 'malformed'; readonly reason: string }
  /** Not answered: it may be no query, and two who answer answers never stop. */
  | { readonly kind: 'ignored'; readonly reason: string };

/** Reads header, question and OPT record, nothing else. Never throws; looks at no byte twice. */
export function parseQuery(bytes: Buffer): Query {
  if (bytes.length < HEADER_BYTES) return { kind: 'ignored', reason: 'shorter than a header' };
  const flags = bytes.readUInt16BE(2);
  if ((flags & Flag.response) !== 0) return { kind: 'ignored', reason: 'an answer' };
  const counts = [4, 6, 8, 10].map(at => bytes.readUInt16BE(at));
  const [questions = 0, answers = 0, authorities = 0, additional = 0] = counts;
  if ((flags & Flag.opcode) !== 0 || questions > 1) return { kind: 'opaque', question: undefined };
  if (questions === 0) return { kind: 'malformed', reason: 'no question' };
  const read = readQuestion(bytes);
  if ('reason' in read) return { kind: 'malformed', reason: read.reason };
  const isPlain = answers + authorities === 0 && (flags & Flag.truncated) === 0;
  const edns = isPlain ? readAdditional(bytes, read.end, additional) : 'unknown';
  if (edns === 'unknown') return { kind: 'opaque', question: { ...read, edns: undefined } };
  return { kind: 'question', question: { ...read, edns } };
}

function readQuestion(bytes: Buffer): Omit<Question, 'edns'> | { readonly reason: string } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return { reason: 'the name is cut off' };
    // A pointer could only lead back into the header, or to itself.
    if (length > MAX_LABEL_BYTES) return { reason: 'the name is compressed' };
    at++;
    if (length === 0) break;
    if (at + length - HEADER_BYTES >= MAX_NAME_BYTES) return { reason: 'the name is too long' };
    if (at + length > bytes.length) return { reason: 'the name is cut off' };
    labels.push(bytes.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > bytes.length) return { reason: 'the question is cut off' };
  const isText = labels.every(label => HOST_LABEL.test(label));
  return {
    name: isText ? labels.join('.').toLowerCase() : undefined,
    type: bytes.readUInt16BE(at),
    class: bytes.readUInt16BE(at + 2),
    end: at + 4,
  };
}

/** No dot, which would make two names of one text. */
const HOST_LABEL = /^[A-Za-z0-9_-]+$/;

/** @returns `unknown` for anything but nothing at all, or one OPT record of the version that is understood */
function readAdditional(bytes: Buffer, at: number, records: number): Edns | undefined | 'unknown' {
  if (records === 0) return at === bytes.length ? undefined : 'unknown';
  const fixed = at + 1;
  if (records > 1 || bytes[at] !== 0 || fixed + RECORD_FIXED_BYTES > bytes.length) return 'unknown';
  const version = bytes[fixed + 5];
  const end = fixed + RECORD_FIXED_BYTES + bytes.readUInt16BE(fixed + 8);
  if (bytes.readUInt16BE(fixed) !== RecordType.opt || version !== 0 || end !== bytes.length) return 'unknown';
  return {
    udpBytes: bytes.readUInt16BE(fixed + 2),
    dnssecOk: ((bytes[fixed + 6] ?? 0) & 0x80) !== 0,
  };
}
