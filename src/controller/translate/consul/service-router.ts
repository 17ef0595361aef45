import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import {
  ANY_REQUEST,
  type PathMatch,
  type RetryCondition,
  type RetryPolicy,
  type RouteMatch,
  type ValueMatch,
} from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { sayOfConnectFilters, sayOfConnectMatch } from '../connect-rule.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { GRPC_RETRY_CONDITIONS } from '../grpc-retry-conditions.ts';
import { headerName } from '../http-headers.ts';
import { checkRegex, pathMatch } from '../path-value.ts';
import { readHeaderChanges } from './header-changes.ts';
import { readReference, type ServiceReference } from './reference.ts';

/** Consul ServiceRouter: routes of the service of its name, tried in order; what none takes goes to the service itself. */
export interface ServiceRouter {
  readonly routes: readonly RouterRoute[];
}

export interface RouterRoute {
  readonly matches: readonly RouteMatch[];
  /** Undefined: the service itself. */
  readonly destination: ServiceReference | undefined;
  readonly filters: readonly RouteFilter[];
  readonly requestTimeoutMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly retry: RetryPolicy | undefined;
}

export function translateServiceRouter(object: KubeObject): Translated<ServiceRouter> {
  const diagnostics = new Diagnostics(object);
  const { namespace } = object.metadata;
  const routes = readSpec(object, diagnostics, spec =>
    spec.objects('routes', fields => readRoute(fields, namespace)),
  );
  return diagnostics.conclude({ routes: routes ?? [] });
}

function readRoute(fields: Fields, namespace: string): RouterRoute {
  const matches = fields.object('match', match => match.object('http', readMatches)) ?? [];
  const read = fields.object('destination', destination => readDestination(destination, namespace));
  sayOfConnectFilters(
    fields,
    matches,
    (read?.filters ?? []).map(filter => ({ key: 'destination', filter })),
  );
  const nothing = { destination: undefined, filters: [], requestTimeoutMs: undefined };
  return { matches, ...(read ?? { ...nothing, idleTimeoutMs: undefined, retry: undefined }) };
}

function readMatches(fields: Fields): readonly RouteMatch[] {
  const ignoreCase = fields.boolean('caseInsensitive') ?? false;
  const paths = (['pathExact', 'pathPrefix', 'pathRegex'] as const).filter(key => fields.has(key));
  const [key] = paths;
  if (paths.length > 1)
    fields.reject('pathExact', 'is set together with another kind of path', 'keep one of them');
  const path = key === undefined ? undefined : readPath(fields, key, ignoreCase);
  const values = fields.objects('header', readHeader);
  const query = fields.objects('queryParam', readQuery);
  const headers = values.filter(({ invert }) => !invert).map(({ match }) => match);
  const withoutHeaders = values.filter(({ invert }) => invert).map(({ match }) => match);
  const methods = fields.strings('methods');
  const match = { ...ANY_REQUEST, path, headers, withoutHeaders, query };
  if (methods.length === 0) return [match];
  const named = methods.map(method => ({ ...match, method: method.toUpperCase() }));
  for (const one of named) sayOfConnectMatch(fields, one, { path: key ?? 'methods', query: 'queryParam' });
  return named;
}

const PATH_KINDS = { pathExact: 'exact', pathPrefix: 'string_prefix', pathRegex: 'regex' } as const;

function readPath(fields: Fields, key: keyof typeof PATH_KINDS, ignoreCase: boolean): PathMatch {
  return pathMatch(fields, key, PATH_KINDS[key], fields.string(key) ?? '', ignoreCase);
}

const HEADER_KINDS = ['exact', 'prefix', 'suffix', 'contains', 'regex'] as const;

function readHeader(fields: Fields): { readonly match: ValueMatch; readonly invert: boolean } {
  const name = headerName(fields, 'name', fields.requiredString('name'));
  const invert = fields.boolean('invert') ?? false;
  const ignoreCase = fields.boolean('ignoreCase') ?? false;
  const present = fields.boolean('present') ?? false;
  const kinds = HEADER_KINDS.filter(kind => fields.has(kind));
  const [kind] = kinds;
  if (kinds.length + Number(present) !== 1)
    fields.reject(
      'exact',
      `is required, or ${HEADER_KINDS.slice(1).join(', ')} or present, and only one`,
      'keep one',
    );
  if (kind === undefined) return { match: { name, kind: 'present', value: '' }, invert };
  const value = fields.string(kind) ?? '';
  if (kind === 'regex') checkRegex(fields, kind, value);
  return { match: ignoreCase ? ignoringCase(name, kind, value) : { name, kind, value }, invert };
}

function ignoringCase(name: string, kind: (typeof HEADER_KINDS)[number], value: string): ValueMatch {
  const quoted = kind === 'regex' ? value : `\\Q${value}\\E`;
  const before = kind === 'suffix' || kind === 'contains' ? '(?s:.*)' : '';
  const after = kind === 'prefix' || kind === 'contains' ? '(?s:.*)' : '';
  return { name, kind: 'regex', value: `(?i)${before}${quoted}${after}` };
}

function readQuery(fields: Fields): ValueMatch {
  const name = fields.requiredString('name');
  const present = fields.boolean('present') ?? false;
  const kinds = (['exact', 'regex'] as const).filter(kind => fields.has(kind));
  const [kind] = kinds;
  if (kinds.length + Number(present) !== 1)
    fields.reject('exact', 'is required, or regex or present, and only one of them', 'keep the one you mean');
  const value = kind === undefined ? '' : (fields.string(kind) ?? '');
  if (kind === 'regex') checkRegex(fields, kind, value);
  return { name, kind: kind ?? 'present', value };
}

function readDestination(fields: Fields, namespace: string): Omit<RouterRoute, 'matches'> {
  const prefixRewrite = fields.string('prefixRewrite');
  const filters = [...readHeaderChanges(fields)];
  if (prefixRewrite !== undefined)
    filters.push({
      kind: 'rewrite',
      rewrite: { hostname: undefined, path: { kind: 'prefix', value: prefixRewrite } },
    });
  return {
    destination: readReference(fields, namespace),
    filters,
    requestTimeoutMs: fields.durationMs('requestTimeout', '15s') || undefined,
    idleTimeoutMs: fields.durationMs('idleTimeout', '5m') || undefined,
    retry: readRetry(fields),
  };
}

const CONDITIONS = new Map<string, RetryCondition>([
  ['5xx', '5xx'],
  ['gateway-error', 'gateway_error'],
  ['reset', 'reset'],
  ['connect-failure', 'connect_failure'],
  ['retriable-4xx', 'retriable_4xx'],
  ['refused-stream', 'refused_stream'],
  ...GRPC_RETRY_CONDITIONS,
]);
const MAX_RETRIES = 100;

/** Consul: one retry unless told. */
function readRetry(fields: Fields): RetryPolicy | undefined {
  const attempts = fields.integer('numRetries', 0, MAX_RETRIES);
  const on = new Set<RetryCondition>();
  if (fields.boolean('retryOnConnectFailure') === true) on.add('connect_failure');
  for (const name of fields.strings('retryOn')) {
    const condition = CONDITIONS.get(name);
    if (condition !== undefined) on.add(condition);
    else if (name === 'envoy-ratelimited')
      fields.ignore('retryOn', `holds "${name}", which never holds here`, 'remove it');
    else
      fields.reject(
        'retryOn',
        `holds "${name}", which is no condition`,
        `use ${[...CONDITIONS.keys()].join(', ')}`,
      );
  }
  const statusCodes = readStatusCodes(fields);
  if (statusCodes.length > 0) on.add('retriable_status_codes');
  if (on.size === 0 && attempts === undefined) return undefined;
  return { ...DEFAULT_RETRY_POLICY, attempts: attempts ?? 1, on: [...on], statusCodes };
}

function readStatusCodes(fields: Fields): readonly number[] {
  if (!fields.has('retryOnStatusCodes')) return [];
  const value = fields.raw('retryOnStatusCodes');
  const codes = Array.isArray(value) ? value.filter(isStatus) : [];
  if (!Array.isArray(value) || codes.length < value.length)
    fields.reject(
      'retryOnStatusCodes',
      'must be a list of status codes',
      'write numbers, such as [502, 503]',
    );
  return codes;
}

function isStatus(code: unknown): code is number {
  return typeof code === 'number' && Number.isInteger(code) && code >= 100 && code <= 599;
}
