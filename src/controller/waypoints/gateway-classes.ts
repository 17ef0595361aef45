import type { KubeApi } from '#shared/kube/client.ts';
import { isConflict, isNotFound } from '#shared/kube/kube-error.ts';
import { apiVersionOf, collectionPath, type KubeResource, objectPath } from '#shared/kube/resource.ts';
import { CONTROLLER_NAME, WAYPOINT_CLASSES } from '../translate/waypoint-gateway/waypoint.ts';

export const GATEWAY_CLASSES: KubeResource = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  kind: 'GatewayClass',
  plural: 'gatewayclasses',
  namespaced: false,
};

/**
 * Makes the classes of waypoints that are not there. One that is there stays as it is: it may be another mesh's, and then
 * its Gateways are not ours. Rejects while the cluster has no Gateway API.
 */
export async function ensureGatewayClasses(api: KubeApi): Promise<void> {
  for (const name of WAYPOINT_CLASSES) {
    try {
      await api.request({ path: objectPath(GATEWAY_CLASSES, '', name) });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await create(api, name);
    }
  }
}

async function create(api: KubeApi, name: string): Promise<void> {
  const body = {
    apiVersion: apiVersionOf(GATEWAY_CLASSES),
    kind: GATEWAY_CLASSES.kind,
    metadata: { name },
    spec: {
      controllerName: CONTROLLER_NAME,
      description: 'Waypoint of the ambient mesh, made for each Gateway',
    },
  };
  try {
    await api.request({ method: 'POST', path: collectionPath(GATEWAY_CLASSES), body });
  } catch (error) {
    // Another replica was first.
    if (!isConflict(error)) throw error;
  }
}
