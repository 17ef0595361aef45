import { VERSION } from '#shared/config/version.ts';
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  type MeshResource,
  type ResourceType,
  SERVICE_ROUTES_TYPE,
} from '#shared/discovery/mesh-resource.ts';
import { type AdminRoute, json } from '#shared/observability/admin-server.ts';
import type { DiscoveryServer } from './discovery/discovery-server.ts';
import type { ResourceStore } from './discovery/resource-store.ts';
import type { MeshIndex } from './index/mesh-index.ts';
import type { ObjectStatus } from './index/parsed-kind.ts';
import { waypointList } from './index/waypoint-list.ts';
import { withoutEffect } from './index/without-effect.ts';
import type { SourceProblem } from './source/object-source.ts';

export interface AdminState {
  readonly store: ResourceStore;
  readonly discovery: DiscoveryServer;
  readonly index: MeshIndex;
  readonly problems: () => readonly SourceProblem[];
  readonly config: Readonly<Record<string, string>>;
  /** What is amiss though it goes on; a sentence each. */
  readonly warnings: () => readonly string[];
}

/** What the controller knows, and how far its clients are. */
export function debugRoutes(state: AdminState): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/config_dump',
      help: 'every resource as it is sent to proxies',
      handle: () => json(configDump(state)),
    },
    {
      method: 'GET',
      path: '/debug/syncz',
      help: 'for each client and type: synced, stale, or the reason of its NACK',
      handle: () => json({ revision: state.store.revision, clients: state.discovery.clients() }),
    },
    {
      method: 'GET',
      path: '/debug/waypoints',
      help: 'every waypoint and whether it carries traffic',
      handle: () => json({ waypoints: waypointList(state.index.objects) }),
    },
    {
      method: 'GET',
      path: '/debug/objects',
      help: 'every object: accepted, stale or rejected, and why; ?state=rejected',
      handle: ({ query }) => {
        const wanted = query.get('state');
        const objects = withEffects(state.index).filter(o => wanted === null || o.state === wanted);
        const kinds = [...state.index.objects.kinds()].map(([kind]) => kind).sort();
        return json({ kinds, objects, unreadable: state.problems() });
      },
    },
  ];
}

/** Beside what is wrong with an object itself what it does not do for others' sake: that is for whoever asks, and in no status. */
function withEffects(index: MeshIndex): readonly ObjectStatus[] {
  const idle = Map.groupBy(withoutEffect(index.objects), ({ object }) => object);
  return index.statuses().map(status => {
    const [kind = '', namespace = '', name = ''] = status.key.split('/');
    const more = idle.get(`${kind} ${namespace === '' ? name : `${namespace}/${name}`}`) ?? [];
    return more.length === 0 ? status : { ...status, diagnostics: [...status.diagnostics, ...more] };
  });
}

function configDump({ config, store, warnings }: AdminState): object {
  const ofKind = <T>(type: ResourceType, pick: (resource: MeshResource) => T | undefined): T[] =>
    [...store.all(type).values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(({ resource }) => pick(resource) ?? []);
  return {
    version: VERSION,
    warnings: warnings(),
    revision: store.revision,
    workloads: ofKind(ADDRESS_TYPE, r => (r.kind === 'workload' ? r.workload : undefined)),
    services: ofKind(ADDRESS_TYPE, r => (r.kind === 'service' ? r.service : undefined)),
    policies: ofKind(AUTHORIZATION_TYPE, r => (r.kind === 'policy' ? r.policy : undefined)),
    routes: ofKind(SERVICE_ROUTES_TYPE, r => (r.kind === 'routes' ? r.routes : undefined)),
    config,
  };
}
