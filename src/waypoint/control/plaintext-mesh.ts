import type { Address } from '#shared/config/address.ts';
import { EMPTY_DELTA, type MeshDelta } from '#shared/workload/mesh-view.ts';
import { SERVICE_DEFAULTS } from '#shared/workload/workload.ts';
import { PLAINTEXT_SERVICE } from '../config/traffic-config.ts';

/** The mesh of the plaintext mode: one service with one endpoint outside the mesh. */
export function plaintextMesh(upstream: Address): MeshDelta {
  const { namespace, hostname, port } = PLAINTEXT_SERVICE;
  const ports = [{ servicePort: port, targetPort: upstream.port, appProtocol: 'http11' as const }];
  return {
    ...EMPTY_DELTA,
    services: [{ ...SERVICE_DEFAULTS, name: 'upstream', namespace, hostname, addresses: [], ports }],
    workloads: [
      {
        uid: 'plaintext/upstream',
        name: 'upstream',
        namespace,
        addresses: [upstream.ip],
        hostname: '',
        dnsName: '',
        network: '',
        tunnelProtocol: 'none',
        trustDomain: '',
        serviceAccount: '',
        waypoint: undefined,
        networkGateway: undefined,
        node: '',
        canonicalName: 'upstream',
        canonicalRevision: 'latest',
        workloadType: 'pod',
        workloadName: 'upstream',
        nativeTunnel: false,
        applicationTunnel: undefined,
        services: new Map([[`${namespace}/${hostname}`, ports]]),
        authorizationPolicies: [],
        status: 'healthy',
        clusterId: '',
        locality: { region: '', zone: '', subzone: '' },
        networkMode: 'standard',
        capacity: 1,
      },
    ],
  };
}
