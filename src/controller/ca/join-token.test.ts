import { createHmac } from 'node:crypto';
import { test } from 'tap';
import {
  exportPublicKey,
  generateKey,
  type KeyHandle,
  softwareProvider,
} from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { createJoinTokens, type JoinTokens } from './join-token.ts';
import { authenticateBearer, type TokenAuthenticator } from './token-authenticator.ts';

const ID = parseSpiffeId('spiffe://cluster.local/ns/istio-system/sa/ztunnel');
const HOUR_MS = 3_600_000;
const signal = AbortSignal.timeout(60_000);

async function setup(clock = new FakeClock()) {
  const key = await generateKey(softwareProvider, false);
  const trustDomain = parseTrustDomain('cluster.local');
  const tokens = await createJoinTokens({ clock, key, trustDomain });
  return { clock, key, tokens, token: await tokens.create({ identity: ID, node: 'node-a', ttlMs: HOUR_MS }) };
}

function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** A token with changed header or claims, properly signed with our key. */
async function forged(token: string, key: KeyHandle, header: object, claims: object): Promise<string> {
  const [h = '', p = ''] = token.split('.');
  const change = (text: string, more: object): string =>
    part({ ...(JSON.parse(Buffer.from(text, 'base64url').toString()) as object), ...more });
  const signed = `${change(h, header)}.${change(p, claims)}`;
  const bytes = await key.provider.crypto.subtle.sign(
    { name: 'ECDSA', hash: 'SHA-256' },
    key.privateKey,
    Buffer.from(signed),
  );
  return `${signed}.${Buffer.from(bytes).toString('base64url')}`;
}

test('a token names its identity, and its node when it has one', async t => {
  const { tokens, token } = await setup();
  t.strictSame(await tokens.authenticate(token, signal), {
    ok: true,
    caller: { kind: 'node', identity: ID, node: 'node-a' },
  });
  const plain = await tokens.create({ identity: ID, ttlMs: HOUR_MS });
  t.strictSame(await tokens.authenticate(plain, signal), {
    ok: true,
    caller: { kind: 'workload', identity: ID },
  });
});

test('a token ends at its exp exactly and starts at its nbf with a minute of skew', async t => {
  const { clock, tokens, token } = await setup();
  clock.advance(HOUR_MS - 1);
  t.match(await tokens.authenticate(token, signal), { ok: true });
  clock.advance(1);
  t.match(await tokens.authenticate(token, signal), {
    ok: false,
    reason: /expired at 2026-01-01T01:00:00.000Z: create a new/,
  });
  clock.jumpWallClock(-HOUR_MS - 60_000);
  t.match(await tokens.authenticate(token, signal), { ok: true });
  clock.jumpWallClock(-1000);
  t.match(await tokens.authenticate(token, signal), { ok: false, reason: /not valid before/ });
});

type Forge = (token: string, key: KeyHandle) => string | Promise<string>;
const refused: readonly (readonly [sentence: string, forge: Forge, reason: RegExp])[] = [
  [
    'alg none is refused',
    token => `${part({ alg: 'none', typ: 'JWT' })}.${token.split('.')[1]}.x`,
    /alg "none"/,
  ],
  [
    'HS256 keyed with our public key is refused',
    async (token, key) => {
      const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${token.split('.')[1]}`;
      return `${signed}.${createHmac('sha256', await exportPublicKey(key))
        .update(signed)
        .digest('base64url')}`;
    },
    /alg "HS256"/,
  ],
  ['an empty signature is refused', token => `${token.split('.').slice(0, 2).join('.')}.`, /base64url/],
  ['a signature of another length is refused', token => `${token}AAAA`, /not ours/],
  [
    'changed claims are refused',
    token =>
      token
        .split('.')
        .with(1, part({ sub: ID }))
        .join('.'),
    /not ours/,
  ],
  ['two parts are refused', token => token.split('.').slice(0, 2).join('.'), /three parts/],
  ['four parts are refused', token => `${token}.x`, /three parts/],
  ['an empty token is refused', () => '', /three parts/],
  ['a part that is not base64url is refused', token => `${token}=`, /base64url/],
  ['a header that is no object is refused', () => `${part('[]')}.${part('{}')}.AA`, /not a JSON object/],
  ['an overlong token is refused', token => token + 'A'.repeat(5000), /characters/],
  ['another key id is refused', (token, key) => forged(token, key, { kid: 'x' }, {}), /does not have/],
  ['another typ is refused', (token, key) => forged(token, key, { typ: 'at+jwt' }, {}), /typ/],
  ['crit is refused', (token, key) => forged(token, key, { crit: ['b64'] }, {}), /crit/],
  ['another issuer is refused', (token, key) => forged(token, key, {}, { iss: 'x' }), /iss/],
  ['another audience is refused', (token, key) => forged(token, key, {}, { aud: 'vault' }), /aud/],
  ['a list of audiences is refused', (token, key) => forged(token, key, {}, { aud: ['istio-ca'] }), /aud/],
  [
    'a sub that is no SPIFFE id is refused',
    (token, key) => forged(token, key, {}, { sub: 'admin' }),
    /sub is not/,
  ],
  [
    'another trust domain is refused',
    (token, key) => forged(token, key, {}, { sub: 'spiffe://other/ns/a/sa/b' }),
    /not of trust domain cluster.local/,
  ],
  [
    'a missing exp is refused',
    (token, key) => forged(token, key, {}, { exp: undefined }),
    /number of seconds/,
  ],
  [
    'an exp that is a string is refused',
    (token, key) => forged(token, key, {}, { exp: '9' }),
    /number of seconds/,
  ],
  [
    'an empty node is refused',
    (token, key) => forged(token, key, {}, { 'ambient.mesh/node': '' }),
    /node name/,
  ],
];

for (const [sentence, forge, reason] of refused) {
  test(sentence, async t => {
    const { tokens, token, key } = await setup();
    t.match(await tokens.authenticate(await forge(token, key), signal), { ok: false, reason });
  });
}

test('a token of another CA is refused', async t => {
  const [ours, theirs] = [await setup(), await setup()];
  t.match(await ours.tokens.authenticate(theirs.token, signal), {
    ok: false,
    reason: /key this CA does not have/,
  });
});

test('a token cannot be created with a bad lifetime or node', async t => {
  const { tokens } = await setup();
  for (const ttlMs of [0, -1, Number.NaN, 367 * 24 * HOUR_MS]) {
    await t.rejects(tokens.create({ identity: ID, ttlMs }), {
      code: 'INVALID_ARGUMENT',
      message: /lifetime/,
    });
  }
  await t.rejects(tokens.create({ identity: ID, node: 'a b', ttlMs: HOUR_MS }), { message: /no node name/ });
});

test('bearer metadata: the first authenticator that accepts decides, each refusal is named, no token is quoted', async t => {
  const { tokens, token } = await setup();
  const never: TokenAuthenticator = {
    name: 'never',
    authenticate: async () => ({ ok: false, reason: 'no' }),
  };
  const check = (authorization: string | undefined, ways: readonly (TokenAuthenticator | JoinTokens)[]) =>
    authenticateBearer(ways, authorization, signal);
  t.match(await check(`Bearer ${token}`, [never, tokens]), { ok: true });
  t.strictSame(await check('Bearer secret', [never, tokens]), {
    ok: false,
    reason: 'never: no; join token: not a JWT of three parts',
  });
  t.match(await check(undefined, [tokens]), { ok: false, reason: /no bearer token/ });
  t.match(await check('Basic x', [tokens]), { ok: false, reason: /no bearer token/ });
  t.match(await check(`Bearer ${'x'.repeat(20_000)}`, [tokens]), { ok: false, reason: /20000 characters/ });
  t.match(await check('Bearer x', []), { ok: false, reason: /no way to check/ });
});
