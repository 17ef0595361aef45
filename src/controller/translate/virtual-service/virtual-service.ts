import type { RouteRule } from '#shared/route/model.ts';
import type { StreamRule } from '#shared/route/stream-rule.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { type ExportDefault, readExportTo } from '../export-to.ts';
import { lookUpHost, lookUpPattern } from '../istio-host.ts';
import { objectAt } from '../loose-fields.ts';
import type { KnownService, ServiceLookup } from '../service-lookup.ts';
import type { DelegateLookup, VirtualServiceContext } from './context.ts';
import { delegatedEntries } from './delegate.ts';
import { entriesForMesh, isForGatewaysAlone } from './for-mesh.ts';
import { readHttpEntry, type HttpEntry } from './http-entry.ts';
import { rulesFor } from './http-route.ts';
import type { LabelledSource } from './source.ts';
import { readStreamEntry, streamRulesFor, type StreamEntry } from './stream-route.ts';

/** What one VirtualService adds to the routes of the services it is for. */
export interface VirtualServiceTranslation {
  readonly attachments: readonly VirtualServiceAttachment[];
  /** Sources of matches, to be resolved where workloads are known. */
  readonly labelled: readonly LabelledSource[];
}

export interface VirtualServiceAttachment {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  /** By a host with a wildcard: gives way to one that names the service. */
  readonly wildcard: boolean;
  /** In the order written: the first that matches is taken. */
  readonly rules: readonly RouteRule[];
  readonly streamRules: readonly StreamRule[];
}

export interface VirtualServiceOptions {
  readonly services: ServiceLookup;
  readonly clusterDomain: string;
  readonly delegates: DelegateLookup;
  readonly exportDefault?: ExportDefault;
}

/** Istio VirtualService, for traffic inside the mesh. One without hosts is for others to delegate to. */
export function translateVirtualService(
  object: KubeObject,
  options: VirtualServiceOptions,
): Translated<VirtualServiceTranslation> {
  const diagnostics = new Diagnostics(object);
  const labelled: LabelledSource[] = [];
  if (isForGatewaysAlone(object)) {
    const gateways = objectAt(object.spec)['gateways'];
    const message = 'is not for traffic inside the mesh: nothing is routed';
    diagnostics.ignore('spec.gateways', gateways, message, 'add "mesh"');
    return diagnostics.conclude({ attachments: [], labelled });
  }
  const context: VirtualServiceContext = { namespace: object.metadata.namespace, labelled, ...options };
  const attachments = readSpec(object, diagnostics, spec => readVirtualService(object, spec, context));
  return diagnostics.conclude({ attachments: attachments ?? [], labelled });
}

function readVirtualService(
  object: KubeObject,
  spec: Fields,
  context: VirtualServiceContext,
): readonly VirtualServiceAttachment[] {
  const hosts = spec.strings('hosts');
  const found = hosts.flatMap(host => servicesFor(spec, host, context));
  spec.strings('gateways');
  const callers = readExportTo(spec, context.namespace, context.exportDefault);
  const name = `VirtualService/${object.metadata.namespace}/${object.metadata.name}`;
  const entries = entriesForMesh(spec, 'http', (fields, index) =>
    readWithDelegates(fields, `${name}/${index}`, context),
  ).flat();
  const streams = (['tls', 'tcp'] as const).flatMap(protocol =>
    entriesForMesh(spec, protocol, (fields, index) =>
      readStreamEntry(fields, protocol, `${name}/${protocol}/${index}`, hosts, context),
    ),
  );
  if (hosts.length === 0 && streams.length > 0)
    spec.reject('hosts', 'is required for tls and tcp', 'name the services the routes are for');
  return attachmentsFor(found, entries, streams, callers);
}

function attachmentsFor(
  found: readonly { readonly service: KnownService; readonly wildcard: boolean }[],
  entries: readonly HttpEntry[],
  streams: readonly StreamEntry[],
  callers: readonly string[],
): readonly VirtualServiceAttachment[] {
  const byKey = new Map<string, VirtualServiceAttachment>();
  // A service both named and met by a wildcard is named.
  const ordered = found.toSorted((a, b) => Number(a.wildcard) - Number(b.wildcard));
  for (const { service, wildcard } of ordered) {
    if (byKey.has(service.key)) continue;
    const rules = entries.flatMap(entry => rulesFor(entry, service, callers));
    const streamRules = streams.flatMap(entry => streamRulesFor(entry, service, callers));
    byKey.set(service.key, { service: service.key, wildcard, rules, streamRules });
  }
  return [...byKey.values()];
}

function readWithDelegates(
  fields: Fields,
  name: string,
  context: VirtualServiceContext,
): readonly HttpEntry[] {
  const entry = readHttpEntry(fields, name, context);
  return fields.has('delegate') ? delegatedEntries(fields, entry, context) : [entry];
}

function servicesFor(
  spec: Fields,
  host: string,
  context: VirtualServiceContext,
): readonly { service: KnownService; wildcard: boolean }[] {
  const consequence = 'nothing is routed for it';
  if (!host.includes('*')) {
    const service = lookUpHost(spec, 'hosts', host, context, consequence);
    return service === undefined ? [] : [{ service, wildcard: false }];
  }
  const found = lookUpPattern(spec, 'hosts', host, context, consequence);
  return found.map(service => ({ service, wildcard: true }));
}
