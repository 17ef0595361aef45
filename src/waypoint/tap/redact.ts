import type { HeaderList } from '#shared/http/headers.ts';

const REDACTED = '[redacted]';

/** What proves who somebody is: whoever watches a tap must not be able to pass for them. Names in lower case. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'x-auth-token',
  'x-csrf-token',
  'x-amz-security-token',
  'x-forwarded-access-token',
]);

/** Parameters that carry tokens: RFC 6750 §2.3 and what services use in its place. */
const SECRET_QUERY =
  /([?&](?:access_token|id_token|token|api_key|apikey|key|password|secret|sig|signature)=)[^&#]*/gi;

/** A copy without the values of headers that prove an identity. */
export function redactHeaders(headers: HeaderList): string[] {
  return headers.map((text, i) =>
    i % 2 === 1 && SECRET_HEADERS.has(headers[i - 1] ?? '') ? REDACTED : text,
  );
}

/** A path without the values of query parameters that carry tokens. */
export function redactPath(path: string): string {
  return path.includes('?') ? path.replace(SECRET_QUERY, `$1${REDACTED}`) : path;
}
