import { ATTRIBUTES } from '#shared/route/log-filter/attributes.ts';
import { parseLogFilter } from '#shared/route/log-filter/log-filter.ts';
import type { TraceTag } from '#shared/route/telemetry-policy.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { noReach, type PolicyReach, readReach } from '../authorization-policy/policy-reach.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { headerName } from '../http-headers.ts';
import { type MetricRule, readMetrics } from './metrics.ts';
import { isForClientsAlone, type ProviderLookup, readProviders } from './provider.ts';

/** What one Telemetry says, as far as waypoints act on it, and for which services. */
export interface TelemetryTranslation extends PolicyReach {
  readonly settings: TelemetrySettings;
}

/** Undefined: what a wider Telemetry says, else the waypoint. */
export interface TelemetrySettings {
  readonly accessLog: AccessLogging | undefined;
  readonly traceSpans: boolean | undefined;
  readonly traceSamplingPercent: number | undefined;
  readonly traceTags: readonly TraceTag[] | undefined;
  /** In order: a later one wins. */
  readonly metrics: readonly MetricRule[];
}

export interface AccessLogging {
  readonly logged: boolean;
  /** An expression that is true of what is logged; undefined: everything. */
  readonly filter: string | undefined;
}

export interface TelemetryOptions {
  readonly rootNamespace: string;
  readonly providers: ProviderLookup;
}

/** Istio Telemetry, for waypoints: ztunnels have no settings of the kind. */
export function translateTelemetry(
  object: KubeObject,
  { providers, rootNamespace }: TelemetryOptions,
): Translated<TelemetryTranslation> {
  const diagnostics = new Diagnostics(object);
  const { namespace } = object.metadata;
  const read = readSpec(object, diagnostics, (spec): TelemetryTranslation => {
    const reach = readReach(spec, namespace, namespace === rootNamespace);
    const tracing = spec.objects('tracing', fields => readTracing(fields, providers));
    return {
      ...reach,
      settings: {
        accessLog: spec
          .objects('accessLogging', fields => readAccessLogging(fields, providers))
          .reduce(later, undefined),
        traceSpans: tracing.map(({ spans }) => spans).reduce(later, undefined),
        traceSamplingPercent: tracing.map(({ percent }) => percent).reduce(later, undefined),
        traceTags: tracing.map(({ tags }) => tags).reduce(later, undefined),
        metrics: spec.objects('metrics', fields => readMetrics(fields, providers)).flat(),
      },
    };
  });
  return diagnostics.conclude(read ?? { ...noReach(namespace), settings: NO_SETTINGS });
}

const NO_SETTINGS: TelemetrySettings = Object.freeze({
  accessLog: undefined,
  traceSpans: undefined,
  traceSamplingPercent: undefined,
  traceTags: undefined,
  metrics: [],
});

/** Of several entries of a list the last that says something holds. */
function later<T>(before: T | undefined, next: T | undefined): T | undefined {
  return next ?? before;
}

/** An entry switches the log on, unless it says otherwise. */
function readAccessLogging(fields: Fields, providers: ProviderLookup): AccessLogging | undefined {
  const forClients = fields.object('match', isForClientsAlone) ?? false;
  readProviders(fields, 'access log', providers);
  const disabled = fields.boolean('disabled') ?? false;
  const filter = fields.object('filter', readFilter);
  return forClients ? undefined : { logged: !disabled, filter: disabled ? undefined : filter };
}

/** An empty one is as none, as in Istio. */
function readFilter(fields: Fields): string | undefined {
  const expression = fields.string('expression');
  if (expression === undefined || expression.trim() === '') return undefined;
  const parsed = parseLogFilter(expression);
  if (parsed.ok) return expression;
  const names = [...ATTRIBUTES.keys(), 'request.headers["name"]'].join(', ');
  fields.reject(
    'expression',
    `is no expression this mesh takes: ${parsed.problem}`,
    `compare attributes with values, as in response.code >= 400 && request.method != "GET"; there are ${names}`,
  );
  return undefined;
}

interface Tracing {
  readonly spans: boolean | undefined;
  readonly percent: number | undefined;
  readonly tags: readonly TraceTag[] | undefined;
}

function readTracing(fields: Fields, providers: ProviderLookup): Tracing {
  const forClients = fields.object('match', isForClientsAlone) ?? false;
  readProviders(fields, 'tracing', providers);
  const disabled = fields.boolean('disableSpanReporting');
  const percent = readPercent(fields, 'randomSamplingPercentage');
  const tags = fields.object('customTags', readTags);
  fields.unsupported('useRequestIdForTraceSampling', 'remove it; a trace is sampled by its own id');
  fields.refused('enableIstioTags', 'remove it; spans always have the tags of the mesh');
  fields.refused('disableContextPropagation', 'remove it; the context is always passed on');
  if (forClients) return { spans: undefined, percent: undefined, tags: undefined };
  return { spans: disabled === undefined ? undefined : !disabled, percent, tags };
}

function readPercent(fields: Fields, key: string): number | undefined {
  if (!fields.has(key)) return undefined;
  const value = fields.raw(key);
  if (typeof value === 'number' && value >= 0 && value <= 100) return value;
  fields.reject(key, 'must be a number from 0 to 100', 'change it to a number from 0 to 100');
  return undefined;
}

const MAX_TAGS = 32;

function readTags(fields: Fields): readonly TraceTag[] {
  const names = fields.keys();
  if (names.length > MAX_TAGS) {
    for (const name of names.slice(MAX_TAGS))
      fields.reject(name, `is one of more than ${MAX_TAGS} tags`, 'keep those you look at');
  }
  return names.flatMap(name => fields.object(name, tag => readTag(tag, name)) ?? []);
}

function readTag(fields: Fields, name: string): TraceTag | undefined {
  fields.refused('environment', 'use literal or header; a waypoint tells nothing of its environment');
  fields.refused('formatter', 'use literal or header');
  const literal = fields.object('literal', inner => inner.requiredString('value'));
  const header = fields.object('header', inner => ({
    name: headerName(inner, 'name', inner.requiredString('name')),
    value: inner.string('defaultValue') ?? '',
  }));
  if ((literal === undefined) === (header === undefined)) {
    if (!fields.has('environment') && !fields.has('formatter'))
      fields.reject('literal', 'is required, or header, and only one of them', 'keep the one you mean');
    return undefined;
  }
  return { name, header: header?.name, value: literal ?? header?.value ?? '' };
}
