import { generateKeyPairSync } from 'node:crypto';
import { test } from 'tap';
import { loggerInto } from '#shared/testing/logger-into.ts';
import type { TokenIssuer } from '#shared/route/token-issuer.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { KeySets } from './key-sets.ts';

const jwks = (kid: string): string =>
  JSON.stringify({ keys: [{ ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid }] });

const ISSUER: TokenIssuer = {
  name: 'default/tokens',
  issuer: 'https://issuer/',
  audiences: [],
  keys: { kind: 'uri', uri: 'https://issuer/keys' },
  from: [],
  forwardOriginal: false,
  outputPayloadToHeader: undefined,
  outputClaimToHeaders: [],
  timeoutMs: 1_000,
  clockSkewMs: 0,
  requiredClaims: [],
  spaceDelimitedClaims: [],
  required: false,
};

function keySets() {
  const clock = new FakeClock();
  const asked: string[] = [];
  const lines: string[] = [];
  const logger = loggerInto(lines);
  const sets = new KeySets({ clock, logger, ask: source => asked.push(`${source.kind} ${source.url}`) });
  return { asked, clock, lines, sets };
}

const kids = (sets: KeySets, issuer = ISSUER): (string | undefined)[] | undefined =>
  sets.keysOf(issuer)?.map(({ kid }) => kid);

test('many requests wait for one fetch, and all go on when it is done', t => {
  const { asked, sets } = keySets();
  let gone = 0;
  for (let i = 0; i < 3; i++) sets.refresh(ISSUER, () => gone++);
  const giveUp = sets.refresh(ISSUER, () => t.fail('given up'));
  giveUp();
  t.same(asked, ['jwks https://issuer/keys']);
  t.equal(gone, 0);
  sets.set('https://issuer/keys', jwks('a'));
  t.equal(gone, 3);
  t.same(kids(sets), ['a']);
  t.end();
});

test('nobody asks again for ten seconds; a set that could not be fetched leaves the last one', t => {
  const { asked, clock, sets } = keySets();
  sets.refresh(ISSUER, () => {});
  sets.set('https://issuer/keys', jwks('a'));
  let at = 0;
  sets.refresh(ISSUER, () => at++);
  t.equal(at, 1, 'at once');
  clock.advance(10_000);
  sets.refresh(ISSUER, () => at++);
  t.equal(asked.length, 2);
  sets.set('https://issuer/keys', undefined);
  t.equal(at, 2);
  t.same(kids(sets), ['a']);
  sets.set('https://issuer/keys', '{"keys":[]}');
  t.same(kids(sets), ['a'], 'what is no key set changes nothing');
  sets.set('https://issuer/keys', jwks('b'));
  t.same(kids(sets), ['b'], 'also unasked');
  t.end();
});

test('a main thread that does not answer is waited for no longer than the issuer says', t => {
  const { clock, sets } = keySets();
  let at = 0;
  sets.refresh(ISSUER, () => at++);
  clock.advance(999);
  t.equal(at, 0);
  clock.advance(1);
  t.equal(at, 1);
  sets.set('https://issuer/keys', jwks('a'));
  t.equal(at, 1, 'once');
  t.end();
});

test('where keys come from: by OpenID configuration, or they stand in the policy', t => {
  const { asked, lines, sets } = keySets();
  sets.refresh({ ...ISSUER, keys: { kind: 'discovery' } }, () => {});
  t.same(asked, ['openid https://issuer/.well-known/openid-configuration']);
  const inline = { ...ISSUER, keys: { kind: 'inline', jwks: jwks('i') } } as const;
  t.same(kids(sets, inline), ['i']);
  let at = 0;
  sets.refresh(inline, () => at++);
  sets.refresh({ ...ISSUER, issuer: undefined, keys: { kind: 'discovery' } }, () => at++);
  t.equal(at, 2, 'nothing newer can be hoped for');
  t.same(kids(sets, { ...ISSUER, keys: { kind: 'inline', jwks: 'x' } }), []);
  t.match(lines, [/default\/tokens.*is not JSON/]);
  t.end();
});
