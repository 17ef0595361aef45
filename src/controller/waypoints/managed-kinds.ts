import { DEPLOYMENTS, SERVICE_ACCOUNTS, SERVICES } from '#shared/kube/core-resources.ts';
import type { KubeResource } from '#shared/kube/resource.ts';

/** Kinds of objects a waypoint is made of. Each of its objects is named as its Gateway. */
export const DISRUPTION_BUDGETS: KubeResource = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  namespaced: true,
};
export const AUTOSCALERS: KubeResource = {
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
};
export { DEPLOYMENTS, SERVICE_ACCOUNTS, SERVICES };

/** In the order they are made: a Deployment's pods need the account, and are not to be without their budget. */
export const MANAGED_KINDS: readonly KubeResource[] = [
  SERVICE_ACCOUNTS,
  SERVICES,
  DISRUPTION_BUDGETS,
  DEPLOYMENTS,
  AUTOSCALERS,
];
