import fc from 'fast-check';
import type { TokenIssuer, TokenKeys } from '../route/token-issuer.ts';
import { few, flag, maybe, milliseconds, name, names, text } from './arbitrary-values.ts';

/** For property tests: any valid issuer of tokens, as the wire can carry it. */

const keys: fc.Arbitrary<TokenKeys> = fc.oneof(
  fc.record({ kind: fc.constant('inline' as const), jwks: text }),
  fc.record({ kind: fc.constant('uri' as const), uri: text }),
  fc.record({ kind: fc.constant('discovery' as const) }),
);

export const tokenIssuer: fc.Arbitrary<TokenIssuer> = fc
  .record({
    name,
    issuer: maybe(text),
    audiences: names,
    keys,
    from: fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('header' as const), name, prefix: text }),
        fc.record({ kind: fc.constantFrom('query' as const, 'cookie' as const), name }),
      ),
      { minLength: 1, maxLength: 2 },
    ),
    forwardOriginal: flag,
    outputPayloadToHeader: maybe(name),
    outputClaimToHeaders: few(fc.record({ header: name, claim: names })),
    timeoutMs: milliseconds,
    clockSkewMs: milliseconds,
    requiredClaims: few(fc.record({ claim: names, value: text })),
    spaceDelimitedClaims: names,
    required: flag,
  })
  .map(issuer => (issuer.keys.kind === 'discovery' ? { ...issuer, issuer: issuer.issuer ?? 'it' } : issuer));
