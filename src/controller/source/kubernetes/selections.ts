import { TLS_CREDENTIAL } from '../../translate/mesh-labels.ts';
import { MESH_CONFIG_NAME } from '../../translate/mesh-config/mesh-config.ts';
import type { Selection } from '#shared/kube/list.ts';
import type { KubeResource } from '#shared/kube/resource.ts';

/** What of a kind is asked for: what nobody would look at need not come. */
export function selectionOf(resource: KubeResource): Selection {
  switch (resource.kind) {
    // Jobs leave their pods behind, by the thousand.
    case 'Pod':
      return { resource, fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' };
    // Those of Services with a selector repeat what the pods say, and there is one for each hundred endpoints of each.
    case 'EndpointSlice':
      return {
        resource,
        labelSelector: 'endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io',
      };
    // A node's status is long, and written every few minutes.
    case 'Namespace':
    case 'Node':
      return { resource, metadataOnly: true };
    // A cluster has thousands, and whole programs in some; one of them is the mesh's configuration. Those that are referred to are
    // followed one by one.
    case 'ConfigMap':
      return { resource, fieldSelector: `metadata.name=${MESH_CONFIG_NAME}` };
    // What is not asked for is not in our memory: most Secrets are none of our business.
    case 'Secret':
      return { resource, labelSelector: `${TLS_CREDENTIAL}=true` };
    default:
      return { resource };
  }
}

/** Kinds that a directory may hold and that say nothing a pod does not say. */
export const NOT_WATCHED: ReadonlySet<string> = new Set(['ServiceAccount']);
