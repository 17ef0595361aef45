import { parseJwks } from '#shared/jwt/jwks.ts';
import type { TokenIssuer, TokenKeys, TokenLocation } from '#shared/route/token-issuer.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { noReach, type PolicyReach, readReach } from '../authorization-policy/policy-reach.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { headerName } from '../http-headers.ts';
import { checkKeysUri } from '../token-keys.ts';
import { DEFAULT_LOCATIONS } from '../token-locations.ts';

/** Whose tokens requests may bear, and for which services. */
export interface RequestAuthenticationTranslation extends PolicyReach {
  readonly issuers: readonly TokenIssuer[];
}

export interface RequestAuthenticationOptions {
  readonly rootNamespace: string;
}

/** Istio RequestAuthentication, for waypoints: ztunnels see no requests. */
export function translateRequestAuthentication(
  object: KubeObject,
  { rootNamespace }: RequestAuthenticationOptions,
): Translated<RequestAuthenticationTranslation> {
  const diagnostics = new Diagnostics(object);
  const { name, namespace } = object.metadata;
  const read = readSpec(object, diagnostics, spec => ({
    ...readReach(spec, namespace, namespace === rootNamespace),
    issuers: spec.objects('jwtRules', (rule, index) => readIssuer(rule, `${namespace}/${name}/${index}`)),
  }));
  return diagnostics.conclude(read ?? { ...noReach(namespace), issuers: [] });
}

/** Istio's: of a fetch of keys, and what clocks may differ by. */
const DEFAULT_TIMEOUT_MS = 5000;
const CLOCK_SKEW_MS = 60_000;

function readIssuer(fields: Fields, name: string): TokenIssuer {
  const payloadHeader = fields.string('outputPayloadToHeader');
  const keys = readKeys(fields);
  return {
    name,
    issuer: readIssuerName(fields, keys),
    audiences: fields.strings('audiences'),
    keys,
    from: readLocations(fields),
    forwardOriginal: fields.boolean('forwardOriginalToken') ?? false,
    outputPayloadToHeader:
      payloadHeader === undefined ? undefined : headerName(fields, 'outputPayloadToHeader', payloadHeader),
    outputClaimToHeaders: fields.objects('outputClaimToHeaders', output => ({
      header: headerName(output, 'header', output.requiredString('header')),
      claim: output.requiredString('claim').split('.'),
    })),
    timeoutMs: fields.durationMs('timeout', '5s') || DEFAULT_TIMEOUT_MS,
    clockSkewMs: CLOCK_SKEW_MS,
    requiredClaims: [],
    spaceDelimitedClaims: fields.strings('spaceDelimitedClaims'),
    required: fields.oneOf('presence', ['OPTIONAL', 'REQUIRED']) === 'REQUIRED',
  };
}

/** Any, where none is named; then the keys must be. */
function readIssuerName(fields: Fields, keys: TokenKeys): string | undefined {
  if (keys.kind === 'discovery') return fields.requiredString('issuer');
  return fields.string('issuer') || undefined;
}

function readKeys(fields: Fields): TokenKeys {
  const jwks = fields.string('jwks');
  const uri = fields.string('jwksUri') ?? fields.string('jwks_uri');
  if (jwks !== undefined && uri !== undefined)
    fields.reject('jwks', 'cannot be together with jwksUri', 'keep the one you mean');
  if (jwks !== undefined) {
    const keys = parseJwks(jwks);
    if (!keys.ok) fields.reject('jwks', `cannot be used: ${keys.reason}`, 'write a JSON Web Key Set');
    return { kind: 'inline', jwks };
  }
  if (uri === undefined) return { kind: 'discovery' };
  checkKeysUri(fields, 'jwksUri', uri);
  return { kind: 'uri', uri };
}

function readLocations(fields: Fields): readonly TokenLocation[] {
  const headers = fields.objects('fromHeaders', (header): TokenLocation => {
    const name = headerName(header, 'name', header.requiredString('name'));
    return { kind: 'header', name, prefix: header.string('prefix') ?? '' };
  });
  const queries = fields.strings('fromParams').map((name): TokenLocation => ({ kind: 'query', name }));
  const cookies = fields.strings('fromCookies').map((name): TokenLocation => ({ kind: 'cookie', name }));
  const from = [...headers, ...queries, ...cookies];
  return from.length > 0 ? from : DEFAULT_LOCATIONS;
}
