import type { TokenIssuer, TokenKeys, TokenLocation } from '../route/token-issuer.ts';
import {
  InvalidField,
  readEach,
  readEnum,
  readFlag,
  readMillis,
  readName,
  readOptionalText,
  readText,
  readTexts,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.TokenIssuer` ↔ `TokenIssuer`. */

const LOCATIONS = ['header', 'query', 'cookie'] as const;

/** @throws InvalidField */
export function tokenIssuerFromWire(wire: WireFields): TokenIssuer {
  const from = readEach(wire, 'from', locationFromWire);
  if (from.length === 0) throw new InvalidField('from', 'is empty: no token would ever be found');
  const issuer = readOptionalText(wire, 'issuer');
  const keys = keysFromWire(wire);
  if (keys.kind === 'discovery' && issuer === undefined)
    throw new InvalidField('issuer', 'is not set; keys are to be discovered by it');
  return {
    name: readName(wire, 'name'),
    issuer,
    audiences: readTexts(wire, 'audiences'),
    keys,
    from,
    forwardOriginal: readFlag(wire, 'forward_original'),
    outputPayloadToHeader: readOptionalText(wire, 'output_payload_to_header'),
    outputClaimToHeaders: readEach(wire, 'output_claim_to_headers', output => ({
      header: readName(output, 'header'),
      claim: readTexts(output, 'claim'),
    })),
    timeoutMs: readMillis(wire, 'timeout_ms'),
    clockSkewMs: readMillis(wire, 'clock_skew_ms'),
    requiredClaims: readEach(wire, 'required_claims', match => ({
      claim: readTexts(match, 'claim'),
      value: readText(match, 'value'),
    })),
    spaceDelimitedClaims: readTexts(wire, 'space_delimited_claims'),
    required: readFlag(wire, 'required'),
  };
}

export function tokenIssuerToWire(issuer: TokenIssuer): object {
  return {
    name: issuer.name,
    issuer: issuer.issuer,
    audiences: issuer.audiences,
    jwks: issuer.keys.kind === 'inline' ? issuer.keys.jwks : undefined,
    jwks_uri: issuer.keys.kind === 'uri' ? issuer.keys.uri : undefined,
    from: issuer.from.map(location => ({ ...location, kind: LOCATIONS.indexOf(location.kind) })),
    forward_original: issuer.forwardOriginal,
    output_payload_to_header: issuer.outputPayloadToHeader,
    output_claim_to_headers: issuer.outputClaimToHeaders,
    timeout_ms: issuer.timeoutMs,
    clock_skew_ms: issuer.clockSkewMs,
    required_claims: issuer.requiredClaims,
    space_delimited_claims: issuer.spaceDelimitedClaims,
    required: issuer.required,
  };
}

function keysFromWire(wire: WireFields): TokenKeys {
  const jwks = readOptionalText(wire, 'jwks');
  if (jwks !== undefined) return { kind: 'inline', jwks };
  const uri = readOptionalText(wire, 'jwks_uri');
  return uri === undefined ? { kind: 'discovery' } : { kind: 'uri', uri };
}

function locationFromWire(wire: WireFields): TokenLocation {
  const kind = readEnum(wire, 'kind', LOCATIONS);
  const name = readName(wire, 'name');
  return kind === 'header' ? { kind, name, prefix: readText(wire, 'prefix') } : { kind, name };
}
