import type { Locality } from '#shared/workload/workload.ts';
import { keyOf, type KubeObject } from '../source/kube-object.ts';
import { translateAuthorizationPolicy } from '../translate/authorization-policy/authorization-policy.ts';
import { translateBackendTrafficPolicy } from '../translate/backend-traffic-policy/backend-traffic-policy.ts';
import { translateBackendTlsPolicy } from '../translate/backend-tls-policy/backend-tls-policy.ts';
import { translateCaBundle } from '../translate/ca-bundle/ca-bundle.ts';
import type { Cluster } from '../translate/cluster.ts';
import { translateServiceResolver } from '../translate/consul/service-resolver.ts';
import { translateServiceRouter } from '../translate/consul/service-router.ts';
import { translateServiceSplitter } from '../translate/consul/service-splitter.ts';
import { translateDestinationRule } from '../translate/destination-rule/destination-rule.ts';
import type { Translated } from '../translate/diagnostic.ts';
import { readEndpointSlice } from '../translate/endpoint-slice/endpoint-slice.ts';
import type { RouteLookup, RouteTranslation } from '../translate/gateway-route/route-translation.ts';
import { translateTcpRoute } from '../translate/tcp-route/tcp-route.ts';
import { translateTlsRoute } from '../translate/tls-route/tls-route.ts';
import { translateGrpcRoute } from '../translate/grpc-route/grpc-route.ts';
import { translateHttpRoute } from '../translate/http-route/http-route.ts';
import { objectAt, textAt } from '../translate/loose-fields.ts';
import { REGION, SUBZONE, ZONE } from '../translate/mesh-labels.ts';
import { translatePeerAuthentication } from '../translate/peer-authentication/peer-authentication.ts';
import { readPod } from '../translate/pod-to-workload/pod.ts';
import {
  grantsService,
  type Referrer,
  translateReferenceGrant,
} from '../translate/reference-grant/reference-grant.ts';
import { type ExportDefaults, NO_EXPORT_DEFAULTS } from '../translate/mesh-config/export-defaults.ts';
import { MESH_CONFIG_NAME, translateMeshConfig } from '../translate/mesh-config/mesh-config.ts';
import { translateRequestAuthentication } from '../translate/request-authentication/request-authentication.ts';
import { translateServiceEntry } from '../translate/service-entry/service-entry.ts';
import { translateJwtProvider } from '../translate/jwt-provider/jwt-provider.ts';
import { translateServiceIntentions } from '../translate/service-intentions/service-intentions.ts';
import { translateTlsCredential } from '../translate/tls-credential/tls-credential.ts';
import type { KnownService } from '../translate/service-lookup.ts';
import { type NamespaceMeta, readService } from '../translate/service/service.ts';
import type { OpaquePort } from '../translate/opaque-ports.ts';
import { translateServiceProfile } from '../translate/service-profile/service-profile.ts';
import {
  BUILT_IN_PROVIDERS,
  type ProviderKind,
  type ProviderLookup,
} from '../translate/telemetry/provider.ts';
import { translateTelemetry } from '../translate/telemetry/telemetry.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import type { DelegateLookup } from '../translate/virtual-service/context.ts';
import {
  translateVirtualService,
  type VirtualServiceTranslation,
} from '../translate/virtual-service/virtual-service.ts';
import type { WaypointLookup } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { CONTROLLER_NAME, type Waypoint, WAYPOINT_CLASSES } from '../translate/waypoint-gateway/waypoint.ts';
import {
  type GatewayClassLookup,
  translateWaypoint,
} from '../translate/waypoint-gateway/waypoint-gateway.ts';
import { readWorkloadEntry } from '../translate/workload-entry/workload-entry.ts';
import { AskedLookup } from './asked-lookup.ts';
import { KnownServices } from './known-services.ts';
import { LinkerdObjects } from './linkerd-objects.ts';
import { type Parsed, ParsedKind } from './parsed-kind.ts';

export interface MeshObjectsOptions {
  readonly cluster: Cluster;
  /** Policies in this namespace hold for the whole mesh. */
  readonly rootNamespace: string;
}

const NO_META: NamespaceMeta = Object.freeze({ labels: {}, annotations: {} });

/** Every object the mesh is made of, by kind, and what translations ask about them. */
export class MeshObjects implements RouteLookup, WaypointLookup, GatewayClassLookup {
  readonly options: MeshObjectsOptions;
  readonly namespaces = new ParsedKind(asItIs);
  readonly nodes = new ParsedKind(asItIs);
  readonly pods;
  readonly workloadEntries;
  readonly services;
  readonly serviceEntries;
  readonly slices = new ParsedKind(readEndpointSlice);
  readonly gatewayClasses = new ParsedKind(asItIs);
  readonly gateways = new ParsedKind(object => translateWaypoint(object, this));
  readonly authorizationPolicies;
  readonly requestAuthentications;
  readonly meshConfigs;
  readonly telemetries;
  /** Those that TLS is originated with. */
  readonly secrets = new ParsedKind(translateTlsCredential);
  /** Authorities in ConfigMaps. What is wrong with one is none of its own business: who refers to it says so. */
  readonly caBundles = new ParsedKind(translateCaBundle);
  readonly peerAuthentications = new ParsedKind(translatePeerAuthentication);
  readonly intentions = new ParsedKind(translateServiceIntentions);
  readonly jwtProviders = new ParsedKind(translateJwtProvider);
  readonly referenceGrants = new ParsedKind(translateReferenceGrant);
  readonly #asked = new AskedLookup(this);
  readonly httpRoutes = this.#routeKind(translateHttpRoute);
  readonly linkerdHttpRoutes = this.#routeKind(translateHttpRoute);
  readonly grpcRoutes = this.#routeKind(translateGrpcRoute);
  readonly tlsRoutes = this.#routeKind(translateTlsRoute);
  readonly tcpRoutes = this.#routeKind(translateTcpRoute);
  readonly backendTrafficPolicies = new ParsedKind(translateBackendTrafficPolicy);
  readonly backendTlsPolicies = new ParsedKind(translateBackendTlsPolicy);
  readonly virtualServices: ParsedKind<VirtualServiceTranslation>;
  readonly destinationRules;
  readonly serviceRouters = new ParsedKind(translateServiceRouter);
  readonly serviceSplitters = new ParsedKind(translateServiceSplitter);
  readonly serviceResolvers = new ParsedKind(translateServiceResolver);
  readonly serviceProfiles = new ParsedKind(object => translateServiceProfile(object, this));
  readonly linkerd: LinkerdObjects;
  readonly #kinds: ReadonlyMap<string, ParsedKind<unknown>>;
  readonly #known: KnownServices;

  constructor(options: MeshObjectsOptions) {
    this.options = options;
    const { cluster, rootNamespace } = options;
    const { clusterDomain, trustDomain } = cluster;
    const context = { services: this, clusterDomain };
    this.services = new ParsedKind(object => readService(object, cluster));
    this.serviceEntries = new ParsedKind(object =>
      translateServiceEntry(object, cluster, () => this.exportDefaults.serviceEntries),
    );
    this.#known = new KnownServices(this.services, this.serviceEntries);
    this.pods = new ParsedKind(object => readPod(object, cluster));
    this.workloadEntries = new ParsedKind(object => readWorkloadEntry(object, cluster));
    this.authorizationPolicies = new ParsedKind(o =>
      translateAuthorizationPolicy(o, { rootNamespace, trustDomain }),
    );
    const delegates: DelegateLookup = (namespace, name) => this.virtualServices.get(namespace, name)?.object;
    this.requestAuthentications = new ParsedKind(o => translateRequestAuthentication(o, { rootNamespace }));
    this.meshConfigs = new ParsedKind(o =>
      translateMeshConfig(o, { ...context, rootNamespace, trustDomain }),
    );
    const providers: ProviderLookup = name => this.telemetryProvider(name);
    this.telemetries = new ParsedKind(o => translateTelemetry(o, { rootNamespace, providers }));
    const ofRoutes = () => this.exportDefaults.virtualServices;
    this.virtualServices = new ParsedKind(o =>
      translateVirtualService(o, { ...context, delegates, exportDefault: ofRoutes }),
    );
    const ofRules = () => this.exportDefaults.destinationRules;
    this.destinationRules = new ParsedKind(object =>
      translateDestinationRule(object, { ...context, exportDefault: ofRules }),
    );
    this.linkerd = new LinkerdObjects(cluster);
    this.#kinds = new Map<string, ParsedKind<unknown>>([
      ['Namespace', this.namespaces],
      ['Node', this.nodes],
      ['Pod', this.pods],
      ['WorkloadEntry', this.workloadEntries],
      ['Service', this.services],
      ['ServiceEntry', this.serviceEntries],
      ['EndpointSlice', this.slices],
      ['GatewayClass', this.gatewayClasses],
      ['Gateway', this.gateways],
      ['AuthorizationPolicy', this.authorizationPolicies],
      ['RequestAuthentication', this.requestAuthentications],
      ['ConfigMap', this.meshConfigs],
      ['Telemetry', this.telemetries],
      ['Secret', this.secrets],
      ['PeerAuthentication', this.peerAuthentications],
      ['ServiceIntentions', this.intentions],
      ['JWTProvider', this.jwtProviders],
      ['ReferenceGrant', this.referenceGrants],
      ['HTTPRoute', this.httpRoutes],
      ['HTTPRoute.policy.linkerd.io', this.linkerdHttpRoutes],
      ['GRPCRoute', this.grpcRoutes],
      ['TLSRoute', this.tlsRoutes],
      ['TCPRoute', this.tcpRoutes],
      ['XBackendTrafficPolicy', this.backendTrafficPolicies],
      ['BackendTLSPolicy', this.backendTlsPolicies],
      ['VirtualService', this.virtualServices],
      ['DestinationRule', this.destinationRules],
      ['ServiceProfile', this.serviceProfiles],
      ...this.linkerd.kinds(),
      ['ServiceRouter', this.serviceRouters],
      ['ServiceSplitter', this.serviceSplitters],
      ['ServiceResolver', this.serviceResolvers],
    ]);
  }

  upsert(object: KubeObject): void {
    this.#kinds.get(object.kind)?.upsert(object);
    if (object.kind === 'ConfigMap') this.caBundles.upsert(object);
    this.linkerd.upsertRoute(object);
  }

  remove(kind: string, namespace: string, name: string): void {
    this.#kinds.get(kind)?.remove(namespace, name);
    if (kind === 'ConfigMap') this.caBundles.remove(namespace, name);
    this.linkerd.removeRoute(kind, namespace, name);
  }

  /** The collection of a kind; undefined for kinds that carry nothing to translate (ServiceAccount). */
  ofKind(kind: string): ParsedKind<unknown> | undefined {
    return this.#kinds.get(kind);
  }

  kinds(): Iterable<readonly [string, ParsedKind<unknown>]> {
    return this.#kinds;
  }

  /** Gateway API routes, of every kind. */
  gatewayRoutes(): readonly ParsedKind<RouteTranslation>[] {
    return [this.grpcRoutes, this.httpRoutes, this.linkerdHttpRoutes, this.tlsRoutes, this.tcpRoutes];
  }

  /** After the configuration of the mesh changed: who knows of objects that do not say it. */
  refreshExports(): void {
    this.serviceEntries.translateAgain();
  }

  /** After Services or grants changed: routes are translated against those there are. */
  refreshRoutes(): void {
    this.#known.refresh();
    for (const kind of this.gatewayRoutes()) kind.translateAgain(object => this.#asked.isOutdated(object));
    for (const kind of [this.virtualServices, this.destinationRules, this.serviceProfiles, this.meshConfigs])
      kind.translateAgain();
  }

  /** After the configuration of the mesh changed: Telemetry objects name its providers. */
  refreshTelemetry(): void {
    this.telemetries.translateAgain();
  }

  /** Of objects that do not say it. */
  get exportDefaults(): ExportDefaults {
    const config = this.meshConfigs.get(this.options.rootNamespace, MESH_CONFIG_NAME);
    return config?.value.exportDefaults ?? NO_EXPORT_DEFAULTS;
  }

  telemetryProvider(name: string): ProviderKind | undefined {
    for (const { value } of this.meshConfigs.all()) {
      const kind = value.telemetry.get(name);
      if (kind !== undefined) return kind;
    }
    return BUILT_IN_PROVIDERS.get(name);
  }

  /** What routes may be attached to in a namespace: Services, and the hosts of ServiceEntries. */
  *routedServices(namespace: string): Generator<Parsed<ServiceSpec>> {
    for (const { object, value } of this.services.inNamespace(namespace))
      if (value !== undefined) yield { object, value };
    for (const { object, value } of this.serviceEntries.inNamespace(namespace))
      for (const spec of value.services) yield { object, value: spec };
  }

  isGranted(
    from: Referrer,
    { name, namespace }: { readonly namespace: string; readonly name: string },
  ): boolean {
    for (const { value } of this.referenceGrants.inNamespace(namespace)) {
      if (grantsService(value, from, name)) return true;
    }
    return false;
  }

  service(namespace: string, name: string): KnownService | undefined {
    return this.#known.named(namespace, name);
  }

  serviceEntry(namespace: string, name: string): readonly KnownService[] | undefined {
    return this.#known.entry(namespace, name);
  }

  /** Services of the namespace whose selector these labels match. */
  servicesSelecting(namespace: string, labels: Readonly<Record<string, string>>): readonly ServiceSpec[] {
    return this.#known.selecting(namespace, labels);
  }

  /** By ServiceProfiles of a service. */
  opaquePorts(namespace: string, hostname: string): readonly OpaquePort[] {
    return [...this.serviceProfiles.inNamespace(namespace)].flatMap(({ value }) =>
      value.service === `${namespace}/${hostname}` ? value.opaquePorts : [],
    );
  }

  serviceByHostname(hostname: string, preferredNamespace: string): KnownService | undefined {
    return this.#known.withHostname(hostname, preferredNamespace);
  }

  servicesMatching(pattern: string): readonly KnownService[] {
    return this.#known.matching(pattern);
  }

  isForeignClass(className: string): boolean {
    const object = this.gatewayClasses.get('', className)?.object;
    return object !== undefined && textAt(objectAt(object.spec), 'controllerName') !== CONTROLLER_NAME;
  }

  /** A class of waypoints, and nobody else's. */
  isOwnClass(className: string): boolean {
    return WAYPOINT_CLASSES.has(className) && !this.isForeignClass(className);
  }

  classLabels(className: string): Readonly<Record<string, string>> {
    return this.gatewayClasses.get('', className)?.object.metadata.labels ?? NO_META.labels;
  }

  /** After a GatewayClass changed. */
  refreshGateways(): void {
    this.gateways.translateAgain();
  }

  waypointGateway(namespace: string, name: string): KubeObject | undefined {
    const found = this.gateways.get(namespace, name);
    return found?.value && found.object;
  }

  namespaceLabels(namespace: string): Readonly<Record<string, string>> {
    return this.namespaceMeta(namespace).labels;
  }

  waypointKeys(): readonly string[] {
    const gateways = [...this.gateways.all()].flatMap(({ object, value }) => (value ? [keyOf(object)] : []));
    return [...gateways, ...[...this.namespaces.all()].map(({ object }) => keyOf(object))];
  }

  /** Addresses of a host of a ServiceEntry: its own, or those it was given. */
  addressesOf(spec: ServiceSpec): readonly string[] {
    return this.#known.addressesOf(spec);
  }

  waypoint(namespace: string, name: string): Waypoint | undefined {
    return this.gateways.get(namespace, name)?.value;
  }

  namespaceNames(): readonly string[] {
    return [...this.namespaces.all()].map(({ object }) => object.metadata.name);
  }

  namespaceMeta(namespace: string): NamespaceMeta {
    return this.namespaces.get('', namespace)?.object.metadata ?? NO_META;
  }

  nodeLocality(node: string): Locality {
    const { labels } = this.nodes.get('', node)?.object.metadata ?? NO_META;
    return { region: labels[REGION] ?? '', zone: labels[ZONE] ?? '', subzone: labels[SUBZONE] ?? '' };
  }

  #routeKind(
    translate: (object: KubeObject, lookup: RouteLookup) => Translated<RouteTranslation>,
  ): ParsedKind<RouteTranslation> {
    return new ParsedKind(object => this.#asked.remembering(object, lookup => translate(object, lookup)));
  }
}

/** Of a Namespace or Node only the metadata matters. */
function asItIs(): Translated<undefined> {
  return { ok: true, value: undefined, diagnostics: [] };
}
