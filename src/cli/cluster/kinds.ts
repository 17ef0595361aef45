import type { ObjectKind } from './kube-object.ts';

export const NAMESPACE: ObjectKind = {
  apiVersion: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  clusterScoped: true,
};
export const NODE: ObjectKind = { apiVersion: 'v1', kind: 'Node', plural: 'nodes', clusterScoped: true };
export const POD: ObjectKind = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };
export const SERVICE: ObjectKind = { apiVersion: 'v1', kind: 'Service', plural: 'services' };
export const CONFIG_MAP: ObjectKind = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
export const EVENT: ObjectKind = { apiVersion: 'v1', kind: 'Event', plural: 'events' };
export const DEPLOYMENT: ObjectKind = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };
export const DAEMON_SET: ObjectKind = { apiVersion: 'apps/v1', kind: 'DaemonSet', plural: 'daemonsets' };
export const LEASE: ObjectKind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' };
export const NETWORK_POLICY: ObjectKind = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
};
export const CUSTOM_RESOURCE_DEFINITION: ObjectKind = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  clusterScoped: true,
};

const GATEWAY_API = 'gateway.networking.k8s.io';
export const GATEWAY: ObjectKind = { apiVersion: `${GATEWAY_API}/v1`, kind: 'Gateway', plural: 'gateways' };
