import { getHeader, type HeaderList } from '../http/headers.ts';

const FIELD = 'proxy-status';
const ERROR = 'connection_limit_reached';

/** With the 503 for a workload that has as many connections as it may: the proxy says so, not the application (RFC 9209). */
export const LIMIT_REACHED_FIELDS: readonly string[] = [FIELD, `ztunnel; error=${ERROR}`];

/** Whether an answer says so. */
export function isLimitReached(fields: HeaderList): boolean {
  return (getHeader(fields, FIELD) ?? '').includes(`error=${ERROR}`);
}
