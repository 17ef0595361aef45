import { authzCheckRoute } from '#shared/authz/check-route.ts';
import { policyName } from '#shared/authz/policy.ts';
import { VERSION } from '#shared/config/version.ts';
import type { DiscoveryStatus } from '#shared/discovery/discovery-source.ts';
import type { CertificateStatus } from '#shared/identity/certificate-status.ts';
import { type AdminRoute, json } from '#shared/observability/admin-server.ts';
import type { MeshStore } from '#shared/workload/mesh-store.ts';
import { serviceName } from '#shared/workload/workload.ts';

export interface AdminSources {
  readonly store: MeshStore;
  readonly nodeName: string;
  readonly certificates: () => readonly CertificateStatus[];
  readonly discovery: () => DiscoveryStatus | undefined;
  /** One object for each traffic thread. */
  readonly threads: () => Promise<readonly object[]>;
  /** What the process was configured with; it holds no secrets. */
  readonly config: object;
}

/** The pages that show what this waypoint knows and does. Everything is sorted, so that two dumps can be compared. */
export function stateRoutes(sources: AdminSources): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/config_dump',
      help: 'workloads, services, policies, routes, certificates and configuration',
      handle: () => json(dumpConfig(sources)),
    },
    {
      method: 'GET',
      path: '/debug/connections',
      help: 'requests in progress, connections and pools of each thread',
      handle: async () => json({ threads: await sources.threads() }),
    },
    authzCheckRoute(() => sources.store),
  ];
}

function dumpConfig(sources: AdminSources): object {
  const { workloads, services, policies, routes } = sources.store.toDelta();
  return {
    version: VERSION,
    node: sources.nodeName,
    workloads: sorted(workloads, w => w.uid),
    services: sorted(services, serviceName),
    policies: sorted(policies, policyName),
    routes: sorted(routes, serviceName),
    certificates: sources.certificates(),
    discovery: sources.discovery(),
    config: sources.config,
  };
}

function sorted<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
