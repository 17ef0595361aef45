import { getHeader, type HeaderList, removeHeader, setHeader } from '#shared/http/headers.ts';
import { formatTraceparent } from '#shared/observability/trace-context.ts';
import { type FoundContext, findContext } from './found-context.ts';
import { makeTraceparent } from './trace-id.ts';

/**
 * Gives a request without `traceparent` one, so that the log lines of all hops behind can be joined: that of its B3 headers, or
 * one of its own that is not sampled. One that is there goes on as it came, `tracestate` with it.
 *
 * @param random gives numbers in [0, 1)
 */
export function ensureTraceparent(headers: HeaderList, random: () => number): void {
  if (getHeader(headers, 'traceparent') !== undefined) return;
  const found = findContext(headers);
  const context = found && formatTraceparent({ ...found, sampled: found.sampled === true });
  headers.push('traceparent', context ?? makeTraceparent(random));
}

/** Makes `spanId`, which is sampled, the parent of what comes next: in `traceparent`, and in B3 where the request came with it. */
export function writeContext(
  headers: HeaderList,
  traceId: string,
  spanId: string,
  format: FoundContext['format'],
): void {
  setHeader(headers, 'traceparent', formatTraceparent({ traceId, parentId: spanId, sampled: true }));
  if (format === 'b3') setHeader(headers, 'b3', `${traceId}-${spanId}-1`);
  if (format !== 'b3multi') return;
  setHeader(headers, 'x-b3-traceid', traceId);
  setHeader(headers, 'x-b3-spanid', spanId);
  setHeader(headers, 'x-b3-sampled', '1');
  removeHeader(headers, 'x-b3-parentspanid');
}
