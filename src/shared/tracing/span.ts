export type AttributeValue = string | number | boolean;

/** One finished span. Plain data, fit for a structured clone. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Empty: the root of its trace. */
  readonly parentSpanId: string;
  /** `tracestate` as it came; empty: none. */
  readonly traceState: string;
  readonly name: string;
  readonly kind: 'server' | 'client';
  /** Wall clock, ms since 1970 with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  /** Name, value, name, value…, by OpenTelemetry's semantic conventions where they have a word. */
  readonly attributes: readonly AttributeValue[];
  /** Empty: no error. */
  readonly error: string;
}
