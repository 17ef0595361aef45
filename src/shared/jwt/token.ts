import { isJwtAlgorithm, type JwtAlgorithm } from './algorithm.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** A signed token (RFC 7519 in JWS compact form), taken apart and not yet believed. */
export interface JwtToken {
  readonly algorithm: JwtAlgorithm;
  readonly kid: string | undefined;
  readonly claims: Claims;
  /** Claims as they were sent, base64url. */
  readonly payload: string;
  readonly signed: Buffer;
  readonly signature: Buffer;
}

export type TokenResult =
  | { readonly ok: true; readonly token: JwtToken }
  | { readonly ok: false; readonly reason: string };

export const MAX_TOKEN_CHARS = 32 * 1024;

/** Never throws; `reason` is for the client and holds nothing of the token. */
export function parseToken(text: string): TokenResult {
  if (text.length > MAX_TOKEN_CHARS) return refused('Jwt is too long');
  const [header = '', payload = '', signature = '', ...rest] = text.split('.', 4);
  if (header === '' || payload === '' || signature === '' || rest.length > 0)
    return refused('Jwt is not in the form of Header.Payload.Signature');
  const head = jsonObject(header);
  if (head === undefined) return refused('Jwt header is not base64url of a JSON object');
  const claims = jsonObject(payload);
  if (claims === undefined) return refused('Jwt payload is not base64url of a JSON object');
  const bytes = decode(signature);
  if (bytes === undefined) return refused('Jwt signature is not base64url');
  const { alg, crit, kid } = head;
  // RFC 7515 §4.1.11: who does not understand an extension that is declared critical must refuse the token.
  if (crit !== undefined) return refused('Jwt header has a critical extension');
  if (!isJwtAlgorithm(alg)) return refused('Jwt header [alg] is not supported');
  if (kid !== undefined && typeof kid !== 'string') return refused('Jwt header [kid] is not a string');
  const signed = Buffer.from(text.slice(0, header.length + 1 + payload.length), 'latin1');
  return { ok: true, token: { algorithm: alg, kid, claims, payload, signed, signature: bytes } };
}

function refused(reason: string): TokenResult {
  return { ok: false, reason };
}

const BASE64URL = /^[A-Za-z0-9_-]+$/;

function decode(text: string): Buffer | undefined {
  return BASE64URL.test(text) && text.length % 4 !== 1 ? Buffer.from(text, 'base64url') : undefined;
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  const bytes = decode(text);
  if (bytes === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
