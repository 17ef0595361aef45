import type { CidrMatch } from '#shared/authz/policy.ts';
import { type Cidr, cidrContains, parseCidr } from '#shared/workload/cidr.ts';
import { cidrOf, cidrs } from '../authorization-policy/values.ts';
import type { Fields } from '../decode.ts';
import type { Network, Requirement } from './client-authorization.ts';

/** `networks` of a NetworkAuthentication or a ServerAuthorization. */
export function readNetworks(fields: Fields): readonly Network[] {
  return fields.objects('networks', readNetwork).filter(network => network !== undefined);
}

function readNetwork(fields: Fields): Network | undefined {
  const text = fields.requiredString('cidr');
  const range = text === '' ? undefined : cidrOf(fields, 'cidr', text);
  const except = cidrs(fields, 'except');
  const whole = parseCidr(text);
  if (whole !== undefined) for (const one of fields.strings('except')) checkException(fields, one, whole);
  return range === undefined ? undefined : { range, except };
}

/** As Linkerd's admission: an exception that leaves nothing, or takes nothing away, is a mistake. */
function checkException(fields: Fields, text: string, whole: Cidr): void {
  const except = parseCidr(text);
  if (except === undefined) return;
  const isInside = except.prefixLength >= whole.prefixLength && cidrContains(whole, except.bytes);
  if (isInside && except.prefixLength === whole.prefixLength)
    fields.reject('except', `"${text}" is all of cidr: nobody is left`, 'remove the network, or except less');
  if (!isInside)
    fields.reject('except', `"${text}" is not inside of cidr`, 'remove it or correct one of the two');
}

/**
 * Addresses of a cluster's pods as Linkerd's chart assumes them (`clusterNetworks`): a cluster says to nobody which they are.
 * Private ranges of RFC 1918, RFC 6598 and RFC 4193.
 */
const CLUSTER_RANGES: readonly CidrMatch[] = [
  { ip: '10.0.0.0', prefixLength: 8 },
  { ip: '100.64.0.0', prefixLength: 10 },
  { ip: '172.16.0.0', prefixLength: 12 },
  { ip: '192.168.0.0', prefixLength: 16 },
  { ip: 'fd00::', prefixLength: 8 },
];

export const FROM_CLUSTER: Requirement = {
  kind: 'network',
  networks: CLUSTER_RANGES.map(range => ({ range, except: [] })),
};
