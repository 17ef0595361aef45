import type { StringMatch } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { stringMatches } from './values.ts';

/** In policies of Istio this trust domain is that of the mesh, whatever its name is. */
const LOCAL = 'cluster.local/';
const SCHEME = 'spiffe://';

/** Identities of clients, `<trust domain>/ns/<namespace>/sa/<service account>`, by Istio's notation. */
export function principals(fields: Fields, key: string, trustDomain: string): readonly StringMatch[] {
  return stringMatches(fields, key).map(match => inTrustDomain(match, trustDomain));
}

function inTrustDomain(match: StringMatch, trustDomain: string): StringMatch {
  if (match.kind !== 'exact' && match.kind !== 'prefix') return match;
  const scheme = match.value.startsWith(SCHEME) ? SCHEME : '';
  const rest = match.value.slice(scheme.length);
  if (!rest.startsWith(LOCAL)) return match;
  return { ...match, value: `${scheme}${trustDomain}/${rest.slice(LOCAL.length)}` };
}
