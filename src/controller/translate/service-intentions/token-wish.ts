import type { Fields } from '../decode.ts';

/** A token of a JWTProvider, in which claims have these values. */
export interface TokenWish {
  readonly provider: string;
  readonly claims: readonly ClaimWish[];
}

export interface ClaimWish {
  /** Names of nested objects on the way to the claim. */
  readonly path: readonly string[];
  readonly value: string;
}

/** `jwt`: a token of any of the providers. Undefined: none is asked for. */
export function readTokenWishes(fields: Fields): readonly TokenWish[] | undefined {
  return fields.object('jwt', jwt => {
    const wishes = jwt.objects('providers', readWish);
    if (wishes.length === 0) jwt.reject('providers', 'is empty', 'name a JWTProvider, or remove jwt');
    return wishes;
  });
}

function readWish(fields: Fields): TokenWish {
  return {
    provider: fields.requiredString('name'),
    claims: fields.objects('verifyClaims', readClaim),
  };
}

function readClaim(fields: Fields): ClaimWish {
  const path = fields.strings('path');
  if (path.length === 0) fields.reject('path', 'is required', 'name the claim, as in path: [groups]');
  return { path, value: fields.requiredString('value') };
}
