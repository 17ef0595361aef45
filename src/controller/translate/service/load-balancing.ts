import type { LoadBalancing, LocalityScope } from '#shared/workload/workload.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Diagnostics } from '../diagnostic.ts';
import { objectAt, textAt } from '../loose-fields.ts';
import { TRAFFIC_DISTRIBUTION } from '../mesh-labels.ts';

const ZONE_SCOPES: readonly LocalityScope[] = ['network', 'region', 'zone', 'subzone'];

/** From the annotation on the service, its `spec.trafficDistribution`, then the namespace's; undefined is evenly. */
export function loadBalancing(
  service: KubeObject,
  namespaceAnnotations: Readonly<Record<string, string>>,
  diagnostics: Diagnostics,
): LoadBalancing | undefined {
  const spec = objectAt(service.spec);
  // `internalTrafficPolicy` is a promise never to leave the node, so it goes before a preference.
  if (textAt(spec, 'internalTrafficPolicy') === 'Local') {
    return { routingPreference: ['node'], mode: 'strict', healthPolicy: 'only_healthy' };
  }
  const annotation = service.metadata.annotations[TRAFFIC_DISTRIBUTION];
  const value =
    annotation ?? textAt(spec, 'trafficDistribution') ?? namespaceAnnotations[TRAFFIC_DISTRIBUTION];
  switch (value) {
    case undefined:
    case 'Any':
      return undefined;
    case 'PreferClose':
    case 'PreferSameZone':
      return { routingPreference: ZONE_SCOPES, mode: 'failover', healthPolicy: 'only_healthy' };
    case 'PreferSameNode':
      return { routingPreference: [...ZONE_SCOPES, 'node'], mode: 'failover', healthPolicy: 'only_healthy' };
    default: {
      const field =
        annotation === undefined
          ? 'spec.trafficDistribution'
          : `metadata.annotations.${TRAFFIC_DISTRIBUTION}`;
      const fix = 'use PreferClose, PreferSameZone, PreferSameNode or Any';
      diagnostics.ignore(field, value, 'is no way to distribute traffic, it goes evenly', fix);
      return undefined;
    }
  }
}
