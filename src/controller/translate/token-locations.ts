import type { TokenLocation } from '#shared/route/token-issuer.ts';

/** Where tokens are looked for when nothing else is said (RFC 6750). */
export const DEFAULT_LOCATIONS: readonly TokenLocation[] = [
  { kind: 'header', name: 'authorization', prefix: 'Bearer ' },
  { kind: 'query', name: 'access_token' },
];
