import type { RouteRule } from '#shared/route/model.ts';
import type { GlobalRateLimit, RateLimitEntry, RouteFilter } from '#shared/route/route-filter.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { parseYaml } from '../source/yaml-value.ts';
import { isJsonObject } from '#shared/config/json.ts';
import { Fields } from './decode.ts';
import { type Diagnostic, Diagnostics } from './diagnostic.ts';
import { headerName } from './http-headers.ts';
import { type HostContext, lookUpHost } from './istio-host.ts';
import { RATE_LIMIT } from './mesh-labels.ts';
import { MAX_RATE, secondBucket } from './second-bucket.ts';

export interface LimitedRules {
  readonly rules: readonly RouteRule[];
  readonly diagnostics: readonly Diagnostic[];
}

const FIELD = `metadata.annotations.${RATE_LIMIT}`;
const FIX = 'see docs/filters.md#rate-limits';
const TOO_MANY_REQUESTS = 429;
/** Envoy's. */
const DEFAULT_TIMEOUT_MS = 20;
const MAX_DESCRIPTORS = 16;
const MAX_ENTRIES = 8;

/** The rules of a route, or of a Service, with the limits of its annotation. A wrong annotation is said, and counts as not there. */
export function withRateLimit(
  object: KubeObject,
  rules: readonly RouteRule[],
  context: HostContext,
): LimitedRules {
  const text = object.metadata.annotations[RATE_LIMIT];
  if (text === undefined || rules.length === 0) return { rules, diagnostics: [] };
  const said = new Diagnostics(object);
  const filters = readLimits(text, said, context);
  // What is wrong with the annotation says nothing against the object.
  const diagnostics = said.found.map((one): Diagnostic => ({ ...one, severity: 'ignored' }));
  if (said.rejected) return { rules, diagnostics };
  return { rules: rules.map(rule => ({ ...rule, filters: [...rule.filters, ...filters] })), diagnostics };
}

/** Said of the annotation on a Service whose requests follow routes. */
export function rateLimitWithRoutes(service: KubeObject): readonly Diagnostic[] {
  const value = service.metadata.annotations[RATE_LIMIT];
  if (value === undefined) return [];
  const said = new Diagnostics(service);
  const fix = 'annotate its HTTPRoute, GRPCRoute or VirtualService';
  said.ignore(FIELD, value, 'has no effect: the service has routes', fix);
  return said.found;
}

function readLimits(text: string, said: Diagnostics, context: HostContext): readonly RouteFilter[] {
  const value = parsed(text, said);
  if (value === undefined) return [];
  const fields = new Fields(new Map(Object.entries(value)), FIELD, said);
  const filters = [
    fields.object('local', readLocal),
    fields.object('global', one => readGlobal(one, context)),
  ];
  if (!fields.has('local') && !fields.has('global'))
    fields.reject('local', 'is required, or global', 'say what is limited');
  fields.done();
  return filters.filter(filter => filter !== undefined);
}

function parsed(text: string, said: Diagnostics): object | undefined {
  try {
    const value = parseYaml(text);
    if (isJsonObject(value)) return value;
    said.reject(FIELD, text, 'is no object', FIX);
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    said.reject(FIELD, text, `is no YAML: ${reason}`, FIX);
  }
  return undefined;
}

function readLocal(fields: Fields): RouteFilter {
  const total = fields.integer('requestsPerSecond', 1, MAX_RATE);
  const identity = fields.integer('perIdentity', 1, MAX_RATE);
  if (!fields.has('requestsPerSecond') && !fields.has('perIdentity'))
    fields.reject(
      'requestsPerSecond',
      'is required, or perIdentity',
      'write how many requests a second pass',
    );
  if (total !== undefined && identity !== undefined && identity > total)
    fields.reject('perIdentity', `is more than the ${total} of all`, `write ${total} or less`);
  return {
    kind: 'local_rate_limit',
    limit: {
      total: total === undefined ? undefined : secondBucket(total),
      identity: identity === undefined ? undefined : secondBucket(identity),
      overrides: [],
      status: TOO_MANY_REQUESTS,
      sharedAs: undefined,
    },
  };
}

/** Undefined where its service is not there, which is said. */
function readGlobal(fields: Fields, context: HostContext): RouteFilter | undefined {
  const host = fields.requiredString('service');
  const found =
    host === '' ? undefined : lookUpHost(fields, 'service', host, context, 'nothing is limited by it');
  const port = fields.port('port');
  if (!fields.has('port')) fields.reject('port', 'is required', 'set the port of its gRPC');
  if (found !== undefined && port !== undefined && !found.ports.includes(port))
    fields.reject('port', `${found.hostname} has no such port`, `use one of ${found.ports.join(', ')}`);
  const limit: Omit<GlobalRateLimit, 'service'> = {
    port: port ?? 0,
    domain: fields.requiredString('domain'),
    descriptors: readDescriptors(fields),
    timeoutMs: fields.durationMs('timeout', '20ms') || DEFAULT_TIMEOUT_MS,
    failOpen: fields.boolean('failOpen') ?? true,
  };
  return found && { kind: 'global_rate_limit', limit: { service: found.key, ...limit } };
}

function readDescriptors(fields: Fields): GlobalRateLimit['descriptors'] {
  const descriptors = fields.objects('descriptors', descriptor => {
    const entries = descriptor.objects('entries', readEntry).filter(entry => entry !== undefined);
    if (entries.length === 0)
      descriptor.reject('entries', 'is required', 'say what requests are told apart by');
    if (entries.length > MAX_ENTRIES)
      descriptor.reject('entries', `holds more than ${MAX_ENTRIES}`, 'make several descriptors');
    return entries;
  });
  if (descriptors.length === 0) fields.reject('descriptors', 'is required', 'say what is asked about');
  if (descriptors.length > MAX_DESCRIPTORS)
    fields.reject('descriptors', `holds more than ${MAX_DESCRIPTORS}`, 'remove some');
  return descriptors;
}

/** By the keys they are sent with. */
const ATTRIBUTES = {
  remote_address: 'source_ip',
  source_identity: 'source_identity',
  destination_service: 'service',
  method: 'method',
  path: 'path',
} as const;
const ATTRIBUTE_NAMES = [
  'remote_address',
  'source_identity',
  'destination_service',
  'method',
  'path',
] as const;

/** `{key, value}`, `{key, header}` or `{attribute}`. */
function readEntry(fields: Fields): RateLimitEntry | undefined {
  const [header, value] = [fields.string('header'), fields.string('value')];
  const attribute = fields.oneOf('attribute', ATTRIBUTE_NAMES);
  const given = ['value', 'header', 'attribute'].filter(name => fields.has(name));
  if (given.length !== 1) {
    fields.reject(
      'value',
      'is required, or header or attribute, and only one of them',
      'keep the one you mean',
    );
    fields.has('key');
    return undefined;
  }
  if (attribute !== undefined) return { kind: ATTRIBUTES[attribute] };
  if (fields.has('attribute')) return undefined;
  const key = fields.requiredString('key');
  if (header !== undefined) return { kind: 'header', key, header: headerName(fields, 'header', header) };
  return { kind: 'generic', key, value: value ?? '' };
}
