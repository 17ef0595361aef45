import type { TokenIssuer } from '../route/token-issuer.ts';

/** Where the keys of an issuer are fetched from. */
export interface KeySource {
  /** Unique: the same for every issuer whose keys come from there. */
  readonly name: string;
  /** `jwks`: the key set itself; `openid`: a document that says where it is (`jwks_uri`). */
  readonly kind: 'jwks' | 'openid';
  readonly url: string;
  readonly timeoutMs: number;
}

/** @returns undefined for keys that stand in the configuration, and for an issuer that is not known by name */
export function keySource({ issuer, keys, timeoutMs }: TokenIssuer): KeySource | undefined {
  if (keys.kind === 'uri') return { name: keys.uri, kind: 'jwks', url: keys.uri, timeoutMs };
  if (keys.kind === 'inline' || issuer === undefined) return undefined;
  const url = `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  return { name: url, kind: 'openid', url, timeoutMs };
}
