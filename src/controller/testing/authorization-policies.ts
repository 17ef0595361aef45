import type { KubeResource } from '#shared/kube/resource.ts';

export const AUTHORIZATION_POLICIES: KubeResource = {
  group: 'security.istio.io',
  version: 'v1',
  kind: 'AuthorizationPolicy',
  plural: 'authorizationpolicies',
  namespaced: true,
};
