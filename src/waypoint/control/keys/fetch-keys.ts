import { MAX_JWKS_BYTES, parseJwks } from '#shared/jwt/jwks.ts';
import type { KeySource } from '#shared/jwt/key-source.ts';
import type { FetchDocument } from './fetch-document.ts';

export interface FetchedKeys {
  /** A key set that holds at least one usable key. */
  readonly jwks: string;
  /** Keys of it that are not used, and why. */
  readonly skipped: readonly string[];
}

const MAX_DISCOVERY_BYTES = 64 * 1024;

/** Fetches the keys of a source, by way of its OpenID configuration where it has one. Rejects with what went wrong. */
export async function fetchKeys(source: KeySource, fetch: FetchDocument): Promise<FetchedKeys> {
  const { timeoutMs } = source;
  const url = parseUrl(source.url);
  const keysUrl = source.kind === 'jwks' ? url : await discover(url, timeoutMs, fetch);
  const jwks = await fetch({ url: keysUrl, timeoutMs, maxBytes: MAX_JWKS_BYTES });
  const parsed = parseJwks(jwks);
  if (!parsed.ok) throw new Error(`${keysUrl.href}: ${parsed.reason}`);
  return { jwks, skipped: parsed.skipped };
}

async function discover(url: URL, timeoutMs: number, fetch: FetchDocument): Promise<URL> {
  const text = await fetch({ url, timeoutMs, maxBytes: MAX_DISCOVERY_BYTES });
  const document = parseJson(text, url);
  const jwksUri: unknown =
    typeof document === 'object' && document !== null ? Reflect.get(document, 'jwks_uri') : undefined;
  if (typeof jwksUri !== 'string')
    throw new Error(`${url.href}: has no "jwks_uri"; name it in the policy (jwksUri)`);
  return parseUrl(jwksUri);
}

function parseJson(text: string, url: URL): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${url.href}: is not JSON`, { cause: error });
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new Error(`${JSON.stringify(text)} is no URL of scheme https or http`);
  return url;
}
