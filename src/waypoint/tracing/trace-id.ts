const HEX = Buffer.from('0123456789abcdef');
const TRACEPARENT = Buffer.from(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`);
const TRACE_AT = 3;
const SPAN_AT = 36;
const SPAN_END = 52;
const ONE = 0x31;

/** 32 hexadecimal digits, not all zero. @param random gives numbers in [0, 1) */
export function makeTraceId(random: () => number): string {
  fillTraceId(random);
  return TRACEPARENT.toString('latin1', TRACE_AT, TRACE_AT + 32);
}

/** 16 hexadecimal digits, not all zero. */
export function makeSpanId(random: () => number): string {
  fillSpanId(random);
  return TRACEPARENT.toString('latin1', SPAN_AT, SPAN_END);
}

/** A `traceparent` that is not sampled, in one piece: nearly every request gets one. */
export function makeTraceparent(random: () => number): string {
  fillTraceId(random);
  fillSpanId(random);
  return TRACEPARENT.toString('latin1');
}

/** The last digit is 1, as the specification forbids an id of zeros. */
function fillTraceId(random: () => number): void {
  for (let at = TRACE_AT; at < TRACE_AT + 32; at += 8) fill8(random, at);
  TRACEPARENT[TRACE_AT + 31] = ONE;
}

function fillSpanId(random: () => number): void {
  fill8(random, SPAN_AT);
  fill8(random, SPAN_AT + 8);
  TRACEPARENT[SPAN_END - 1] = ONE;
}

function fill8(random: () => number, start: number): void {
  const value = (random() * 4_294_967_296) >>> 0;
  for (let i = 0; i < 8; i++) TRACEPARENT[start + i] = HEX[(value >>> (28 - i * 4)) & 15] ?? ONE;
}
