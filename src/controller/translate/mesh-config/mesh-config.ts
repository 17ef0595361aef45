import type { JsonObject } from '#shared/config/json.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { ExternalAuthorizer, HeaderNameMatch } from '#shared/route/external-authorizer.ts';
import type { PathNormalization } from '#shared/route/path.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { parseYaml } from '../../source/yaml-value.ts';
import { Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { headerName } from '../http-headers.ts';
import { lookUpHost, type HostContext } from '../istio-host.ts';
import { objectAt, textAt } from '../loose-fields.ts';
import type { ServiceLookup } from '../service-lookup.ts';
import type { ProviderKind } from '../telemetry/provider.ts';
import { type ExportDefaults, NO_EXPORT_DEFAULTS, readExportDefaults } from './export-defaults.ts';
import { readPathNormalization } from './path-normalization.ts';
import { sayOfUnheeded } from './unheeded.ts';

/** What the mesh is told as a whole: the ConfigMap `istio` of the root namespace, as far as waypoints act on it. */
export interface MeshConfig {
  /** Who answers for policies of action CUSTOM. */
  readonly authorizers: readonly ExternalAuthorizer[];
  /** Where logs, spans and metrics may go, by name. */
  readonly telemetry: ReadonlyMap<string, ProviderKind>;
  readonly exportDefaults: ExportDefaults;
  readonly pathNormalization: PathNormalization;
}

export interface MeshConfigOptions {
  readonly rootNamespace: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly services: ServiceLookup;
}

export const MESH_CONFIG_NAME = 'istio';
export const MESH_CONFIG_KEY = 'mesh';
const NOTHING: MeshConfig = Object.freeze({
  authorizers: [],
  telemetry: new Map(),
  exportDefaults: NO_EXPORT_DEFAULTS,
  pathNormalization: 'base',
});

/** Other ConfigMaps say nothing to the mesh. Of the configuration the providers are read, and what is missed of the rest is said. */
export function translateMeshConfig(object: KubeObject, options: MeshConfigOptions): Translated<MeshConfig> {
  const { name, namespace } = object.metadata;
  const diagnostics = new Diagnostics(object);
  if (name !== MESH_CONFIG_NAME || namespace !== options.rootNamespace) return diagnostics.conclude(NOTHING);
  const text = textAt(objectAt(object.body, 'data'), MESH_CONFIG_KEY) ?? '';
  let mesh: JsonObject;
  try {
    mesh = objectAt(parseYaml(text));
  } catch (error) {
    const reason = errorMessage(error);
    diagnostics.reject(`data.${MESH_CONFIG_KEY}`, text, `is no YAML: ${reason}`, 'correct it');
    return diagnostics.conclude(NOTHING);
  }
  const context: HostContext = { namespace, ...options };
  const fields = new Fields(new Map(Object.entries(mesh)), `data.${MESH_CONFIG_KEY}`, diagnostics);
  const telemetry = new Map<string, ProviderKind>();
  const authorizers = fields
    .objects('extensionProviders', provider => readProvider(provider, context, telemetry))
    .filter(authorizer => authorizer !== undefined);
  const exportDefaults = readExportDefaults(fields);
  const pathNormalization = readPathNormalization(fields);
  sayOfUnheeded(fields, options.trustDomain);
  return diagnostics.conclude({ authorizers, telemetry, exportDefaults, pathNormalization });
}

/** Providers of tracing, metrics and logs are configured at the waypoint. */
const OTHER_KINDS = [
  'zipkin',
  'lightstep',
  'datadog',
  'stackdriver',
  'opencensus',
  'skywalking',
  'opentelemetry',
  'prometheus',
  'envoyFileAccessLog',
  'envoyHttpAls',
  'envoyTcpAls',
  'envoyOtelAls',
  'sds',
];

/** Those that Telemetry objects may name. */
const TELEMETRY_KINDS: readonly (readonly [string, ProviderKind])[] = [
  ['envoyFileAccessLog', 'access log'],
  ['opentelemetry', 'tracing'],
  ['prometheus', 'metrics'],
];

function readProvider(
  fields: Fields,
  context: HostContext,
  telemetry: Map<string, ProviderKind>,
): ExternalAuthorizer | undefined {
  const name = fields.requiredString('name');
  for (const kind of OTHER_KINDS) fields.has(kind);
  for (const [key, kind] of TELEMETRY_KINDS) if (fields.has(key)) telemetry.set(name, kind);
  return (
    fields.object('envoyExtAuthzHttp', http => readHttp(http, name, context)) ??
    fields.object('envoyExtAuthzGrpc', grpc => readGrpc(grpc, name, context))
  );
}

function readHttp(fields: Fields, name: string, context: HostContext): ExternalAuthorizer | undefined {
  const common = readCommon(fields, name, context);
  const added = fields.stringMap('includeAdditionalHeadersInCheck');
  const older = readNames(fields, 'includeHeadersInCheck');
  const http = {
    protocol: 'http' as const,
    pathPrefix: fields.string('pathPrefix') ?? '',
    requestHeaders: [...readNames(fields, 'includeRequestHeadersInCheck'), ...older],
    addedHeaders: [...added].map(([header, value]) => ({
      name: headerName(fields, 'includeAdditionalHeadersInCheck', header),
      value,
    })),
    headersToUpstream: readNames(fields, 'headersToUpstreamOnAllow'),
    headersToDownstreamOnAllow: readNames(fields, 'headersToDownstreamOnAllow'),
    headersToDownstreamOnDeny: readNames(fields, 'headersToDownstreamOnDeny'),
  };
  return common && { ...common, ...http };
}

function readGrpc(fields: Fields, name: string, context: HostContext): ExternalAuthorizer | undefined {
  const common = readCommon(fields, name, context);
  const grpc = {
    protocol: 'grpc' as const,
    pathPrefix: '',
    requestHeaders: [],
    addedHeaders: [],
    headersToUpstream: [],
    headersToDownstreamOnAllow: [],
    headersToDownstreamOnDeny: [],
  };
  return common && { ...common, ...grpc };
}

/** Istio's. */
const DEFAULT_TIMEOUT_MS = 600_000;
const DEFAULT_STATUS = 403;
const MAX_BODY_BYTES = 16 * 1024 * 1024;

type Common = Pick<
  ExternalAuthorizer,
  | 'name'
  | 'service'
  | 'port'
  | 'timeoutMs'
  | 'failOpen'
  | 'statusOnError'
  | 'maxBodyBytes'
  | 'allowPartialBody'
  | 'bodyAsBytes'
>;

function readCommon(fields: Fields, name: string, context: HostContext): Common | undefined {
  // `<namespace>/<host>` says where to look a host up that several namespaces have.
  const host = fields.requiredString('service').replace(/^[^/]*\//, '');
  const consequence = `requests that policies give to ${name} are refused`;
  const service = host === '' ? undefined : lookUpHost(fields, 'service', host, context, consequence);
  const port = fields.quotableInteger('port', 1, 65535);
  if (port === undefined && !fields.has('port')) fields.reject('port', 'is required', 'set the port');
  const body = fields.object('includeRequestBodyInCheck', readBody);
  const status = fields.string('statusOnError');
  if (status !== undefined && !/^[2-5]\d\d$/.test(status))
    fields.reject('statusOnError', 'is no HTTP status', 'write a number in quotes, such as "503"');
  const timeoutMs = fields.durationMs('timeout', '5s') || DEFAULT_TIMEOUT_MS;
  const failOpen = fields.boolean('failOpen') ?? false;
  for (const key of ['clearRouteCache'])
    fields.unsupported(key, 'remove it; a route is chosen after the check');
  if (service === undefined || port === undefined) return undefined;
  return {
    name,
    service: service.key,
    port,
    timeoutMs,
    failOpen,
    statusOnError: status === undefined ? DEFAULT_STATUS : Number(status),
    maxBodyBytes: body?.maxBodyBytes ?? 0,
    allowPartialBody: body?.allowPartialBody ?? false,
    bodyAsBytes: body?.bodyAsBytes ?? false,
  };
}

function readBody(
  fields: Fields,
): Pick<ExternalAuthorizer, 'maxBodyBytes' | 'allowPartialBody' | 'bodyAsBytes'> {
  const maxBodyBytes = fields.quotableInteger('maxRequestBytes', 1, MAX_BODY_BYTES);
  if (maxBodyBytes === undefined && !fields.has('maxRequestBytes'))
    fields.reject('maxRequestBytes', 'is required', 'set how much of a body is sent');
  return {
    maxBodyBytes: maxBodyBytes ?? 0,
    allowPartialBody: fields.boolean('allowPartialMessage') ?? false,
    bodyAsBytes: fields.boolean('packAsBytes') ?? false,
  };
}

/** `x*` is a prefix, `*x` a suffix. */
function readNames(fields: Fields, key: string): readonly HeaderNameMatch[] {
  return fields.strings(key).map(text => {
    const kind = text.startsWith('*') ? 'suffix' : text.endsWith('*') ? 'prefix' : 'exact';
    return { kind, value: headerName(fields, key, text.replace(/^\*|\*$/, '')) };
  });
}
