import { createHash, randomUUID } from 'node:crypto';
import { exportPublicKey, type KeyHandle } from '#shared/pki/crypto-provider.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { isSpiffeId, type SpiffeId, serviceAccountOf } from '#shared/spiffe/spiffe-id.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import { CaError } from './ca-error.ts';
import type { Authentication, TokenAuthenticator } from './token-authenticator.ts';

/**
 * Join tokens: how a proxy outside Kubernetes proves who it is. A JWT (RFC 7519) signed with ES256 by a key of the
 * CA's, bound to one identity and, for a node proxy, to one node.
 */
export interface JoinTokens extends TokenAuthenticator {
  /** Rejects with `CaError` when a lifetime or node name is not acceptable. */
  create(request: JoinTokenRequest): Promise<string>;
}

export interface JoinTokenRequest {
  readonly identity: SpiffeId;
  /** Present for a node proxy: it may ask for identities of this node's pods. */
  readonly node?: string;
  readonly ttlMs: number;
}

export interface JoinTokenOptions {
  readonly clock: Clock;
  /** ECDSA P-256. */
  readonly key: KeyHandle;
  readonly trustDomain: TrustDomain;
}

interface Claims {
  readonly sub: SpiffeId;
  readonly node?: string;
  readonly nbf: number;
  readonly exp: number;
}

const ISSUER = 'ambient-mesh';
const AUDIENCE = 'istio-ca';
const NODE_CLAIM = 'ambient.mesh/node';
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };
const MAX_CHARS = 4096;
const MAX_TTL_MS = 366 * 86_400_000;
/** For the clock of another replica that made the token; a token’s end is never stretched. */
const SKEW_S = 60;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** A Kubernetes node name is a DNS subdomain. */
const NODE_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

export async function createJoinTokens(options: JoinTokenOptions): Promise<JoinTokens> {
  const keyId = createHash('sha256')
    .update(await exportPublicKey(options.key))
    .digest('base64url')
    .slice(0, 16);
  return {
    name: 'join token',
    create: request => createToken(options, keyId, request),
    authenticate: token => verifyToken(options, keyId, token),
  };
}

async function createToken(
  options: JoinTokenOptions,
  keyId: string,
  request: JoinTokenRequest,
): Promise<string> {
  if (!(request.ttlMs >= 1000 && request.ttlMs <= MAX_TTL_MS)) {
    throw new CaError(
      'INVALID_ARGUMENT',
      `join token lifetime of ${request.ttlMs} ms: 1 s to 366 days are possible`,
    );
  }
  if (request.node !== undefined && !NODE_NAME.test(request.node)) {
    throw new CaError('INVALID_ARGUMENT', `${JSON.stringify(request.node)} is no node name`);
  }
  const iat = Math.floor(options.clock.now() / 1000);
  const claims = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: request.identity,
    iat,
    nbf: iat,
    exp: iat + Math.floor(request.ttlMs / 1000),
    jti: randomUUID(),
    ...(request.node === undefined ? {} : { [NODE_CLAIM]: request.node }),
  };
  const signed = `${encode({ alg: 'ES256', typ: 'JWT', kid: keyId })}.${encode(claims)}`;
  const { key } = options;
  // WebCrypto's ECDSA signature is r‖s, which is what JWS wants (RFC 7518 §3.4).
  const signature = await key.provider.crypto.subtle.sign(SIGNING, key.privateKey, Buffer.from(signed));
  return `${signed}.${Buffer.from(signature).toString('base64url')}`;
}

async function verifyToken(options: JoinTokenOptions, keyId: string, token: string): Promise<Authentication> {
  if (token.length > MAX_CHARS) return refuse(`a token of ${token.length} characters, at most ${MAX_CHARS}`);
  const [header, payload, signature, rest] = token.split('.', 4);
  if (header === undefined || payload === undefined || signature === undefined || rest !== undefined) {
    return refuse('not a JWT of three parts');
  }
  if (![header, payload, signature].every(part => BASE64URL.test(part)))
    return refuse('a part is not base64url');
  const headerFault = checkHeader(decode(header), keyId);
  if (headerFault !== undefined) return refuse(headerFault);
  // Nothing of the payload is read before its signature has been checked.
  if (!(await isSignedBy(options.key, `${header}.${payload}`, signature)))
    return refuse('the signature is not ours');
  const claims = readClaims(decode(payload), options.trustDomain);
  if (typeof claims === 'string') return refuse(claims);
  return admit(claims, Math.floor(options.clock.now() / 1000));
}

/** `alg` is compared, never looked up: neither `none` nor a symmetric algorithm can come in (RFC 8725 §3.1). */
function checkHeader(header: unknown, keyId: string): string | undefined {
  const fields = asFields(header);
  if (fields === undefined) return 'the header is not a JSON object';
  if (fields.get('alg') !== 'ES256')
    return `alg ${JSON.stringify(fields.get('alg'))}, only ES256 is accepted`;
  if (fields.get('typ') !== 'JWT') return 'typ is not JWT';
  if (fields.has('crit')) return 'crit: critical extensions are not known here';
  if (fields.get('kid') !== keyId) return 'signed with a key this CA does not have';
  return undefined;
}

function readClaims(payload: unknown, trustDomain: TrustDomain): Claims | string {
  const fields = asFields(payload);
  if (fields === undefined) return 'the payload is not a JSON object';
  if (fields.get('iss') !== ISSUER) return `iss is not ${ISSUER}`;
  if (fields.get('aud') !== AUDIENCE) return `aud is not ${AUDIENCE}`;
  const [sub, nbf, exp, node] = ['sub', 'nbf', 'exp', NODE_CLAIM].map(name => fields.get(name));
  if (typeof sub !== 'string' || !isSpiffeId(sub)) return 'sub is not a SPIFFE id';
  if (serviceAccountOf(sub).trustDomain !== trustDomain)
    return `sub ${sub} is not of trust domain ${trustDomain}`;
  if (!isWholeSeconds(nbf) || !isWholeSeconds(exp)) return 'nbf or exp is not a number of seconds';
  if (node === undefined) return { sub, nbf, exp };
  if (typeof node !== 'string' || !NODE_NAME.test(node)) return `${NODE_CLAIM} is no node name`;
  return { sub, nbf, exp, node };
}

function admit(claims: Claims, nowS: number): Authentication {
  if (nowS < claims.nbf - SKEW_S) return refuse(`not valid before ${isoTime(claims.nbf)}: check the clocks`);
  if (nowS >= claims.exp) return refuse(`expired at ${isoTime(claims.exp)}: create a new join token`);
  const { sub: identity, node } = claims;
  if (node === undefined) return { ok: true, caller: { kind: 'workload', identity } };
  return { ok: true, caller: { kind: 'node', identity, node } };
}

async function isSignedBy(key: KeyHandle, signed: string, signature: string): Promise<boolean> {
  const bytes = Buffer.from(signature, 'base64url');
  if (bytes.length !== 64) return false;
  return key.provider.crypto.subtle.verify(SIGNING, key.publicKey, bytes, Buffer.from(signed));
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function asFields(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map<string, unknown>(Object.entries(value));
}

function isWholeSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < 1e11;
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function refuse(reason: string): Authentication {
  return { ok: false, reason };
}
