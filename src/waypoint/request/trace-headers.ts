import { getHeader, type HeaderList } from '#shared/http/headers.ts';

const BYTE_TEXT = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'));

/**
 * Gives a request without `traceparent` one of its own (not sampled), so that the log lines of all hops behind can be
 * joined. One that is there goes on as it came, `tracestate` with it. @param random gives numbers in [0, 1)
 */
export function ensureTraceparent(headers: HeaderList, random: () => number): void {
  if (getHeader(headers, 'traceparent') !== undefined) return;
  // The last digits of each id cannot be all zero: the specification forbids it.
  headers.push('traceparent', `00-${hex16(random)}${hex15(random)}1-${hex15(random)}1-00`);
}

function hex16(random: () => number): string {
  return digits8(random) + digits8(random);
}

function hex15(random: () => number): string {
  return digits8(random) + digits8(random).slice(1);
}

function digits8(random: () => number): string {
  const value = (random() * 4_294_967_296) >>> 0;
  return (BYTE_TEXT[value >>> 16] ?? '') + (BYTE_TEXT[value & 0xffff] ?? '');
}
