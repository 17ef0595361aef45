import type { HashSource, LoadBalancer, SlowStart } from '#shared/route/traffic-policy.ts';
import type { Fields } from '../decode.ts';
import { headerName } from '../http-headers.ts';
import { readLoadReports } from './load-reports.ts';
import { readLocality, readZoneAware } from './locality.ts';
import type { Balancing } from './policy-parts.ts';

const SIMPLE = [
  'UNSPECIFIED',
  'LEAST_CONN',
  'LEAST_REQUEST',
  'ROUND_ROBIN',
  'RANDOM',
  'PASSTHROUGH',
] as const;

export function readBalancing(fields: Fields): Balancing {
  const loadBalancer = readBalancer(fields);
  const slowStart = readSlowStart(fields);
  const warms = loadBalancer === undefined || ['least_request', 'round_robin'].includes(loadBalancer.kind);
  if (slowStart !== undefined && !warms)
    fields.ignore('warmup', 'has no effect with this load balancer', 'use LEAST_REQUEST or ROUND_ROBIN');
  return { loadBalancer, slowStart, locality: readLocalities(fields) };
}

function readBalancer(fields: Fields): LoadBalancer | undefined {
  const simple = readSimple(fields);
  const hashed = fields.object('consistentHash', readConsistentHash);
  const reported = fields.object('backendUtilization', readLoadReports);
  const [kept, ...others] = ['consistentHash', 'backendUtilization', 'simple'].filter(key => fields.has(key));
  if (kept !== undefined && others.length > 0)
    fields.reject(others.at(-1) ?? '', `cannot be together with ${kept}`, 'keep the one you mean');
  return hashed ?? reported ?? simple;
}

function readLocalities(fields: Fields): Balancing['locality'] {
  const byLocality = fields.object('localityLbSetting', readLocality);
  const byZone = fields.object('zoneAwareLbSetting', readZoneAware);
  if (fields.has('localityLbSetting') && fields.has('zoneAwareLbSetting'))
    fields.reject('zoneAwareLbSetting', 'cannot be together with localityLbSetting', 'keep the one you mean');
  return byLocality ?? byZone;
}

function readSimple(fields: Fields): LoadBalancer | undefined {
  switch (fields.oneOf('simple', SIMPLE)) {
    case 'LEAST_CONN':
    case 'LEAST_REQUEST':
      return { kind: 'least_request', choices: undefined };
    case 'ROUND_ROBIN':
      return { kind: 'round_robin' };
    case 'RANDOM':
      return { kind: 'random' };
    case 'PASSTHROUGH':
      fields.ignore(
        'simple',
        'balances at random: a waypoint has no original address to pass to',
        'use LEAST_REQUEST',
      );
      return { kind: 'passthrough' };
    case 'UNSPECIFIED':
    case undefined:
      return undefined;
  }
}

const DEFAULT_RING_SIZE = 1024;
const DEFAULT_TABLE_SIZE = 65_537;
/** Envoy's bounds. */
const MAX_RING_SIZE = 8 * 1024 * 1024;
const MAX_TABLE_SIZE = 5_000_011;

function readConsistentHash(fields: Fields): LoadBalancer {
  const hash = readHashSources(fields);
  const older = fields.integer('minimumRingSize', 1, MAX_RING_SIZE);
  const ring = fields.object('ringHash', of => of.integer('minimumRingSize', 1, MAX_RING_SIZE));
  const table = fields.object('maglev', readTableSize);
  if (table === undefined)
    return {
      kind: 'ring_hash',
      minRingSize: ring ?? older ?? DEFAULT_RING_SIZE,
      maxRingSize: undefined,
      hash,
    };
  if (fields.has('ringHash') || fields.has('minimumRingSize'))
    fields.reject('maglev', 'cannot be together with ringHash', 'keep the one you mean');
  return { kind: 'maglev', tableSize: table, hash };
}

function readTableSize(fields: Fields): number {
  const size = fields.integer('tableSize', 2, MAX_TABLE_SIZE) ?? DEFAULT_TABLE_SIZE;
  if (!isPrime(size)) fields.reject('tableSize', 'is no prime', 'use a prime such as 65537');
  return size;
}

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return true;
}

function readHashSources(fields: Fields): readonly HashSource[] {
  const header = fields.string('httpHeaderName');
  const query = fields.string('httpQueryParameterName');
  const cookie = fields.object('httpCookie', readCookie);
  const sources: HashSource[] = [];
  if (header !== undefined)
    sources.push({ kind: 'header', terminal: false, name: headerName(fields, 'httpHeaderName', header) });
  if (cookie !== undefined) sources.push(cookie);
  if (query !== undefined) sources.push({ kind: 'query', terminal: false, name: query });
  if (fields.boolean('useSourceIp') === true) sources.push({ kind: 'source_ip', terminal: false });
  if (sources.length !== 1 && !fields.has('httpCookie')) {
    fields.reject(
      'httpHeaderName',
      'is required, or httpCookie, httpQueryParameterName or useSourceIp, and only one of them',
      'keep the one you mean',
    );
  }
  return sources;
}

function readCookie(fields: Fields): HashSource {
  const attributes = fields.objects('attributes', attribute => ({
    name: attribute.requiredString('name'),
    value: attribute.string('value') ?? '',
  }));
  const name = fields.requiredString('name');
  const cookie = { name, path: fields.string('path'), ttlMs: fields.durationMs('ttl', '1h'), attributes };
  return { kind: 'cookie', terminal: false, cookie };
}

/** Istio's defaults. */
const MIN_WEIGHT_PERCENT = 10;

function readSlowStart(fields: Fields): SlowStart | undefined {
  const older = fields.durationMs('warmupDurationSecs', '60s');
  const warmup = fields.object('warmup', readWarmup);
  if (warmup !== undefined || older === undefined || older === 0) return warmup;
  return { windowMs: older, aggression: 1, minWeightPercent: MIN_WEIGHT_PERCENT };
}

function readWarmup(fields: Fields): SlowStart {
  const windowMs = fields.durationMs('duration', '60s');
  if (windowMs === undefined && !fields.has('duration'))
    fields.reject('duration', 'is required', 'set the time an endpoint takes to warm up, such as 60s');
  return {
    windowMs: windowMs ?? 0,
    aggression: fields.number('aggression', 1, 1000) ?? 1,
    minWeightPercent: fields.number('minimumPercent', 0, 100) ?? MIN_WEIGHT_PERCENT,
  };
}
