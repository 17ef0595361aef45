import { SERVICE_ACCOUNTS } from '#shared/kube/core-resources.ts';
import type { KubeResource } from '#shared/kube/resource.ts';

/** Kinds of objects a waypoint is made of. Each of its objects is named as its Gateway. */
export const SERVICES: KubeResource = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  namespaced: true,
};
export const DEPLOYMENTS: KubeResource = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
};
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
export { SERVICE_ACCOUNTS };

/** In the order they are made: a Deployment's pods need the account, and are not to be without their budget. */
export const MANAGED_KINDS: readonly KubeResource[] = [
  SERVICE_ACCOUNTS,
  SERVICES,
  DISRUPTION_BUDGETS,
  DEPLOYMENTS,
  AUTOSCALERS,
];
