import type { Match } from '#shared/authz/policy.ts';
import { EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { unchecked, type RuleReading } from './unchecked.ts';
import { cidrs, serviceAccounts, stringMatches } from './values.ts';

/** `from[].source`. */
export function readSource(fields: Fields, context: RuleReading): Match {
  const match: Match = {
    ...EMPTY_MATCH,
    principals: stringMatches(fields, 'principals'),
    notPrincipals: stringMatches(fields, 'notPrincipals'),
    namespaces: stringMatches(fields, 'namespaces'),
    notNamespaces: stringMatches(fields, 'notNamespaces'),
    serviceAccounts: serviceAccounts(fields, 'serviceAccounts', context.namespace),
    notServiceAccounts: serviceAccounts(fields, 'notServiceAccounts', context.namespace),
    sourceIps: cidrs(fields, 'ipBlocks'),
    notSourceIps: cidrs(fields, 'notIpBlocks'),
  };
  const jwt = 'requests are not authenticated by token yet (RequestAuthentication)';
  unchecked(fields, 'requestPrincipals', context, jwt);
  unchecked(fields, 'notRequestPrincipals', context, jwt);
  const forwarded = 'the address a client claims in X-Forwarded-For is not trusted inside the mesh';
  unchecked(fields, 'remoteIpBlocks', context, forwarded);
  unchecked(fields, 'notRemoteIpBlocks', context, forwarded);
  return match;
}
