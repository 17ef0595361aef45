import { generateKeyPairSync, type KeyObject, sign, constants } from 'node:crypto';
import { test } from 'tap';
import type { JwtAlgorithm } from './algorithm.ts';
import { checkClaims, type ClaimsRule } from './check-claims.ts';
import { claimAt, claimHeader, claimTexts } from './claim-values.ts';
import { type JwtKey, parseJwks } from './jwks.ts';
import { MAX_TOKEN_CHARS, parseToken, type Claims } from './token.ts';
import { VerifiedTokens } from './verified-tokens.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const ed = generateKeyPairSync('ed25519');

function jwk(key: KeyObject, fields: object = {}): object {
  return { ...key.export({ format: 'jwk' }), ...fields };
}

function jwks(...keys: object[]): string {
  return JSON.stringify({ keys });
}

function keysOf(text: string): readonly JwtKey[] {
  const result = parseJwks(text);
  if (!result.ok) throw new Error(result.reason);
  return result.keys;
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(alg: JwtAlgorithm, key: KeyObject, claims: object, header: object = {}): string {
  const text = `${part({ alg, ...header })}.${part(claims)}`;
  const hash = alg === 'EdDSA' ? undefined : `sha${alg.slice(2)}`;
  const signature = sign(hash, Buffer.from(text), {
    key,
    dsaEncoding: 'ieee-p1363',
    ...(alg.startsWith('PS')
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : {}),
  });
  return `${text}.${signature.toString('base64url')}`;
}

function check(text: string, keys: readonly JwtKey[], tokens = new VerifiedTokens()): string {
  const parsed = tokens.parse(text);
  return parsed.ok ? tokens.verify(text, parsed.token, keys).kind : parsed.reason;
}

test('every algorithm verifies with its own kind of key', t => {
  const rows: readonly (readonly [JwtAlgorithm, { publicKey: KeyObject; privateKey: KeyObject }])[] = [
    ['RS256', rsa],
    ['RS384', rsa],
    ['RS512', rsa],
    ['PS256', rsa],
    ['PS384', rsa],
    ['PS512', rsa],
    ['ES256', p256],
    ['ES384', p384],
    ['ES512', p521],
    ['EdDSA', ed],
  ];
  for (const [alg, { privateKey, publicKey }] of rows) {
    const token = signed(alg, privateKey, { iss: 'a' }, { kid: 'k' });
    t.equal(check(token, keysOf(jwks(jwk(publicKey, { kid: 'k' })))), 'verified', alg);
    t.equal(check(token, keysOf(jwks(jwk(publicKey, { kid: 'x' })))), 'unknown_key', `${alg}, another kid`);
  }
  t.end();
});

test('which key a token is verified with', t => {
  const token = signed('RS256', rsa.privateKey, { iss: 'a' }, { kid: 'k' });
  const nameless = signed('RS256', rsa.privateKey, { iss: 'a' });
  const rows: readonly (readonly [string, string, readonly object[], string])[] = [
    [
      'the key it names, among others',
      token,
      [jwk(ed.publicKey), jwk(rsa.publicKey, { kid: 'k' })],
      'verified',
    ],
    ['a key without a name', token, [jwk(rsa.publicKey)], 'verified'],
    [
      'one of several of the same name',
      token,
      [jwk(other.publicKey, { kid: 'k' }), jwk(rsa.publicKey, { kid: 'k' })],
      'verified',
    ],
    [
      'a token without a name, any key',
      nameless,
      [jwk(other.publicKey, { kid: 'x' }), jwk(rsa.publicKey, { kid: 'k' })],
      'verified',
    ],
    [
      'a token without a name that no key has signed',
      nameless,
      [jwk(other.publicKey, { kid: 'x' })],
      'unknown_key',
    ],
    [
      'a key of that name that has not signed it',
      token,
      [jwk(other.publicKey, { kid: 'k' })],
      'bad_signature',
    ],
    ['a key for another algorithm', token, [jwk(rsa.publicKey, { kid: 'k', alg: 'PS256' })], 'unknown_key'],
    ['a key of another kind', token, [jwk(p256.publicKey, { kid: 'k' })], 'unknown_key'],
  ];
  for (const [sentence, text, keys, expected] of rows)
    t.equal(check(text, keysOf(jwks(...keys))), expected, sentence);
  t.end();
});

test('a token that is known is not verified again, unless its key has left the set', t => {
  const tokens = new VerifiedTokens();
  const keys = keysOf(jwks(jwk(rsa.publicKey)));
  const token = signed('RS256', rsa.privateKey, { iss: 'a' });
  t.equal(check(token, keys, tokens), 'verified');
  t.equal(tokens.size, 1);
  t.equal(check(token, keys, tokens), 'verified');
  t.equal(check(token, keysOf(jwks(jwk(other.publicKey))), tokens), 'unknown_key');
  for (let i = 0; i < 1_100; i++)
    check(signed('EdDSA', ed.privateKey, { i }), keysOf(jwks(jwk(ed.publicKey))), tokens);
  t.equal(tokens.size, 1_000, 'bounded');
  t.end();
});

test('a token that is none is refused with a reason that gives nothing of it away', t => {
  const good = signed('RS256', rsa.privateKey, { iss: 'a' });
  const [head = '', payload = '', signature = ''] = good.split('.');
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['empty', '', /form of/],
    ['two parts', `${head}.${payload}`, /form of/],
    ['four parts', `${good}.x`, /form of/],
    ['an empty part', `${head}..${signature}`, /form of/],
    ['a header with padding', `${head}=.${payload}.${signature}`, /header/],
    ['a header that is no JSON', `YWJj.${payload}.${signature}`, /header/],
    ['a header that is a list', `${part([])}.${payload}.${signature}`, /header/],
    ['a payload that is null', `${head}.${part(null)}.${signature}`, /payload/],
    ['a signature that is no base64url', `${head}.${payload}.a+b`, /signature/],
    ['a signature of an impossible length', `${head}.${payload}.abcde`, /signature/],
    ['alg none', `${part({ alg: 'none' })}.${payload}.${signature}`, /alg/],
    ['alg HS256', `${part({ alg: 'HS256' })}.${payload}.${signature}`, /alg/],
    ['alg of the prototype', `${part({ alg: 'toString' })}.${payload}.${signature}`, /alg/],
    ['no alg', `${part({})}.${payload}.${signature}`, /alg/],
    ['a critical extension', `${part({ alg: 'RS256', crit: ['exp'] })}.${payload}.${signature}`, /critical/],
    ['a kid that is a number', `${part({ alg: 'RS256', kid: 1 })}.${payload}.${signature}`, /kid/],
    ['too long', `${head}.${payload}.${'a'.repeat(MAX_TOKEN_CHARS)}`, /too long/],
  ];
  for (const [sentence, text, reason] of rows) {
    const result = parseToken(text);
    t.match(result.ok ? '' : result.reason, reason, sentence);
  }
  t.equal(
    check(`${head}.${part({ iss: 'b' })}.${signature}`, keysOf(jwks(jwk(rsa.publicKey, { kid: 'k' })))),
    'unknown_key',
  );
  t.end();
});

test('a key set: what is not usable is passed over and named; a set without any is refused', t => {
  const good = jwk(rsa.publicKey, { kid: 'good' });
  const rows: readonly (readonly [string, unknown, RegExp])[] = [
    ['for encryption', jwk(rsa.publicKey, { use: 'enc' }), /not for signatures/],
    ['for signing only', jwk(rsa.publicKey, { key_ops: ['sign'] }), /not for verifying/],
    ['a secret', { kty: 'oct', k: 'c2VjcmV0' }, /kty "oct"/],
    ['no object', 5, /not an object/],
    ['a short RSA key', jwk(short.publicKey), /1024 bits/],
    ['a point that is not on the curve', { ...jwk(p256.publicKey), x: 'AAAA' }, /not a valid EC key/],
    ['an algorithm of another kind', jwk(rsa.publicKey, { alg: 'ES256' }), /cannot be used with "ES256"/],
    ['a kid that is no text', jwk(rsa.publicKey, { kid: 7 }), /kid/],
    ['X25519, which signs nothing', jwk(generateKeyPairSync('x25519').publicKey), /no supported algorithm/],
  ];
  for (const [sentence, key, reason] of rows) {
    const result = parseJwks(JSON.stringify({ keys: [key, good] }));
    t.match(result.ok ? result.skipped[0] : result.reason, reason, sentence);
    t.equal(result.ok ? result.keys.length : 0, 1, `${sentence}: the other is used`);
    t.match(parseJwks(JSON.stringify({ keys: [key] })), { ok: false, reason }, `${sentence}: alone`);
  }
  for (const text of [
    '',
    '[]',
    '{}',
    '{"keys":{}}',
    '{"keys":[]}',
    `{"keys":[${'1,'.repeat(100)}1]}`,
    ' '.repeat(300_000),
  ])
    t.equal(parseJwks(text).ok, false, text.slice(0, 20));
  t.end();
});

const RULE: ClaimsRule = { issuer: 'https://issuer', audiences: [], clockSkewMs: 60_000, requiredClaims: [] };
const NOW = 1_000_000_000_000;
const NOW_S = NOW / 1_000;

test('claims: issuer, time within a minute, audience, what is required', t => {
  const rows: readonly (readonly [string, Claims, Partial<ClaimsRule>, RegExp | undefined, number?])[] = [
    ['the issuer alone', {}, {}, undefined],
    ['another issuer', { iss: 'x' }, {}, /issuer is not configured/, 401],
    ['no issuer', { iss: undefined }, {}, /issuer is not configured/, 401],
    ['any issuer', { iss: 'x' }, { issuer: undefined }, undefined],
    ['expired a minute ago', { exp: NOW_S - 60 }, {}, /expired/, 401],
    ['expired less than a minute ago', { exp: NOW_S - 59 }, {}, undefined],
    ['valid in two minutes', { nbf: NOW_S + 120 }, {}, /not yet valid/, 401],
    ['valid in a minute', { nbf: NOW_S + 60 }, {}, undefined],
    ['a time that is text', { exp: '5' }, {}, /not a number/, 401],
    ['a time that is null', { exp: null }, {}, /not a number/, 401],
    ['an audience of ours', { aud: ['x', 'us/'] }, { audiences: ['us'] }, undefined],
    ['an audience as text', { aud: 'us' }, { audiences: ['them', 'us/'] }, undefined],
    ['no audience of ours', { aud: ['x'] }, { audiences: ['us'] }, /Audiences/, 403],
    ['no audience at all', {}, { audiences: ['us'] }, /Audiences/, 403],
    [
      'a required claim, nested, of a list',
      { r: { roles: ['a', 'b'] } },
      { requiredClaims: [{ claim: ['r', 'roles'], value: 'b' }] },
      undefined,
    ],
    [
      'a required claim that has another value',
      { r: 'x' },
      { requiredClaims: [{ claim: ['r'], value: 'b' }] },
      /required claim/,
      403,
    ],
  ];
  for (const [sentence, claims, rule, reason, status] of rows) {
    const fault = checkClaims({ iss: 'https://issuer', ...claims }, { ...RULE, ...rule }, NOW);
    if (reason === undefined) t.equal(fault, undefined, sentence);
    else t.match(fault, { reason, status }, sentence);
  }
  t.end();
});

test('values of claims: for policies and for headers', t => {
  const claims = {
    a: { 'b.c': [1, 'x', true, {}] },
    o: { k: 'v' },
    u: 'ü',
    line: 'a\r\nb: c',
    chinese: '漢',
  };
  t.same(claimTexts(claimAt(claims, ['a', 'b.c'])), ['1', 'x', 'true']);
  t.equal(claimAt(claims, ['a', 'toString']), undefined, 'nothing of the prototype');
  t.equal(claimAt(claims, ['u', 'length']), undefined);
  t.equal(claimHeader(claims.u), Buffer.from('ü').toString('latin1'), 'bytes of UTF-8');
  t.equal(claimHeader(false), 'false');
  t.equal(claimHeader(undefined), undefined);
  t.equal(claimHeader(claims.line), undefined, 'no line can be ended');
  t.equal(claimHeader(claims.o), Buffer.from('{"k":"v"}').toString('base64url'));
  t.end();
});
