import type { CorsPolicy, Fault, FaultAbort } from '../route/route-filter.ts';
import { checkRegex } from './match-wire.ts';
import {
  InvalidField,
  readEach,
  readEnum,
  readFlag,
  readIfSet,
  readMillis,
  readOptionalMillis,
  readOptionalNumber,
  readPercent,
  readStatus,
  readText,
  readTexts,
  readWithin,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.Fault` and `ambient.mesh.v1.CorsPolicy` ↔ the model's. */

const ORIGIN_KINDS = ['exact', 'prefix', 'regex', 'wildcard'] as const;
const UNMATCHED = ['forward', 'answer'] as const;
/** Of gRPC; its last status is UNAUTHENTICATED. */
const MAX_GRPC_STATUS = 16;

/** @throws InvalidField */
export function faultFromWire(wire: WireFields): Fault {
  return {
    delay: readIfSet(wire, 'delay', delay => ({
      percent: readPercent(delay, 'percent'),
      fixedMs: readMillis(delay, 'fixed_ms'),
    })),
    abort: readIfSet(wire, 'abort', abort => ({
      percent: readPercent(abort, 'percent'),
      with: abortFromWire(abort),
    })),
  };
}

function abortFromWire(wire: WireFields): FaultAbort {
  if (readOptionalNumber(wire, 'http_status') !== undefined)
    return { kind: 'http_status', status: readStatus(wire, 'http_status') };
  if (readOptionalNumber(wire, 'grpc_status') !== undefined)
    return { kind: 'grpc_status', status: readWithin(wire, 'grpc_status', 0, MAX_GRPC_STATUS) };
  throw new InvalidField('with', 'is of no known kind');
}

export function faultToWire(fault: Fault): object {
  const { delay, abort } = fault;
  return {
    delay: delay && { percent: delay.percent, fixed_ms: delay.fixedMs },
    abort: abort && { percent: abort.percent, [abort.with.kind]: abort.with.status },
  };
}

/** @throws InvalidField */
export function corsFromWire(wire: WireFields): CorsPolicy {
  return {
    allowOrigins: readEach(wire, 'allow_origins', origin => {
      const kind = readEnum(origin, 'kind', ORIGIN_KINDS);
      const value = readText(origin, 'value');
      if (kind === 'regex') checkRegex(value, 'value');
      return { kind, value };
    }),
    allowMethods: readTexts(wire, 'allow_methods'),
    allowHeaders: readTexts(wire, 'allow_headers'),
    exposeHeaders: readTexts(wire, 'expose_headers'),
    maxAgeMs: readOptionalMillis(wire, 'max_age_ms'),
    allowCredentials: readFlag(wire, 'allow_credentials'),
    unmatchedPreflights: readEnum(wire, 'unmatched_preflights', UNMATCHED),
  };
}

export function corsToWire(cors: CorsPolicy): object {
  return {
    allow_origins: cors.allowOrigins.map(({ kind, value }) => ({ kind: ORIGIN_KINDS.indexOf(kind), value })),
    allow_methods: cors.allowMethods,
    allow_headers: cors.allowHeaders,
    expose_headers: cors.exposeHeaders,
    max_age_ms: cors.maxAgeMs,
    allow_credentials: cors.allowCredentials,
    unmatched_preflights: UNMATCHED.indexOf(cors.unmatchedPreflights),
  };
}
