import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { parseJwks } from './jwks.ts';
import { parseToken } from './token.ts';

const PROPERTIES = 3;
const part = (value: unknown): string => Buffer.from(JSON.stringify(value) ?? 'null').toString('base64url');
const key = fc.record(
  {
    kty: fc.constantFrom<unknown>('RSA', 'EC', 'OKP', 'oct', 1),
    kid: fc.oneof<[fc.Arbitrary<unknown>, fc.Arbitrary<unknown>]>(fc.string(), fc.integer()),
    alg: fc.constantFrom('RS256', 'ES256', 'EdDSA', 'none'),
    crv: fc.constantFrom('P-256', 'Ed25519', 'secp256k1', 'x'),
    n: fc.base64String(),
    e: fc.constantFrom('AQAB', 'AA', ''),
    x: fc.base64String(),
    y: fc.base64String(),
    use: fc.constantFrom<unknown>('sig', 'enc', null),
    key_ops: fc.constantFrom<unknown>(['verify'], ['sign'], 'verify'),
  },
  { requiredKeys: [] },
);

test('any text is a token or is refused', t => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\w-]*\.[\w-]*\.[\w-]*$/)), text => {
      parseToken(text);
    }),
    fuzzRun(PROPERTIES),
  );
  t.end();
});

test('any JSON in the parts of a token is a token or is refused', t => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.jsonValue(),
      fc.uint8Array({ minLength: 1 }),
      (header, claims, signature) => {
        const result = parseToken(
          `${part(header)}.${part(claims)}.${Buffer.from(signature).toString('base64url')}`,
        );
        if (result.ok && (typeof claims !== 'object' || claims === null || Array.isArray(claims)))
          throw new Error('claims are an object');
      },
    ),
    fuzzRun(PROPERTIES),
  );
  t.end();
});

test('any key set is read or refused', t => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.record({ keys: fc.array(key, { maxLength: 5 }) })), value => {
      const result = parseJwks(JSON.stringify(value));
      if (result.ok && result.keys.length === 0) throw new Error('a set without keys is refused');
    }),
    fuzzRun(PROPERTIES),
  );
  t.end();
});
