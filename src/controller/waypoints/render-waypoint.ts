import type { JsonObject } from '#shared/config/json.ts';
import { apiVersionOf, type KubeResource } from '#shared/kube/resource.ts';
import { GATEWAY_NAME } from '../translate/mesh-labels.ts';
import type { GatewaySpec } from './gateway-spec.ts';
import { AUTOSCALERS, DEPLOYMENTS, DISRUPTION_BUDGETS, SERVICE_ACCOUNTS, SERVICES } from './managed-kinds.ts';
import { podTemplate } from './render-pod.ts';
import type { Autoscaling, WaypointTemplate } from './waypoint-template.ts';

/** One object to be as it is here. */
export interface Manifest {
  readonly resource: KubeResource;
  readonly object: JsonObject;
}

const GATEWAY_CLASS_NAME = 'gateway.networking.k8s.io/gateway-class-name';
/** Tells objects of this controller from those that a user labelled with a Gateway's name. */
export const MANAGED_LABEL = 'gateway.istio.io/managed';
export const MANAGED_VALUE = 'ambient-mesh-controller';
const HBONE_PORT = 15_008;

/** Everything a waypoint is made of. Pure: the same Gateway and template give the same objects, byte for byte. */
export function renderWaypoint(gateway: GatewaySpec, template: WaypointTemplate): readonly Manifest[] {
  const manifest = (resource: KubeResource, fields: JsonObject): Manifest => ({
    resource,
    object: {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: metadataOf(gateway),
      ...fields,
    },
  });
  const { autoscaling } = template.options;
  const manifests = [
    manifest(SERVICE_ACCOUNTS, {}),
    manifest(SERVICES, { spec: serviceSpec(gateway) }),
    // With one pod it still lets a node be drained: a waypoint that moves is better than a node that does not.
    manifest(DISRUPTION_BUDGETS, { spec: { maxUnavailable: 1, selector: selectorOf(gateway) } }),
    manifest(DEPLOYMENTS, { spec: deploymentSpec(gateway, template) }),
  ];
  if (autoscaling !== undefined)
    manifests.push(manifest(AUTOSCALERS, { spec: autoscalerSpec(gateway, autoscaling) }));
  return manifests;
}

/** Labels of everything, pods included. What the mesh goes by cannot be overridden. */
export function labelsOf(gateway: GatewaySpec): JsonObject {
  return {
    ...Object.fromEntries(gateway.labels),
    [GATEWAY_NAME]: gateway.name,
    [GATEWAY_CLASS_NAME]: gateway.className,
    [MANAGED_LABEL]: MANAGED_VALUE,
  };
}

function metadataOf(gateway: GatewaySpec): JsonObject {
  const { annotations, name, namespace, uid } = gateway;
  return {
    name,
    namespace,
    labels: labelsOf(gateway),
    ...(annotations.size > 0 && { annotations: Object.fromEntries(annotations) }),
    ownerReferences: [
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        name,
        uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

/** A selector can never be changed, so it holds nothing that may. */
function selectorOf({ name }: GatewaySpec): JsonObject {
  return { matchLabels: { [GATEWAY_NAME]: name } };
}

function serviceSpec(gateway: GatewaySpec): JsonObject {
  return {
    type: 'ClusterIP',
    ipFamilyPolicy: 'PreferDualStack',
    trafficDistribution: 'PreferClose',
    selector: selectorOf(gateway)['matchLabels'],
    ports: [
      {
        name: 'mesh',
        port: HBONE_PORT,
        targetPort: HBONE_PORT,
        protocol: 'TCP',
        appProtocol: 'hbone',
      },
    ],
  };
}

function deploymentSpec(gateway: GatewaySpec, template: WaypointTemplate): JsonObject {
  const { autoscaling, replicas } = template.options;
  return {
    // Left to the autoscaler where there is one: a field that is not applied is not ours.
    ...(autoscaling === undefined && { replicas }),
    selector: selectorOf(gateway),
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: podTemplate(gateway, labelsOf(gateway), selectorOf(gateway), template),
  };
}

function autoscalerSpec(
  { name }: GatewaySpec,
  { maxReplicas, minReplicas, targetCpuPercent }: Autoscaling,
): JsonObject {
  return {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    minReplicas,
    maxReplicas,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: targetCpuPercent } },
      },
    ],
  };
}
