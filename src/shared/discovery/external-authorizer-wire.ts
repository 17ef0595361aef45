import type { ExternalAuthorizer, HeaderNameMatch } from '../route/external-authorizer.ts';
import type { HeaderValue } from '../route/route-filter.ts';
import {
  readEach,
  readEnum,
  readFlag,
  readMillis,
  readName,
  readNumber,
  readPort,
  readStatus,
  readText,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.ExternalAuthorizer` ↔ `ExternalAuthorizer`. */

const PROTOCOLS = ['grpc', 'http'] as const;
const NAME_KINDS = ['exact', 'prefix', 'suffix', 'any'] as const;

/** @throws InvalidField */
export function authorizerFromWire(wire: WireFields): ExternalAuthorizer {
  return {
    name: readText(wire, 'name'),
    protocol: readEnum(wire, 'protocol', PROTOCOLS),
    service: readName(wire, 'service'),
    port: readPort(wire, 'port', 1),
    timeoutMs: readMillis(wire, 'timeout_ms'),
    failOpen: readFlag(wire, 'fail_open'),
    statusOnError: readStatus(wire, 'status_on_error'),
    pathPrefix: readText(wire, 'path_prefix'),
    maxBodyBytes: readNumber(wire, 'max_body_bytes'),
    allowPartialBody: readFlag(wire, 'allow_partial_body'),
    bodyAsBytes: readFlag(wire, 'body_as_bytes'),
    requestHeaders: headerNames(wire, 'request_headers'),
    addedHeaders: headerValues(wire, 'added_headers'),
    headersToUpstream: headerNames(wire, 'headers_to_upstream'),
    headersToDownstreamOnAllow: headerNames(wire, 'headers_to_downstream_on_allow'),
    headersToDownstreamOnDeny: headerNames(wire, 'headers_to_downstream_on_deny'),
  };
}

export function authorizerToWire(authorizer: ExternalAuthorizer): object {
  return {
    name: authorizer.name,
    protocol: PROTOCOLS.indexOf(authorizer.protocol),
    service: authorizer.service,
    port: authorizer.port,
    timeout_ms: authorizer.timeoutMs,
    fail_open: authorizer.failOpen,
    status_on_error: authorizer.statusOnError,
    path_prefix: authorizer.pathPrefix,
    max_body_bytes: authorizer.maxBodyBytes,
    allow_partial_body: authorizer.allowPartialBody,
    body_as_bytes: authorizer.bodyAsBytes,
    request_headers: authorizer.requestHeaders.map(headerNameToWire),
    added_headers: authorizer.addedHeaders,
    headers_to_upstream: authorizer.headersToUpstream.map(headerNameToWire),
    headers_to_downstream_on_allow: authorizer.headersToDownstreamOnAllow.map(headerNameToWire),
    headers_to_downstream_on_deny: authorizer.headersToDownstreamOnDeny.map(headerNameToWire),
  };
}

/** `HeaderValue`s, whose wire form is the model's. */
export function headerValues(wire: WireFields, field: string): readonly HeaderValue[] {
  return readEach(wire, field, header => ({
    name: readName(header, 'name'),
    value: readText(header, 'value'),
  }));
}

function headerNames(wire: WireFields, field: string): readonly HeaderNameMatch[] {
  return readEach(wire, field, match => {
    const kind = readEnum(match, 'kind', NAME_KINDS);
    return kind === 'any' ? { kind } : { kind, value: readName(match, 'value') };
  });
}

function headerNameToWire(match: HeaderNameMatch): object {
  const kind = NAME_KINDS.indexOf(match.kind);
  return match.kind === 'any' ? { kind } : { kind, value: match.value };
}
