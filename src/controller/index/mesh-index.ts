import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '#shared/observability/logger.ts';
import type { ServiceRoutes } from '#shared/route/model.ts';
import type { ResourceStore } from '../discovery/resource-store.ts';
import { keyOf } from '../source/kube-object.ts';
import type { ObjectChange } from '../source/object-source.ts';
import type { ObjectCount } from '../source/source-metrics.ts';
import { type Diagnostic, formatDiagnostic } from '../translate/diagnostic.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import { translateService } from '../translate/service/service.ts';
import { attachedRoutes, hasLabelledSources } from './attached-routes.ts';
import { credentialResources } from './credentials.ts';
import { type ChangedObject, type ChangeScope, scopeOf } from './change-scope.ts';
import { MeshObjects, type MeshObjectsOptions } from './mesh-objects.ts';
import { addTo } from './multimap.ts';
import { NodeIdentities } from './node-identities.ts';
import type { ObjectStatus } from './parsed-kind.ts';
import { PolicySet } from './policy-set.ts';
import { Published } from './published.ts';
import type { RouteConflict } from './route-binding.ts';
import { entryServices } from './service-entries.ts';
import { hasReadyPod } from './ready-pods.ts';
import { routesWithCanary } from './canary-routes.ts';
import { backendTlsDiagnostics } from './backend-tls-diagnostics.ts';
import type { TlsOverride } from './with-backend-tls.ts';
import { telemetryConflicts } from './telemetry.ts';
import { WaypointFailures } from './waypoint-failures.ts';
import { withDiagnostics } from './with-diagnostics.ts';
import { workloadRoutes } from './workload-routes.ts';
import { servicesOf, specsIn, workloadKind, workloadKinds, workloadOf } from './workload-specs.ts';

export interface MeshIndexOptions extends MeshObjectsOptions {
  readonly store: ResourceStore;
  readonly logger: Logger;
}

const POLICIES = 'policies';
const CREDENTIALS = 'credentials';
/** In place of a service: what is said of annotations. */
const ANNOTATIONS = 'annotations';

/**
 * The single writer: objects in, resources out. A change makes again what it may have touched (`change-scope.ts`), and what
 * comes out equal to before is not published. Synchronous: when `apply` returns, the store is up to date.
 */
export class MeshIndex {
  readonly objects: MeshObjects;
  readonly #store: ResourceStore;
  readonly #logger: Logger;
  readonly #published = new Published();
  readonly #nodeIdentities: NodeIdentities;
  /** By service: what its translation found beyond its own object. */
  readonly #serviceDiagnostics = new Map<string, readonly Diagnostic[]>();
  /** By service: what is said of objects whose routes for it are not applied. */
  readonly #routeDiagnostics = new Map<string, readonly Diagnostic[]>();
  /** By service: routes that gave way to others. */
  readonly #conflicts = new Map<string, readonly RouteConflict[]>();
  /** By service: keys of the rate limit policies that hold for it. */
  readonly #limitedBy = new Map<string, readonly string[]>();
  /** By service: BackendTLSPolicies that give way to DestinationRules. */
  readonly #tlsOverrides = new Map<string, readonly TlsOverride[]>();
  readonly #waypointFailures = new WaypointFailures();
  readonly #listeners = new Set<(changed: readonly ChangedObject[]) => void>();
  #policies: PolicySet;
  /** To which policies for the whole mesh have been given. */
  #policyNamespaces: readonly string[] = [];

  constructor(options: MeshIndexOptions) {
    this.objects = new MeshObjects(options);
    this.#store = options.store;
    this.#logger = options.logger;
    this.#nodeIdentities = new NodeIdentities(options.cluster.trustDomain);
    this.#policies = new PolicySet(this.objects);
  }

  apply(change: ObjectChange): void {
    const changed = [
      ...change.deletes.map(key => this.#delete(key)),
      ...change.upserts.map(object => {
        const { name, namespace } = object.metadata;
        const { kind } = object;
        const before = this.objects.ofKind(kind)?.get(namespace, name)?.object;
        this.objects.upsert(object);
        if (kind === 'Pod') this.#nodeIdentities.upsert(keyOf(object), object);
        return { kind, name, namespace, object, before };
      }),
    ];
    const { rootNamespace } = this.objects.options;
    const hasIntentions = !this.objects.intentions.all().next().done;
    const hasLabelled = hasLabelledSources(this.objects);
    this.#recompute(scopeOf(changed, { rootNamespace, hasIntentions, hasLabelledSources: hasLabelled }));
    this.#logRejected(changed);
    for (const listener of this.#listeners) listener(changed);
  }

  /** Why a waypoint could not be made, by `Gateway/<namespace>/<name>`; undefined: it could. */
  setWaypointFailure(key: string, failure: string | undefined): void {
    if (!this.#waypointFailures.set(key, failure)) return;
    for (const listener of this.#listeners) listener([]);
  }

  waypointFailure(key: string): string | undefined {
    return this.#waypointFailures.get(key);
  }

  /** Called after each change has been applied, and when something was learned of what is known. @returns what ends that */
  onChange(listener: (changed: readonly ChangedObject[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether a pod with this SPIFFE id runs on the node. */
  isIdentityOnNode(identity: string, node: string): boolean {
    return this.#nodeIdentities.isOnNode(identity, node);
  }

  /** Routes that give way to others, on the ports of some Service. */
  conflicts(): readonly RouteConflict[] {
    return [...this.#conflicts.values()].flat();
  }

  /** The services for which a rate limit policy holds, `<namespace>/<hostname>`. */
  limitedServices(policy: string): string[] {
    return [...this.#limitedBy].flatMap(([service, keys]) => (keys.includes(policy) ? [service] : []));
  }

  /** Where BackendTLSPolicies give way to DestinationRules. */
  tlsOverrides(): readonly TlsOverride[] {
    return [...this.#tlsOverrides.values()].flat();
  }

  /** What waypoints are told of each service, as far as there is something to tell. */
  serviceRoutes(): readonly ServiceRoutes[] {
    const resources = [...this.#published.resources('routes/')];
    return resources.flatMap(resource => (resource.kind === 'routes' ? [resource.routes] : []));
  }

  /** Every object with what is wrong with it, by key. */
  statuses(): readonly ObjectStatus[] {
    const statuses = [...this.objects.kinds()].flatMap(([, parsed]) => [...parsed.statuses()]);
    const found = [
      ...[...this.#serviceDiagnostics.values()].flat(),
      ...this.#policies.diagnostics,
      ...telemetryConflicts(this.objects),
      ...backendTlsDiagnostics(this.objects, this.tlsOverrides()),
      ...[...this.#routeDiagnostics.values()].flat(),
    ];
    return withDiagnostics(statuses, found).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Objects that are not in force as they are, by kind. */
  rejected(): readonly ObjectCount[] {
    return [...this.objects.kinds()].flatMap(([kind, parsed]) =>
      (['stale', 'rejected'] as const).flatMap(state => {
        const count = parsed.count(state);
        return count === 0 ? [] : [{ kind, state, count }];
      }),
    );
  }

  #delete(key: string): ChangedObject {
    const [kind = '', namespace = '', name = ''] = key.split('/');
    const object = this.objects.ofKind(kind)?.get(namespace, name)?.object;
    this.#nodeIdentities.remove(key);
    this.#serviceDiagnostics.delete(key);
    for (const hostname of this.#hostnamesOf(kind, namespace, name)) {
      this.#limitedBy.delete(`${namespace}/${hostname}`);
      this.#tlsOverrides.delete(`${namespace}/${hostname}`);
      this.#conflicts.delete(`${namespace}/${hostname}`);
      this.#routeDiagnostics.delete(`${namespace}/${hostname}`);
    }
    this.objects.remove(kind, namespace, name);
    return { kind, namespace, name, object };
  }

  #hostnamesOf(kind: string, namespace: string, name: string): readonly string[] {
    const { serviceEntries, services } = this.objects;
    if (kind === 'ServiceEntry')
      return (serviceEntries.get(namespace, name)?.value.services ?? []).map(({ hostname }) => hostname);
    const spec = kind === 'Service' ? services.get(namespace, name)?.value : undefined;
    return spec === undefined ? [] : [spec.hostname];
  }

  #recompute(scope: ChangeScope): void {
    if (scope.gateways) this.objects.refreshGateways();
    if (scope.exports) this.objects.refreshExports();
    if (scope.lookups) this.objects.refreshRoutes();
    if (scope.telemetry) this.objects.refreshTelemetry();
    let { everyRoute, everyWorkload } = scope;
    if (scope.policies) {
      const before = this.#policies;
      this.#policies = new PolicySet(this.objects);
      // Pods that came or went can change what an intention means for all others.
      const meansOther = !isDeepStrictEqual(before.intentions, this.#policies.intentions);
      everyRoute ||= meansOther;
      everyWorkload ||= meansOther || before.findsPolicies || this.#policies.findsPolicies;
      // Policies for several namespaces have other names then.
      everyWorkload ||= before.hasWaypoints !== this.#policies.hasWaypoints;
    }
    const namespaces = this.#policies.hasWaypoints ? this.#policies.namespaces : [];
    const hasNamespaces = isDeepStrictEqual(namespaces, this.#policyNamespaces);
    this.#policyNamespaces = namespaces;
    const foundBefore = this.#policies.foundCount;
    this.#recomputeWorkloads(scope, everyWorkload);
    this.#recomputeServices(scope.everyService ? this.#namespacesOf('services') : scope.services);
    if (scope.policies || !hasNamespaces || this.#policies.foundCount !== foundBefore) {
      const policies = this.#policies.l4().map(policy => ({ kind: 'policy', policy }) as const);
      this.#published.replaceGroup(POLICIES, policies);
    }
    this.#recomputeRoutes(everyRoute ? this.#namespacesOf('routes') : scope.routes);
    this.#recomputeCredentials();
    const { removed, upserts } = this.#published.take();
    this.#store.publish(upserts, removed);
  }

  #recomputeWorkloads(scope: ChangeScope, every: boolean): void {
    if (every) for (const namespace of this.#namespacesOf('workloads')) this.#recomputeNamespace(namespace);
    else {
      for (const [namespace, names] of scope.workloads) {
        if (names === 'all') this.#recomputeNamespace(namespace);
        else for (const name of names) this.#recomputeWorkload(namespace, name);
      }
    }
  }

  #recomputeNamespace(namespace: string): void {
    const workloads = [...specsIn(this.objects, namespace)].map(spec => this.#resource(spec));
    this.#published.replaceGroup(`workloads/${namespace}`, workloads);
  }

  /** `Pod/<name>`, or the name of a WorkloadEntry or ExternalWorkload likewise. */
  #recomputeWorkload(namespace: string, kindAndName: string): void {
    const [kind = '', name = ''] = kindAndName.split('/');
    const { clusterId } = this.objects.options.cluster;
    const [specs, type] = workloadKind(this.objects, kind);
    const spec = specs.get(namespace, name)?.value;
    const group = `workloads/${namespace}`;
    if (spec !== undefined) this.#published.put(group, this.#resource(spec));
    else this.#published.remove(group, `${clusterId}/${type}/${namespace}/${name}`);
  }

  #resource(spec: WorkloadSpec): {
    readonly kind: 'workload';
    readonly workload: ReturnType<typeof workloadOf>;
  } {
    return { kind: 'workload', workload: workloadOf(this.objects, this.#policies, spec) };
  }

  #recomputeServices(namespaces: Iterable<string>): void {
    const { cluster } = this.objects.options;
    for (const namespace of namespaces) {
      const context = {
        cluster,
        namespace: this.objects.namespaceMeta(namespace),
        waypoint: (ns: string, name: string) => this.objects.waypoint(ns, name),
        hasReadyPod: (ns: string, name: string) => hasReadyPod(this.objects, ns, name),
        opaquePorts: (hostname: string) => this.objects.opaquePorts(namespace, hostname),
      };
      const services = [...this.objects.services.inNamespace(namespace)].flatMap(({ object, value }) => {
        if (value === undefined) return [];
        const translated = translateService(object, value, context);
        this.#serviceDiagnostics.set(keyOf(object), translated.diagnostics);
        return translated.ok ? [{ kind: 'service', service: translated.value } as const] : [];
      });
      const entries = [...this.objects.serviceEntries.inNamespace(namespace)].flatMap(entry => {
        const made = entryServices(this.objects, entry);
        this.#serviceDiagnostics.set(keyOf(entry.object), made.diagnostics);
        return made.services.map(service => ({ kind: 'service', service }) as const);
      });
      this.#published.replaceGroup(`services/${namespace}`, [...services, ...entries]);
    }
  }

  #recomputeRoutes(namespaces: Iterable<string>): void {
    const attached = attachedRoutes(this.objects);
    setUnlessEmpty(this.#routeDiagnostics, ANNOTATIONS, attached.diagnostics);
    for (const namespace of namespaces) {
      const endpoints = this.#endpointsByService(namespace);
      const routes = [...this.objects.routedServices(namespace)].flatMap(service => {
        const { hostname } = service.value;
        const ofService = endpoints.get(hostname) ?? [];
        const made = routesWithCanary(this.objects, this.#policies, attached, service, ofService);
        setUnlessEmpty(this.#limitedBy, `${namespace}/${hostname}`, made.limitedBy);
        setUnlessEmpty(this.#tlsOverrides, `${namespace}/${hostname}`, made.tlsOverrides);
        setUnlessEmpty(this.#conflicts, `${namespace}/${hostname}`, made.conflicts);
        setUnlessEmpty(this.#routeDiagnostics, `${namespace}/${hostname}`, made.diagnostics);
        return made.routes === undefined ? [] : [{ kind: 'routes', routes: made.routes } as const];
      });
      const ofWorkloads = workloadRoutes(this.objects, this.#policies, namespace);
      this.#published.replaceGroup(`routes/${namespace}`, [...routes, ...ofWorkloads]);
    }
  }

  /** Whom they are for follows from routes, waypoints and their pods. Where there is no Secret there is nothing to do. */
  #recomputeCredentials(): void {
    const hasSecrets = !this.objects.secrets.all().next().done;
    const routes = hasSecrets ? this.serviceRoutes() : [];
    this.#published.replaceGroup(CREDENTIALS, credentialResources(this.objects, routes));
  }

  #endpointsByService(namespace: string): ReadonlyMap<string, WorkloadSpec[]> {
    const endpoints = new Map<string, WorkloadSpec[]>();
    for (const spec of specsIn(this.objects, namespace)) {
      for (const { hostname } of servicesOf(this.objects, spec)) addTo(endpoints, hostname, spec);
    }
    return endpoints;
  }

  /** Those that have objects, and those that have resources of this group from before. */
  #namespacesOf(group: 'workloads' | 'services' | 'routes'): ReadonlySet<string> {
    const { serviceEntries, services } = this.objects;
    const running = workloadKinds(this.objects);
    const kinds = {
      workloads: running,
      services: [services, serviceEntries],
      routes: [services, ...running],
    };
    const prefix = `${group}/`;
    return new Set([
      ...kinds[group].flatMap(kind => [...kind.namespaces()]),
      ...this.#published.groups(prefix).map(name => name.slice(prefix.length)),
    ]);
  }

  #logRejected(changed: readonly ChangedObject[]): void {
    const kinds = new Set(changed.map(({ kind }) => kind));
    const keys = new Set(changed.map(({ kind, name, namespace }) => `${kind}/${namespace}/${name}`));
    for (const [kind, parsed] of this.objects.kinds()) {
      if (!kinds.has(kind)) continue;
      for (const { diagnostics, key, state } of parsed.statuses()) {
        if (state === 'accepted' || !keys.has(key)) continue;
        for (const diagnostic of diagnostics) {
          this.#logger.warn('object rejected', { object: key, state, reason: formatDiagnostic(diagnostic) });
        }
      }
    }
  }
}

function setUnlessEmpty<T>(to: Map<string, readonly T[]>, key: string, list: readonly T[]): void {
  if (list.length > 0) to.set(key, list);
  else to.delete(key);
}
