import { getHeader, type HeaderList } from '#shared/http/headers.ts';

/**
 * How long a failed answer asks to be left alone, in ms; 0 where it does not say, or what nobody can read.
 *
 * @param status of HTTP, or the one that the status of gRPC stands for
 * @param fields headers, or trailers
 * @param nowMs wall clock, for hints that name a time
 */
export function retryHintMs(status: number, fields: HeaderList, nowMs: number): number {
  const pushback = getHeader(fields, 'grpc-retry-pushback-ms');
  // A negative one says not to try again at all, which is nothing about when.
  if (pushback !== undefined) return wholeNumber(pushback) ?? 0;
  const after = status === 429 || status === 503 ? getHeader(fields, 'retry-after')?.trim() : undefined;
  if (after === undefined) return 0;
  const seconds = wholeNumber(after);
  return seconds === undefined ? Math.max(0, (httpDateMs(after) ?? nowMs) - nowMs) : seconds * 1000;
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,12}$/.test(text.trim()) ? Number(text) : undefined;
}

/** The one form that may be written today (IMF-fixdate). */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

function httpDateMs(text: string): number | undefined {
  const ms = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
