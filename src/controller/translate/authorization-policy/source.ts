import type { HttpMatch, Match } from '#shared/authz/policy.ts';
import { ANY_HTTP_REQUEST, EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import type { RuleReading } from './unchecked.ts';
import { principals } from './principals.ts';
import { cidrs, serviceAccounts, stringMatches } from './values.ts';

const HTTP_FIELDS = ['requestPrincipals', 'notRequestPrincipals', 'remoteIps', 'notRemoteIps'] as const;

/** `from[].source`. */
export function readSource(fields: Fields, context: RuleReading): Match {
  const match: Match = {
    ...EMPTY_MATCH,
    principals: principals(fields, 'principals', context.trustDomain),
    notPrincipals: principals(fields, 'notPrincipals', context.trustDomain),
    namespaces: stringMatches(fields, 'namespaces'),
    notNamespaces: stringMatches(fields, 'notNamespaces'),
    serviceAccounts: serviceAccounts(fields, 'serviceAccounts', context.namespace),
    notServiceAccounts: serviceAccounts(fields, 'notServiceAccounts', context.namespace),
    trustDomains: stringMatches(fields, 'trustDomains'),
    notTrustDomains: stringMatches(fields, 'notTrustDomains'),
    sourceIps: cidrs(fields, 'ipBlocks'),
    notSourceIps: cidrs(fields, 'notIpBlocks'),
  };
  const http: HttpMatch = {
    ...ANY_HTTP_REQUEST,
    requestPrincipals: stringMatches(fields, 'requestPrincipals'),
    notRequestPrincipals: stringMatches(fields, 'notRequestPrincipals'),
    remoteIps: cidrs(fields, 'remoteIpBlocks'),
    notRemoteIps: cidrs(fields, 'notRemoteIpBlocks'),
  };
  const asksHttp = HTTP_FIELDS.some(field => http[field].length > 0);
  return { ...match, http: asksHttp ? http : undefined };
}
