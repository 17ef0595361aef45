import type { Http2Options } from '../http2/options.ts';

const NOTHING_ELSE: Partial<Http2Options> = {};
const known = new WeakMap<Partial<Http2Options>, Partial<Http2Options>>();

/**
 * HTTP/2 options of an HBONE connection, made once for each object: a tunnel waits for the application behind it for as
 * long as that takes, and the stream's window bounds the cost.
 */
export function tunnelOptions(given: Partial<Http2Options> = NOTHING_ELSE): Partial<Http2Options> {
  const before = known.get(given);
  if (before !== undefined) return before;
  const options = { sendStallTimeoutMs: 0, ...given };
  known.set(given, options);
  return options;
}
