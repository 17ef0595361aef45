import type { GlobalRateLimit, LocalRateLimit, RateLimitEntry, TokenBucket } from '../route/route-filter.ts';
import {
  InvalidField,
  readEach,
  readEnum,
  readFlag,
  readIfSet,
  readMessage,
  readMillis,
  readName,
  readOptionalText,
  readPort,
  readStatus,
  readTexts,
  readWithin,
  type WireFields,
  within,
} from './wire-fields.ts';

/** `ambient.mesh.v1.LocalRateLimit` and `ambient.mesh.v1.GlobalRateLimit` ↔ the model's. */

const ENTRY_KINDS = [
  'generic',
  'header',
  'source_ip',
  'source_identity',
  'service',
  'method',
  'path',
] as const;

/** @throws InvalidField */
export function localLimitFromWire(wire: WireFields): LocalRateLimit {
  return {
    total: readIfSet(wire, 'total', bucketFromWire),
    identity: readIfSet(wire, 'identity', bucketFromWire),
    overrides: readEach(wire, 'overrides', override => {
      const bucket = readMessage(override, 'bucket') ?? {};
      return {
        identities: readTexts(override, 'identities'),
        bucket: within('bucket', () => bucketFromWire(bucket)),
      };
    }),
    status: readStatus(wire, 'status'),
    sharedAs: readOptionalText(wire, 'shared_as'),
  };
}

export function localLimitToWire(limit: LocalRateLimit): object {
  return {
    total: limit.total && bucketToWire(limit.total),
    identity: limit.identity && bucketToWire(limit.identity),
    overrides: limit.overrides.map(({ identities, bucket }) => ({
      identities,
      bucket: bucketToWire(bucket),
    })),
    status: limit.status,
    shared_as: limit.sharedAs,
  };
}

function bucketFromWire(wire: WireFields): TokenBucket {
  const fillIntervalMs = readMillis(wire, 'fill_interval_ms');
  if (fillIntervalMs === 0)
    throw new InvalidField('fill_interval_ms', 'is 0; a bucket is filled at intervals');
  return {
    maxTokens: readWithin(wire, 'max_tokens', 0, 0xffff_ffff),
    tokensPerFill: readWithin(wire, 'tokens_per_fill', 0, 0xffff_ffff),
    fillIntervalMs,
  };
}

function bucketToWire(bucket: TokenBucket): object {
  return {
    max_tokens: bucket.maxTokens,
    tokens_per_fill: bucket.tokensPerFill,
    fill_interval_ms: bucket.fillIntervalMs,
  };
}

/** @throws InvalidField */
export function globalLimitFromWire(wire: WireFields): GlobalRateLimit {
  return {
    service: readName(wire, 'service'),
    port: readPort(wire, 'port', 1),
    domain: readName(wire, 'domain'),
    descriptors: readEach(wire, 'descriptors', descriptor => readEach(descriptor, 'entries', entryFromWire)),
    timeoutMs: readMillis(wire, 'timeout_ms'),
    failOpen: readFlag(wire, 'fail_open'),
  };
}

export function globalLimitToWire(limit: GlobalRateLimit): object {
  return {
    service: limit.service,
    port: limit.port,
    domain: limit.domain,
    descriptors: limit.descriptors.map(entries => ({ entries: entries.map(entryToWire) })),
    timeout_ms: limit.timeoutMs,
    fail_open: limit.failOpen,
  };
}

function entryFromWire(wire: WireFields): RateLimitEntry {
  const kind = readEnum(wire, 'kind', ENTRY_KINDS);
  switch (kind) {
    case 'generic':
      return { kind, key: readName(wire, 'key'), value: readName(wire, 'value') };
    case 'header':
      return { kind, key: readName(wire, 'key'), header: readName(wire, 'value') };
    default:
      return { kind };
  }
}

function entryToWire(entry: RateLimitEntry): object {
  const kind = ENTRY_KINDS.indexOf(entry.kind);
  switch (entry.kind) {
    case 'generic':
      return { kind, key: entry.key, value: entry.value };
    case 'header':
      return { kind, key: entry.key, value: entry.header };
    default:
      return { kind };
  }
}
