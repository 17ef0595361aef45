import { ANY_IDENTITY, type ClientAuthorization, EVERYBODY } from './client-authorization.ts';
import { FROM_CLUSTER } from './network.ts';

/** What Linkerd calls the default for whom no authorization names: of a Server, or of ports without one. */
export const ACCESS_POLICIES = [
  'deny',
  'all-unauthenticated',
  'all-authenticated',
  'cluster-unauthenticated',
  'cluster-authenticated',
  'audit',
] as const;
export type AccessPolicy = (typeof ACCESS_POLICIES)[number];

/** Whom it lets in by itself. With `audit` that is everybody; what would have been refused is told to the log. */
export function letInBy(access: AccessPolicy): readonly ClientAuthorization[] {
  switch (access) {
    case 'deny':
      return [];
    case 'all-unauthenticated':
    case 'audit':
      return [EVERYBODY];
    case 'all-authenticated':
      return [[ANY_IDENTITY]];
    case 'cluster-unauthenticated':
      return [[FROM_CLUSTER]];
    case 'cluster-authenticated':
      return [[ANY_IDENTITY, FROM_CLUSTER]];
  }
}

/** The same, for clients with an identity alone. `audit` refuses nobody still. */
export function withIdentity(access: AccessPolicy | undefined): AccessPolicy {
  switch (access) {
    case undefined:
    case 'all-unauthenticated':
      return 'all-authenticated';
    case 'cluster-unauthenticated':
      return 'cluster-authenticated';
    default:
      return access;
  }
}
