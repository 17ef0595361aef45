/** W3C Trace Context, `traceparent` of version 00: https://www.w3.org/TR/trace-context/ */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hexadecimal digits, not all zero. */
  readonly parentId: string;
  readonly sampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Longer values can only be of a later version; what they add is ignored, but not without a bound. */
const MAX_LENGTH = 512;

/** undefined for anything the specification tells a vendor to ignore. */
export function parseTraceparent(value: string): TraceContext | undefined {
  if (value.length > MAX_LENGTH) return undefined;
  const match = TRACEPARENT.exec(value);
  if (match === null) return undefined;
  const [, version = '', traceId = '', parentId = '', flags = '', more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

const VERSION_00_LENGTH = 55;
/** What `.` in a pattern does not stand for. */
const LINE_END = /[\n\r\u2028\u2029]/;
const DASH = 0x2d;
const ZERO = 0x30;

/** The trace a `traceparent` is of; undefined where `parseTraceparent` is. By hand: every line of an access log asks. */
export function traceIdOf(value: string): string | undefined {
  if (value.length < VERSION_00_LENGTH || value.length > MAX_LENGTH) return undefined;
  if (!isHex(value, 0, 2) || value.charCodeAt(2) !== DASH || value.startsWith('ff')) return undefined;
  if (!isId(value, 3, 35) || value.charCodeAt(35) !== DASH) return undefined;
  if (!isId(value, 36, 52) || value.charCodeAt(52) !== DASH || !isHex(value, 53, 55)) return undefined;
  if (value.length > VERSION_00_LENGTH) {
    if (value.startsWith('00') || value.charCodeAt(VERSION_00_LENGTH) !== DASH) return undefined;
    if (LINE_END.test(value)) return undefined;
  }
  return value.slice(3, 35);
}

function isHex(value: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (!isHexDigit(value.charCodeAt(i))) return false;
  return true;
}

/** Hexadecimal, and not all zero. */
function isId(value: string, start: number, end: number): boolean {
  let zeros = 0;
  for (let i = start; i < end; i++) {
    const c = value.charCodeAt(i);
    if (!isHexDigit(c)) return false;
    if (c === ZERO) zeros++;
  }
  return zeros < end - start;
}

function isHexDigit(c: number): boolean {
  return (c >= ZERO && c <= 0x39) || (c >= 0x61 && c <= 0x66);
}

export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.parentId}-${context.sampled ? '01' : '00'}`;
}
