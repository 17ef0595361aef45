import type { ConnectionPool, HashSource, LoadBalancer } from '#shared/route/traffic-policy.ts';
import { DEFAULT_POOL } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { headerName } from '../http-headers.ts';
import type { SubsetRule } from '../destination-rule/destination-rule.ts';
import { NO_PARTS, type LeveledParts, type LocalityRule } from '../destination-rule/policy-parts.ts';
import { parseSubsetFilter } from './subset-filter.ts';
import { readFallback, readReference, type ServiceReference } from './reference.ts';

/** Consul ServiceResolver: the endpoints of the service of its name, in subsets, and who takes over. */
export interface ServiceResolver {
  readonly subsets: readonly SubsetRule[];
  /** Where requests go that name no subset. */
  readonly defaultSubset: string | undefined;
  /** Everything for this service goes there instead. */
  readonly redirect: ServiceReference | undefined;
  /** By subset, `*` for the others. */
  readonly failover: ReadonlyMap<string, readonly ServiceReference[]>;
  readonly requestTimeoutMs: number | undefined;
  readonly parts: LeveledParts;
}

const NOTHING: ServiceResolver = {
  subsets: [],
  defaultSubset: undefined,
  redirect: undefined,
  failover: new Map(),
  requestTimeoutMs: undefined,
  parts: { ...NO_PARTS, ports: [] },
};

export function translateServiceResolver(object: KubeObject): Translated<ServiceResolver> {
  const diagnostics = new Diagnostics(object);
  const read = readSpec(object, diagnostics, spec => readResolver(spec, object.metadata.namespace));
  return diagnostics.conclude(read ?? NOTHING);
}

function readResolver(spec: Fields, namespace: string): ServiceResolver {
  const subsets = spec.object('subsets', map => map.keys().map(name => readSubset(map, name))) ?? [];
  const defaultSubset = spec.string('defaultSubset');
  const isKnown = (name: string): boolean => name === '*' || subsets.some(subset => subset?.name === name);
  if (defaultSubset !== undefined && !isKnown(defaultSubset))
    spec.reject('defaultSubset', 'is none of the subsets', 'define it, or correct the name');
  const redirect = spec.object('redirect', fields => readReference(fields, namespace));
  const failover: ServiceResolver['failover'] =
    spec.object('failover', map => readFailover(map, namespace)) ?? new Map();
  for (const name of failover.keys())
    if (!isKnown(name)) spec.reject('failover', `"${name}" is none of the subsets`, 'define it, or use "*"');
  if (redirect !== undefined && (subsets.length > 0 || failover.size > 0))
    spec.reject('redirect', 'cannot be together with subsets or failover', 'set those where it leads');
  const locality = spec.object('prioritizeByLocality', readPriority);
  const connectTimeoutMs = spec.durationMs('connectTimeout', '5s') || undefined;
  const pool: ConnectionPool | undefined =
    connectTimeoutMs === undefined ? undefined : { ...DEFAULT_POOL, connectTimeoutMs };
  const loadBalancer = spec.object('loadBalancer', readLoadBalancer);
  const isBalanced = loadBalancer !== undefined || locality !== undefined;
  const balancing = isBalanced ? { loadBalancer, slowStart: undefined, locality } : undefined;
  return {
    subsets: subsets.filter(subset => subset !== undefined),
    defaultSubset,
    redirect,
    failover,
    requestTimeoutMs: spec.durationMs('requestTimeout', '15s') || undefined,
    parts: { ...NO_PARTS, pool, balancing, ports: [] },
  };
}

/** The own zone first, then the own region, then all others. */
const BY_LOCALITY: LocalityRule = {
  enabled: true,
  distribute: [],
  failover: [],
  failoverPriority: [{ kind: 'region' }, { kind: 'zone' }],
  zoneAware: undefined,
};

function readPriority(fields: Fields): LocalityRule {
  const mode = fields.oneOf('mode', ['', 'failover', 'none']);
  return mode === 'none' ? { ...BY_LOCALITY, enabled: false, failoverPriority: [] } : BY_LOCALITY;
}

function readSubset(map: Fields, name: string): SubsetRule | undefined {
  return map.object(name, fields => {
    const filter = fields.string('filter') ?? '';
    const labels = parseSubsetFilter(filter);
    if (typeof labels === 'string')
      fields.reject('filter', labels, 'compare Service.Meta values, such as Service.Meta.version == v1');
    fields.boolean('onlyPassing');
    return { name, labels: typeof labels === 'string' ? new Map() : labels, trafficPolicy: undefined };
  });
}

function readFailover(map: Fields, namespace: string): ReadonlyMap<string, readonly ServiceReference[]> {
  const found = new Map<string, readonly ServiceReference[]>();
  for (const name of map.keys()) {
    const targets = map.object(name, fields => {
      fields.unsupported('policy', 'remove it; targets are tried in order');
      const several = fields.objects('targets', target => readFallback(target, namespace));
      const hasOne = fields.has('service') || fields.has('serviceSubset');
      const one = readFallback(fields, namespace);
      return (hasOne ? [one, ...several] : several).filter(target => target !== undefined);
    });
    if (targets !== undefined && targets.length > 0) found.set(name, targets);
  }
  return found;
}

const POLICIES = ['', 'random', 'round_robin', 'least_request', 'ring_hash', 'maglev'] as const;
const DEFAULT_RING_SIZE = 1024;
const DEFAULT_TABLE_SIZE = 65_537;
const MAX_RING_SIZE = 8 * 1024 * 1024;
/** More than these are no choice but a search. */
const MAX_CHOICES = 100;

function readLoadBalancer(fields: Fields): LoadBalancer | undefined {
  const policy = fields.oneOf('policy', POLICIES);
  const hash = fields.objects('hashPolicies', readHashPolicy).filter(source => source !== undefined);
  const choices = fields.object('leastRequestConfig', config =>
    config.integer('choiceCount', 0, MAX_CHOICES),
  );
  const ring = fields.object('ringHashConfig', readRingSizes);
  if (hash.length > 0 && policy !== 'ring_hash' && policy !== 'maglev')
    fields.reject('hashPolicies', 'goes with ring_hash and maglev', 'change the policy, or remove them');
  switch (policy) {
    case 'ring_hash':
      return {
        kind: 'ring_hash',
        minRingSize: ring?.minRingSize ?? DEFAULT_RING_SIZE,
        maxRingSize: ring?.maxRingSize,
        hash,
      };
    case 'maglev':
      return { kind: 'maglev', tableSize: DEFAULT_TABLE_SIZE, hash };
    case 'least_request':
      return { kind: policy, choices: choices === undefined ? undefined : Math.max(2, choices) };
    case '':
    case undefined:
      return undefined;
    default:
      return { kind: policy };
  }
}

function readRingSizes(fields: Fields): {
  readonly minRingSize: number;
  readonly maxRingSize: number | undefined;
} {
  const minRingSize = fields.integer('minimumRingSize', 0, MAX_RING_SIZE) || DEFAULT_RING_SIZE;
  const maxRingSize = fields.integer('maximumRingSize', 0, MAX_RING_SIZE) || undefined;
  if (maxRingSize !== undefined && maxRingSize < minRingSize)
    fields.reject(
      'maximumRingSize',
      `is less than the least, ${minRingSize}`,
      'raise it, or lower minimumRingSize',
    );
  return { minRingSize, maxRingSize };
}

function readHashPolicy(fields: Fields): HashSource | undefined {
  const terminal = fields.boolean('terminal') ?? false;
  const sourceIp = fields.boolean('sourceIP') ?? false;
  const field = fields.oneOf('field', ['header', 'cookie', 'query_parameter']);
  const name = fields.string('fieldValue') ?? '';
  const config = fields.object('cookieConfig', cookie => ({
    path: cookie.string('path'),
    ttlMs: cookie.boolean('session') === true ? 0 : cookie.durationMs('ttl', '1h'),
  }));
  if (sourceIp === (field !== undefined))
    fields.reject('field', 'is required, or sourceIP, and only one of them', 'keep the one you mean');
  if (sourceIp) return { kind: 'source_ip', terminal };
  if (field !== undefined && name === '') fields.reject('fieldValue', 'is required', 'name what is hashed');
  switch (field) {
    case 'header':
      return { kind: 'header', terminal, name: headerName(fields, 'fieldValue', name) };
    case 'query_parameter':
      return { kind: 'query', terminal, name };
    case 'cookie':
      return {
        kind: 'cookie',
        terminal,
        cookie: { name, path: config?.path, ttlMs: config?.ttlMs, attributes: [] },
      };
    case undefined:
      return undefined;
  }
}
