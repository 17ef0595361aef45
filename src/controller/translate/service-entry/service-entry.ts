import type { CidrMatch } from '#shared/authz/policy.ts';
import { canonicalIp, ipFromBytes } from '#shared/workload/ip.ts';
import type { Visibility } from '#shared/workload/visibility.ts';
import { parseCidr } from '#shared/workload/cidr.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { appProtocol } from '../app-protocol.ts';
import type { Cluster } from '../cluster.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { type ExportDefault, readExportTo } from '../export-to.ts';
import type { WorkloadSpec } from '../pod-to-workload/workload-spec.ts';
import type { ServiceSpec, ServiceSpecPort } from '../service/service-spec.ts';
import { type EndpointContext, readEndpoint } from './endpoint.ts';
import { isWildcard, readHosts } from './hosts.ts';

/** Names outside the cluster, or made up, that are services of the mesh. */
export interface ServiceEntryTranslation {
  /** One a host, all alike. */
  readonly services: readonly ServiceSpec[];
  /** The endpoints written in the object itself. */
  readonly workloads: readonly WorkloadSpec[];
  /** Whole ranges that are addresses of the hosts, besides those of `services`. */
  readonly ranges: readonly CidrMatch[];
  /** What clients dial is where they get: there are no endpoints to choose from. */
  readonly passthrough: boolean;
  /** A waypoint finds the endpoints, by the host that each request names. */
  readonly endpointsByHost: boolean;
  /** The hosts get addresses of the mesh's own (`auto-allocate.ts`). */
  readonly allocates: boolean;
  /** SPIFFE ids or names endpoints may prove themselves with besides. */
  readonly subjectAltNames: readonly string[];
  readonly visibility: Visibility;
}

const AUTO_ALLOCATE = 'networking.istio.io/enable-autoallocate-ip';
const RESOLUTIONS = ['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'] as const;
const NOTHING: ServiceEntryTranslation = {
  services: [],
  workloads: [],
  ranges: [],
  passthrough: false,
  endpointsByHost: false,
  allocates: false,
  subjectAltNames: [],
  visibility: 'public',
};

/** Istio ServiceEntry. */
export function translateServiceEntry(
  object: KubeObject,
  cluster: Cluster,
  exportDefault?: ExportDefault,
): Translated<ServiceEntryTranslation> {
  const diagnostics = new Diagnostics(object);
  const read = readSpec(object, diagnostics, spec => readServiceEntry(object, spec, cluster, exportDefault));
  return diagnostics.conclude(read ?? NOTHING);
}

function readServiceEntry(
  object: KubeObject,
  spec: Fields,
  cluster: Cluster,
  exportDefault: ExportDefault | undefined,
): ServiceEntryTranslation {
  const { labels, name, namespace } = object.metadata;
  const hosts = readHosts(spec);
  const resolution = spec.oneOf('resolution', RESOLUTIONS) ?? 'NONE';
  spec.oneOf('location', ['MESH_EXTERNAL', 'MESH_INTERNAL']);
  const { addresses, ranges } = readAddresses(spec);
  const selector = spec.object('workloadSelector', of => of.stringMap('labels')) ?? new Map<string, string>();
  const named = resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN';
  const context: EndpointContext = { object, cluster, named };
  const written = spec.objects('endpoints', (fields, index) => readEndpoint(fields, index, context));
  // Istio: without endpoints a host resolved by DNS is its own endpoint.
  const own = named && written.length === 0 && selector.size === 0;
  const workloads = own ? hosts.map(host => hostEndpoint(host, context)) : written;
  checkEndpoints(spec, resolution, selector, workloads);
  checkWildcards(spec, resolution, hosts, own);
  const isReached = addresses.length + ranges.length > 0;
  if (resolution === 'NONE' && !isReached)
    spec.ignore(
      'addresses',
      'is empty: by resolution NONE the hosts are known by their addresses alone, and nothing leads to them',
      'name the addresses or ranges of the hosts, or use resolution DNS (of a wildcard: DYNAMIC_DNS)',
    );
  const ports = spec.objects('ports', readPort);
  const common = { name, namespace, selector, ports, publishNotReadyAddresses: false };
  return {
    services: hosts.map(hostname => ({ ...common, hostname, clusterIps: addresses })),
    workloads: workloads.filter(workload => workload !== undefined),
    ranges,
    passthrough: resolution === 'NONE',
    endpointsByHost: resolution === 'DYNAMIC_DNS',
    allocates: !isReached && resolution !== 'NONE' && labels[AUTO_ALLOCATE] !== 'false',
    subjectAltNames: spec.strings('subjectAltNames'),
    visibility: readVisibility(spec, namespace, exportDefault),
  };
}

function readVisibility(
  spec: Fields,
  namespace: string,
  exportDefault: ExportDefault | undefined,
): Visibility {
  const namespaces = readExportTo(spec, namespace, exportDefault);
  if (namespaces.length === 0) return 'public';
  // What every proxy of an ambient mesh understands.
  return namespaces.every(one => one === namespace) ? 'namespace' : namespaces;
}

function readAddresses(spec: Fields): {
  readonly addresses: readonly string[];
  readonly ranges: readonly CidrMatch[];
} {
  const addresses: string[] = [];
  const ranges: CidrMatch[] = [];
  for (const text of spec.strings('addresses')) {
    const range = parseCidr(text);
    const ip = range && ipFromBytes(range.bytes);
    if (range === undefined || ip === undefined)
      spec.reject(
        'addresses',
        `"${text}" is no IP address or range`,
        'write such as 192.0.2.1 or 192.0.2.0/24',
      );
    else if (range.prefixLength === range.bytes.length * 8) addresses.push(canonicalIp(ip) ?? ip);
    else ranges.push({ ip, prefixLength: range.prefixLength });
  }
  return { addresses, ranges };
}

type Resolution = (typeof RESOLUTIONS)[number];

/** A wildcard names nobody who could be looked up: its endpoints are written, or found when a request names its host. */
function checkWildcards(spec: Fields, resolution: Resolution, hosts: readonly string[], own: boolean): void {
  const wildcard = hosts.find(isWildcard);
  if (wildcard !== undefined && own)
    spec.reject(
      'hosts',
      `"${wildcard}" is a wildcard, which ${resolution} cannot look up`,
      'use resolution DYNAMIC_DNS, or name endpoints',
    );
  const plain = hosts.find(host => !isWildcard(host));
  if (resolution !== 'DYNAMIC_DNS') return;
  if (plain !== undefined)
    spec.reject('hosts', `"${plain}" is no wildcard, as DYNAMIC_DNS asks for`, 'use resolution DNS for it');
}

function checkEndpoints(
  spec: Fields,
  resolution: Resolution,
  selector: ReadonlyMap<string, string>,
  workloads: readonly (WorkloadSpec | undefined)[],
): void {
  if (selector.size > 0 && spec.has('endpoints'))
    spec.reject('workloadSelector', 'cannot be together with endpoints', 'keep the one you mean');
  if (resolution === 'NONE' && (selector.size > 0 || workloads.length > 0))
    spec.reject('resolution', 'NONE has no endpoints', 'use STATIC or DNS, or remove the endpoints');
  if (resolution === 'DYNAMIC_DNS' && (selector.size > 0 || workloads.length > 0))
    spec.reject(
      'resolution',
      'DYNAMIC_DNS finds the endpoints itself',
      'use STATIC or DNS, or remove the endpoints',
    );
  if (resolution === 'STATIC' && selector.size === 0 && workloads.length === 0)
    spec.ignore('endpoints', 'is empty: there is nobody to answer', 'add endpoints or a workloadSelector');
}

function readPort(fields: Fields): ServiceSpecPort {
  const port = fields.port('number');
  if (port === undefined && !fields.has('number')) fields.reject('number', 'is required', 'set the port');
  const name = fields.requiredString('name');
  const protocol = fields.string('protocol');
  const targetPort = fields.port('targetPort') ?? port ?? 0;
  // An endpoint may have another number under this name.
  return { name, port: port ?? 0, targetPort, appProtocol: appProtocol(protocol, name) };
}

/** A host resolved by DNS that is its own endpoint. */
function hostEndpoint(host: string, { cluster, object }: EndpointContext): WorkloadSpec {
  const { name, namespace } = object.metadata;
  return {
    uid: `${cluster.clusterId}/networking.istio.io/ServiceEntry/${namespace}/${name}/${host}`,
    name: `${name}-${host}`,
    namespace,
    labels: {},
    consulMeta: {},
    addresses: [],
    hostname: host,
    endpointName: undefined,
    node: '',
    serviceAccount: 'default',
    hostNetwork: false,
    healthy: true,
    tunnelProtocol: 'none',
    nativeTunnel: false,
    workloadName: name,
    workloadType: 'pod',
    namedPorts: new Map(),
    declaredPorts: undefined,
    network: '',
    locality: '',
    capacity: 1,
  };
}
