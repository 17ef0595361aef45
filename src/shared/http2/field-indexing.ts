/** How the encoder represents a field (RFC 7541 §6.2): put into the peer's table, not put there, or never to be. */
export type FieldIndexing = 'index' | 'plain' | 'never';

/** Secrets: a table shared between streams would let one guess another's (RFC 7541 §7.1.3). */
const NEVER = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'x-auth-token',
  'x-csrf-token',
  'x-forwarded-client-cert',
];

/** Different on nearly every message: they would only drive useful entries out. */
const PLAIN = [
  ':path',
  'age',
  'content-length',
  'content-range',
  'date',
  'etag',
  'expires',
  'forwarded',
  'grpc-message',
  'grpc-timeout',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'last-modified',
  'location',
  'range',
  'referer',
  'traceparent',
  'tracestate',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-envoy-upstream-service-time',
  'x-forwarded-for',
  'x-request-id',
];

/** Names that are not indexed; all others are. */
export const INDEXING_EXCEPTIONS: ReadonlyMap<string, FieldIndexing> = new Map([
  ...NEVER.map((name): [string, FieldIndexing] => [name, 'never']),
  ...PLAIN.map((name): [string, FieldIndexing] => [name, 'plain']),
]);
