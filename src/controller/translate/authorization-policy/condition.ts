import {
  ANY_HTTP_REQUEST,
  type ClaimValueMatch,
  EMPTY_MATCH,
  type HeaderValueMatch,
  type HttpMatch,
  type Match,
} from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { headerName } from '../http-headers.ts';
import { principals } from './principals.ts';
import { unchecked, type RuleReading } from './unchecked.ts';
import { cidrs, ports, serviceAccounts, stringMatches } from './values.ts';

/** `when[]`. Undefined for a condition that is left out (and reported). */
export function readCondition(fields: Fields, context: RuleReading): Match | undefined {
  const key = fields.requiredString('key');
  if (!fields.has('values') && !fields.has('notValues'))
    fields.reject('values', 'is required, or notValues', 'set one of them');
  return (
    readSource(fields, key, context) ??
    readDestination(fields, key) ??
    readRequest(fields, key) ??
    readUnchecked(fields, key, context)
  );
}

function readSource(fields: Fields, key: string, context: RuleReading): Match | undefined {
  switch (key) {
    case 'source.ip':
      return { ...EMPTY_MATCH, sourceIps: cidrs(fields, 'values'), notSourceIps: cidrs(fields, 'notValues') };
    case 'source.namespace':
      return {
        ...EMPTY_MATCH,
        namespaces: stringMatches(fields, 'values'),
        notNamespaces: stringMatches(fields, 'notValues'),
      };
    case 'source.principal':
      return {
        ...EMPTY_MATCH,
        principals: principals(fields, 'values', context.trustDomain),
        notPrincipals: principals(fields, 'notValues', context.trustDomain),
      };
    case 'source.trustDomain':
      return {
        ...EMPTY_MATCH,
        trustDomains: stringMatches(fields, 'values'),
        notTrustDomains: stringMatches(fields, 'notValues'),
      };
    case 'source.serviceAccount':
      return {
        ...EMPTY_MATCH,
        serviceAccounts: serviceAccounts(fields, 'values', context.namespace),
        notServiceAccounts: serviceAccounts(fields, 'notValues', context.namespace),
      };
    default:
      return undefined;
  }
}

function readDestination(fields: Fields, key: string): Match | undefined {
  switch (key) {
    case 'destination.ip':
      return {
        ...EMPTY_MATCH,
        destinationIps: cidrs(fields, 'values'),
        notDestinationIps: cidrs(fields, 'notValues'),
      };
    case 'destination.port':
      return {
        ...EMPTY_MATCH,
        destinationPorts: ports(fields, 'values'),
        notDestinationPorts: ports(fields, 'notValues'),
      };
    case 'connection.sni':
      return {
        ...EMPTY_MATCH,
        serverNames: stringMatches(fields, 'values'),
        notServerNames: stringMatches(fields, 'notValues'),
      };
    default:
      return undefined;
  }
}

/** What a waypoint alone can see. */
function readRequest(fields: Fields, key: string): Match | undefined {
  const claim = claimOf(key);
  if (claim !== undefined) return withHttp({ claims: [readClaim(fields, claim)] });
  const [, header] = /^request\.headers\[(.+)\]$/.exec(key) ?? [];
  if (header !== undefined) return readHeader(fields, header);
  switch (key) {
    case 'remote.ip':
      return withHttp({ remoteIps: cidrs(fields, 'values'), notRemoteIps: cidrs(fields, 'notValues') });
    case 'request.auth.principal':
      return withHttp({
        requestPrincipals: stringMatches(fields, 'values'),
        notRequestPrincipals: stringMatches(fields, 'notValues'),
      });
    default:
      return undefined;
  }
}

function readHeader(fields: Fields, name: string): Match {
  if (name.startsWith(':')) {
    fields.reject('key', 'names a pseudo-header', 'use hosts, methods or paths of an operation');
  }
  const header: HeaderValueMatch = {
    name: name.startsWith(':') ? name : headerName(fields, 'key', name),
    values: stringMatches(fields, 'values'),
    notValues: stringMatches(fields, 'notValues'),
  };
  return withHttp({ headers: [header] });
}

function withHttp(http: Partial<HttpMatch>): Match {
  return { ...EMPTY_MATCH, http: { ...ANY_HTTP_REQUEST, ...http } };
}

/** The claim an attribute of a token stands for; `request.auth.claims[a][b]` is the claim `b` of the object `a`. */
function claimOf(key: string): readonly string[] | undefined {
  if (key === 'request.auth.audiences') return ['aud'];
  if (key === 'request.auth.presenter') return ['azp'];
  const [, path] = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/.exec(key) ?? [];
  return path?.slice(1, -1).split('][');
}

function readClaim(fields: Fields, claim: readonly string[]): ClaimValueMatch {
  return { claim, values: stringMatches(fields, 'values'), notValues: stringMatches(fields, 'notValues') };
}

/** Filters of Envoy's are not there. */
const NOT_CHECKED = /^experimental\./;

function readUnchecked(fields: Fields, key: string, context: RuleReading): undefined {
  fields.strings('values');
  fields.strings('notValues');
  if (NOT_CHECKED.test(key)) unchecked(fields, 'key', context, 'this attribute does not exist in the mesh');
  else if (key !== '') {
    fields.reject(
      'key',
      'is no attribute a policy can ask for',
      'use source.*, destination.*, connection.sni, remote.ip, request.headers[name] or request.auth.*',
    );
  }
}
