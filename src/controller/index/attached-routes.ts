import type { RouteRule, SourceMatch } from '#shared/route/model.ts';
import type { BackendTrafficPolicy } from '../translate/backend-traffic-policy/backend-traffic-policy.ts';
import { type KubeObject, keyOf } from '../source/kube-object.ts';
import type { DestinationRuleTranslation } from '../translate/destination-rule/destination-rule.ts';
import { wantedTls } from '../translate/destination-rule/wanted-tls.ts';
import { type Diagnostic, objectName, whyRejected } from '../translate/diagnostic.ts';
import type { RouteAttachment } from '../translate/gateway-route/route-translation.ts';
import {
  type LinkerdAnnotations,
  readLinkerdAnnotations,
  withAnnotations,
} from '../translate/linkerd-annotations/annotations.ts';
import { withHedging } from '../translate/hedge-annotation.ts';
import type { ObjectRoutes } from '../translate/merge-rules.ts';
import type { HostContext } from '../translate/istio-host.ts';
import { HEDGE, RATE_LIMIT } from '../translate/mesh-labels.ts';
import { withRateLimit } from '../translate/rate-limit-annotation.ts';
import { isSelected } from '../translate/pod-to-workload/pod-to-workload.ts';
import type { LabelledSource } from '../translate/virtual-service/source.ts';
import type { VirtualServiceTranslation } from '../translate/virtual-service/virtual-service.ts';
import { backendPolicies } from './backend-policies.ts';
import { backendTls, type ServiceTls } from './backend-tls.ts';
import { consulRoutes } from './consul-routes.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { addTo } from './multimap.ts';
import type { Entry, Parsed } from './parsed-kind.ts';
import { type HeldRateLimit, rateLimits } from './rate-limits.ts';
import type { BoundRoute } from './route-binding.ts';
import { namespacesOfWorkloads, specsIn } from './workload-specs.ts';

/** Every route that is attached to something, by service, so that no service has to look through all of them. */
export interface AttachedRoutes {
  readonly gatewayRoutes: ReadonlyMap<string, readonly BoundRoute[]>;
  /** Of the other dialects. */
  readonly objectRoutes: ReadonlyMap<string, readonly ObjectRoutes[]>;
  readonly destinationRules: ReadonlyMap<string, readonly Parsed<DestinationRuleTranslation>[]>;
  /** Said about annotations of routes. */
  readonly diagnostics: readonly Diagnostic[];
  readonly backendPolicies: ReadonlyMap<string, Parsed<BackendTrafficPolicy>>;
  readonly backendTls: ReadonlyMap<string, ServiceTls>;
  /** By namespace. */
  readonly rateLimits: ReadonlyMap<string, readonly HeldRateLimit[]>;
}

export function attachedRoutes(objects: MeshObjects): AttachedRoutes {
  const diagnostics: Diagnostic[] = [];
  return {
    gatewayRoutes: gatewayRoutes(objects, diagnostics),
    objectRoutes: objectRoutes(objects, diagnostics),
    destinationRules: destinationRules(objects),
    diagnostics,
    backendPolicies: backendPolicies(objects),
    backendTls: backendTls(objects).services,
    rateLimits: rateLimits(objects),
  };
}

function gatewayRoutes(objects: MeshObjects, diagnostics: Diagnostic[]): AttachedRoutes['gatewayRoutes'] {
  const bound = new Map<string, BoundRoute[]>();
  for (const kind of objects.gatewayRoutes()) {
    for (const { object, value } of kind.all()) {
      const route = keyOf(object);
      const annotations = readLinkerdAnnotations(object);
      diagnostics.push(...annotations.diagnostics);
      const said: Diagnostic[] = [];
      for (const attachment of value.attachments) {
        const rules = annotatedRules(objects, object, attachment, annotations, said);
        addTo(bound, attachment.service, { route, kind: value.kind, attachment: { ...attachment, rules } });
      }
      diagnostics.push(...eachOnce(said));
    }
  }
  return bound;
}

function annotatedRules(
  objects: MeshObjects,
  object: KubeObject,
  { rules: ranked }: RouteAttachment,
  annotations: LinkerdAnnotations,
  said: Diagnostic[],
): RouteAttachment['rules'] {
  const isPlain = annotations.retry === undefined && annotations.timeouts === undefined;
  const own = object.metadata.annotations;
  if (isPlain && own[HEDGE] === undefined && own[RATE_LIMIT] === undefined) return ranked;
  const rules = ranked.map(({ rule }) => (isPlain ? rule : withAnnotations(rule, annotations)));
  const made = withOwnAnnotations(objects, object, rules, said);
  return ranked.map((one, index) => ({ ...one, rule: made[index] ?? one.rule }));
}

/** The rules of a route with what the mesh's own annotations say: hedging, rate limits. */
function withOwnAnnotations(
  objects: MeshObjects,
  object: KubeObject,
  rules: readonly RouteRule[],
  said: Diagnostic[],
): readonly RouteRule[] {
  const hedged = withHedging(object, rules);
  const limited = withRateLimit(object, hedged.rules, hostContext(objects, object));
  said.push(...hedged.diagnostics, ...limited.diagnostics);
  return limited.rules;
}

/** What names of services in an object mean. */
export function hostContext(objects: MeshObjects, { metadata }: KubeObject): HostContext {
  const { clusterDomain } = objects.options.cluster;
  return { namespace: metadata.namespace, clusterDomain, services: objects };
}

function objectRoutes(objects: MeshObjects, diagnostics: Diagnostic[]): AttachedRoutes['objectRoutes'] {
  const attached = new Map<string, ObjectRoutes[]>();
  for (const virtualService of objects.virtualServices.all()) {
    const said: Diagnostic[] = [];
    for (const [service, routes] of istioRoutes(objects, virtualService, said))
      addTo(attached, service, routes);
    diagnostics.push(...eachOnce(said));
  }
  for (const { object, value } of objects.serviceProfiles.all()) {
    if (value.service === undefined) continue;
    addTo(attached, value.service, {
      dialect: 'Linkerd',
      object: objectName(object),
      field: 'metadata.name',
      creationTimestamp: object.metadata.creationTimestamp,
      wildcard: false,
      rules: value.rules,
      streamRules: [],
    });
  }
  for (const [service, routes] of consulRoutes(objects)) addTo(attached, service, routes);
  return attached;
}

/** By the services it is attached to. */
function istioRoutes(
  objects: MeshObjects,
  { object, value }: Parsed<VirtualServiceTranslation>,
  said: Diagnostic[],
): readonly (readonly [string, ObjectRoutes])[] {
  const sources = resolveSources(objects, value.labelled);
  return value.attachments.map(({ rules, service, streamRules, wildcard }) => {
    const made = withOwnAnnotations(objects, object, rules, said);
    return [
      service,
      {
        dialect: 'Istio',
        object: objectName(object),
        field: 'spec.hosts',
        creationTimestamp: object.metadata.creationTimestamp,
        wildcard,
        rules: made.map(rule => withSources(rule, sources)),
        streamRules: streamRules.map(rule => withSources(rule, sources)),
      },
    ];
  });
}

function destinationRules(objects: MeshObjects): AttachedRoutes['destinationRules'] {
  const byService = new Map<string, Parsed<DestinationRuleTranslation>[]>();
  for (const entry of objects.destinationRules.entries()) {
    const rule = entry.good ?? wantedTlsOf(objects, entry);
    if (rule === undefined) continue;
    for (const service of rule.value.services) addTo(byService, service, rule);
  }
  return byService;
}

/** Of a rule that was never good: who asks for TLS does not get plaintext. */
function wantedTlsOf(
  objects: MeshObjects,
  { diagnostics, latest: object }: Entry<DestinationRuleTranslation>,
): Parsed<DestinationRuleTranslation> | undefined {
  const exportDefault = () => objects.exportDefaults.destinationRules;
  const options = { ...hostContext(objects, object), exportDefault };
  const value = wantedTls(object, options, whyRejected(object, diagnostics));
  return value && { object, value };
}

/** A route that is attached to several services is said once what is wrong with it. */
function eachOnce(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return [...new Map(diagnostics.map(one => [one.message, one])).values()];
}

/** Whether some route asks for workloads by labels: then pods that come and go change routes of any namespace. */
export function hasLabelledSources(objects: MeshObjects): boolean {
  for (const { value } of objects.virtualServices.all()) if (value.labelled.length > 0) return true;
  return false;
}

/** The workloads put in for labels. */
function resolveSources(
  objects: MeshObjects,
  labelled: readonly LabelledSource[],
): ReadonlyMap<SourceMatch, SourceMatch> {
  const resolved = new Map<SourceMatch, SourceMatch>();
  for (const { labels, source } of labelled) {
    const namespaces = source.namespaces.length > 0 ? source.namespaces : namespacesOfWorkloads(objects);
    const workloads: string[] = [];
    for (const namespace of namespaces) {
      for (const spec of specsIn(objects, namespace))
        if (isSelected(labels, spec.labels)) workloads.push(spec.uid);
    }
    resolved.set(source, { ...source, workloads: workloads.sort() });
  }
  return resolved;
}

function withSources<
  M extends { readonly source: SourceMatch | undefined },
  T extends { readonly matches: readonly M[] },
>(rule: T, sources: ReadonlyMap<SourceMatch, SourceMatch>): T {
  const matches = rule.matches.map(match => {
    const resolved = match.source && sources.get(match.source);
    return resolved === undefined ? match : { ...match, source: resolved };
  });
  return { ...rule, matches };
}
