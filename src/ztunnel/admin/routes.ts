import { authzCheckRoute } from '#shared/authz/check-route.ts';
import { policyName } from '#shared/authz/policy.ts';
import { VERSION } from '#shared/config/version.ts';
import type { DiscoveryStatus } from '#shared/discovery/discovery-source.ts';
import type { CertificateStatus } from '#shared/identity/certificate-status.ts';
import { type AdminRoute, json } from '#shared/observability/admin-server.ts';
import type { MeshStore } from '#shared/workload/mesh-store.ts';
import { serviceName } from '#shared/workload/workload.ts';
import type { ConnectionDump } from '../connections/connection-dump.ts';

export interface AdminSources {
  readonly store: MeshStore;
  readonly nodeName: string;
  readonly certificates: () => readonly CertificateStatus[];
  readonly discovery: () => DiscoveryStatus;
  readonly connections: () => Promise<ConnectionDump[]>;
  /** What the process was configured with, without secrets. */
  readonly config: object;
}

/** The pages that show what this proxy knows and does. Everything is sorted, so that two dumps can be compared. */
export function stateRoutes(sources: AdminSources): AdminRoute[] {
  const { store } = sources;
  return [
    {
      method: 'GET',
      path: '/config_dump',
      help: 'workloads, services, policies, certificates and configuration',
      handle: () => json(dumpConfig(sources)),
    },
    {
      method: 'GET',
      path: '/debug/connections',
      help: 'every connection carried now',
      handle: async () => json({ connections: await sources.connections() }),
    },
    authzCheckRoute(() => store),
  ];
}

function dumpConfig(sources: AdminSources): object {
  const { workloads, services, policies } = sources.store.toDelta();
  return {
    version: VERSION,
    node: sources.nodeName,
    workloads: sorted(workloads, w => w.uid),
    services: sorted(services, serviceName),
    policies: sorted(policies, policyName),
    routes: [],
    certificates: sources.certificates(),
    discovery: sources.discovery(),
    config: sources.config,
  };
}

function sorted<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
