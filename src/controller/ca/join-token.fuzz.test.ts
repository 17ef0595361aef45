import { equal } from 'node:assert';
import fc from 'fast-check';
import { test } from 'tap';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { createJoinTokens } from './join-token.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 1);
const options = { interruptAfterTimeLimit: seconds * 1000, numRuns: 10_000_000 };

test('no change of a token’s header or claims, and no other text, is ever accepted; nothing throws', async t => {
  const key = await generateKey(softwareProvider, false);
  const tokens = await createJoinTokens({ clock: new FakeClock(), key, trustDomain: parseTrustDomain('td') });
  const token = await tokens.create({ identity: parseSpiffeId('spiffe://td/ns/a/sa/b'), ttlMs: 60_000 });
  const [header = '', claims = '', signature = ''] = token.split('.');
  const signed = `${header}.${claims}`;
  const edited = fc
    .tuple(fc.nat(signed.length - 1), fc.string({ minLength: 1, maxLength: 3 }))
    .map(([at, text]) => `${signed.slice(0, at)}${text}${signed.slice(at + text.length)}.${signature}`);
  const json = fc.json().map(value => Buffer.from(value).toString('base64url'));
  const made = fc.tuple(json, json, fc.base64String()).map(parts => parts.join('.'));
  const withOurHeader = json.map(value => `${header}.${value}.${signature}`);
  await fc.assert(
    fc.asyncProperty(fc.oneof(edited, made, withOurHeader, fc.string()), async candidate => {
      if (candidate.startsWith(`${signed}.`)) return;
      const result = await tokens.authenticate(candidate, AbortSignal.any([]));
      equal(result.ok, false);
    }),
    options,
  );
  t.end();
});
