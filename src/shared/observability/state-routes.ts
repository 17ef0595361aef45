import { authzCheckRoute } from '../authz/check-route.ts';
import { policyName } from '../authz/policy.ts';
import { VERSION } from '../config/version.ts';
import type { DiscoveryStatus } from '../discovery/discovery-source.ts';
import type { CertificateStatus } from '../identity/certificate-status.ts';
import type { MeshStore } from '../workload/mesh-store.ts';
import { serviceName } from '../workload/workload.ts';
import { type AdminRoute, json } from './admin-server.ts';

/** What a proxy shows of itself. */
export interface StateSources {
  readonly store: MeshStore;
  readonly nodeName: string;
  readonly certificates: () => readonly CertificateStatus[];
  /** Undefined while there is no controller to hear from. */
  readonly discovery: () => DiscoveryStatus | undefined;
  /** What the process was configured with; it holds no secrets. */
  readonly config: object;
  /** What is amiss though it goes on; a sentence each. */
  readonly warnings: () => readonly string[];
  readonly connections: ConnectionsPage;
}

/** `/debug/connections`, which differs between the tiers. */
export interface ConnectionsPage {
  readonly help: string;
  readonly dump: () => Promise<object>;
}

/** The pages that show what a proxy knows and does. Everything is sorted, so that two dumps can be compared. */
export function stateRoutes(sources: StateSources): AdminRoute[] {
  const { connections, store } = sources;
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
      help: connections.help,
      handle: async () => json(await connections.dump()),
    },
    authzCheckRoute(() => store),
  ];
}

/** A ztunnel subscribes to no routes: its list is empty. */
function dumpConfig(sources: StateSources): object {
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
    warnings: sources.warnings(),
    config: sources.config,
  };
}

function sorted<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
