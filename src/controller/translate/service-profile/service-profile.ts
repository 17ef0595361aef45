import type { ResponseClass } from '#shared/route/condition.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import { failureByClass } from '#shared/route/classify.ts';
import {
  ANY_REQUEST,
  NO_TIMEOUTS,
  PLAIN_RULE,
  type RetryBudgetConfig,
  type RetryCondition,
  type RetryPolicy,
  type RouteBackend,
  type RouteMatch,
  type RouteRule,
} from '#shared/route/model.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { sayOfConnectMatch } from '../connect-rule.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { type OpaquePort, readOpaquePorts } from '../opaque-ports.ts';
import type { KnownService, ServiceLookup } from '../service-lookup.ts';
import { readRequestCondition, readResponseCondition } from './condition.ts';

/** The routes of one service, as a ServiceProfile of its name has them. */
export interface ServiceProfileTranslation {
  /** `<namespace>/<hostname>`; undefined when there is no such service (yet). */
  readonly service: string | undefined;
  readonly rules: readonly RouteRule[];
  /** Ports of the service that are not looked into. */
  readonly opaquePorts: readonly OpaquePort[];
}

/** Linkerd ServiceProfile. Its name is the host name of the service; in a client's namespace it is for callers from there. */
export function translateServiceProfile(
  object: KubeObject,
  services: ServiceLookup,
): Translated<ServiceProfileTranslation> {
  const diagnostics = new Diagnostics(object);
  const { name, namespace } = object.metadata;
  const service = services.serviceByHostname(name.toLowerCase(), namespace);
  if (service === undefined) {
    const fix = 'create it, or name the profile <service>.<namespace>.svc.<cluster domain>';
    diagnostics.ignore(
      'metadata.name',
      name,
      'there is no service of this host name: nothing is routed',
      fix,
    );
  }
  const read = readSpec(object, diagnostics, spec => ({
    rules: readRules(object, spec, service, services),
    opaquePorts: readPorts(object, spec, service),
  }));
  return diagnostics.conclude({ service: service?.key, rules: [], opaquePorts: [], ...read });
}

function readRules(
  object: KubeObject,
  spec: Fields,
  service: KnownService | undefined,
  services: ServiceLookup,
): readonly RouteRule[] {
  const { name, namespace } = object.metadata;
  const prefix = `ServiceProfile/${namespace}/${name}`;
  const retryBudget = spec.object('retryBudget', readBudget);
  const overrides = spec.objects('dstOverrides', fields => readOverride(fields, services, namespace));
  const routes = spec.objects('routes', (fields, index) => readRoute(fields, `${prefix}/${index}`));
  if (service === undefined) return [];
  // What no route takes goes to the service all the same.
  const rest: RouteRule = { ...PLAIN_RULE, name: `${prefix}/[DEFAULT]` };
  const consumer = service.namespace === namespace ? undefined : namespace;
  const own = (port: number): RouteBackend => ({
    weight: 1,
    service: service.key,
    port,
    subset: undefined,
    filters: [],
  });
  return [...routes, rest].flatMap(rule =>
    overrides.length > 0
      ? [{ ...rule, retryBudget, consumer, backends: overrides }]
      : service.ports.map(port => ({ ...rule, retryBudget, consumer, ports: [port], backends: [own(port)] })),
  );
}

/** What is passed on is so for every caller: a profile of a client's namespace has no say. */
function readPorts(
  { metadata }: KubeObject,
  spec: Fields,
  service: KnownService | undefined,
): readonly OpaquePort[] {
  const { ports, wrong } = readOpaquePorts(spec.strings('opaquePorts'));
  if (wrong.length > 0)
    spec.reject(
      'opaquePorts',
      `holds ${wrong.join(', ')}, which is no port`,
      'write such as "3306" or "4000-4010"',
    );
  if (service === undefined || service.namespace === metadata.namespace) return ports;
  if (ports.length > 0)
    spec.ignore(
      'opaquePorts',
      `has no effect: the profile is for callers of ${metadata.namespace} alone`,
      `set it in a profile of namespace ${service.namespace}`,
    );
  return [];
}

function readRoute(fields: Fields, defaultName: string): RouteRule {
  const given = fields.string('name');
  const match = fields.object('condition', readMatch);
  if (match === undefined && !fields.has('condition'))
    fields.reject('condition', 'is required', 'say which requests the route is for');
  if (match !== undefined) sayOfConnectMatch(fields, match, { path: 'condition', query: 'condition' });
  const responseClasses = fields.objects('responseClasses', readResponseClass);
  const timeoutMs = fields.durationMs('timeout', '300ms');
  return {
    ...PLAIN_RULE,
    name: given === undefined ? defaultName : `${defaultName.replace(/\/\d+$/, '')}/${given}`,
    matches: [match ?? ANY_REQUEST],
    timeouts: { ...NO_TIMEOUTS, requestMs: timeoutMs === 0 ? undefined : timeoutMs },
    retry: fields.boolean('isRetryable') === true ? retryFor(responseClasses) : undefined,
    responseClasses,
  };
}

/** A path and a method alone are found faster than a condition is tried. */
function readMatch(fields: Fields): RouteMatch {
  const condition = readRequestCondition(fields);
  const parts = condition.kind === 'all' ? condition.of : [condition];
  const [path, method] = [parts.find(one => one.kind === 'path'), parts.find(isMethod)];
  const isPlain =
    parts.length > 0 && parts.length === Number(path !== undefined) + Number(method !== undefined);
  if (!isPlain) return { ...ANY_REQUEST, condition };
  return { ...ANY_REQUEST, path: path?.path, method: method?.header.value };
}

function isMethod(
  condition: ReturnType<typeof readRequestCondition>,
): condition is Extract<ReturnType<typeof readRequestCondition>, { kind: 'header' }> {
  return condition.kind === 'header';
}

function readResponseClass(fields: Fields): ResponseClass {
  const condition = fields.object('condition', item => readResponseCondition(item));
  if (condition === undefined && !fields.has('condition'))
    fields.reject('condition', 'is required', 'say which responses are of the class');
  return {
    condition: condition ?? { kind: 'all', of: [] },
    isFailure: fields.boolean('isFailure') ?? false,
  };
}

/** More than a budget would ever allow: Linkerd's retries are bounded by the budget alone. */
const MAX_RETRIES = 100;

const HTTP_FAILURES: readonly RetryCondition[] = [
  'connect_failure',
  'refused_stream',
  'reset',
  'retriable_status_codes',
];
const GRPC_FAILURES: readonly RetryCondition[] = [
  'grpc_deadline_exceeded',
  'grpc_internal',
  'grpc_unavailable',
];

/** What counts as a failure is tried again. */
function retryFor(classes: readonly ResponseClass[]): RetryPolicy {
  const statusCodes: number[] = [];
  for (let status = 100; status < 600; status++) {
    if (failureByClass(classes, status) ?? status >= 500) statusCodes.push(status);
  }
  return {
    ...DEFAULT_RETRY_POLICY,
    attempts: MAX_RETRIES,
    // A class for 200 is one for gRPC too, which then goes by it.
    on: failureByClass(classes, 200) === undefined ? [...HTTP_FAILURES, ...GRPC_FAILURES] : HTTP_FAILURES,
    statusCodes,
  };
}

const MAX_RATIO = 1000;

function readBudget(fields: Fields): RetryBudgetConfig {
  const ratio = fields.raw('retryRatio');
  fields.has('retryRatio');
  if (typeof ratio !== 'number' || ratio < 0 || ratio > MAX_RATIO)
    fields.reject('retryRatio', `must be a number from 0 to ${MAX_RATIO}`, 'write such as 0.2');
  const minPerSecond = fields.integer('minRetriesPerSecond', 0, 1_000_000) ?? 10;
  const ttlMs = fields.durationMs('ttl', '10s') ?? 10_000;
  if (ttlMs < 1000 || ttlMs > 60_000) fields.reject('ttl', 'must be from 1s to 60s', 'write such as 10s');
  return { ratio: typeof ratio === 'number' ? ratio : 0, minPerSecond, ttlMs };
}

function readOverride(fields: Fields, services: ServiceLookup, namespace: string): RouteBackend {
  const authority = fields.requiredString('authority');
  const [, host = '', port] = /^(.*?)\.?(?::(\d{1,5}))?$/.exec(authority) ?? [];
  const service = services.serviceByHostname(host.toLowerCase(), namespace);
  const number = port === undefined ? service?.ports[0] : Number(port);
  const exists = number !== undefined && service?.ports.includes(number) === true;
  if (authority !== '' && !exists) {
    const message = 'there is no such service and port: its share of requests is answered with 500';
    fields.ignore('authority', message, 'write <host name>:<port>');
  }
  return {
    weight: readWeight(fields),
    service: exists ? service.key : undefined,
    port: number ?? 0,
    subset: undefined,
    filters: [],
  };
}

/** A quantity of Kubernetes: `1`, `"500m"`. */
function readWeight(fields: Fields): number {
  const value = fields.raw('weight');
  fields.has('weight');
  const text = typeof value === 'number' || typeof value === 'string' ? `${value}` : '';
  const [, number, milli] = /^(\d{1,6})(m?)$/.exec(text) ?? [];
  if (number === undefined) {
    fields.reject('weight', 'is no weight', 'write a number, or thousandths such as 500m');
    return 0;
  }
  return milli === 'm' ? Number(number) : Number(number) * 1000;
}
