import type { OutlierDetection } from '#shared/route/traffic-policy.ts';
import type { Fields } from '../decode.ts';

const MAX_COUNT = 2 ** 31 - 1;

/** Istio's defaults, which are Envoy's but for the gateway errors, which are off. */
export function readOutlierDetection(fields: Fields): OutlierDetection {
  fields.refused('consecutiveErrors', 'use consecutiveGatewayErrors or consecutive5xxErrors');
  const split = fields.boolean('splitExternalLocalOriginErrors') ?? false;
  const localOrigin = fields.integer('consecutiveLocalOriginFailures', 0, MAX_COUNT);
  if (localOrigin !== undefined && !split) {
    fields.ignore(
      'consecutiveLocalOriginFailures',
      'has no effect without splitExternalLocalOriginErrors',
      'set that to true, or remove this',
    );
  }
  return {
    consecutive5xx: fields.integer('consecutive5xxErrors', 0, MAX_COUNT) ?? 5,
    consecutiveGatewayErrors: fields.integer('consecutiveGatewayErrors', 0, MAX_COUNT) ?? 0,
    splitExternalLocalOriginErrors: split,
    consecutiveLocalOriginFailures: localOrigin ?? 5,
    errorStatusCodes: readStatusCodes(fields),
    failurePercent: fields.integer('failurePercentageThreshold', 0, 100),
    intervalMs: positive(fields, 'interval', '10s') ?? 10_000,
    baseEjectionMs: positive(fields, 'baseEjectionTime', '30s') ?? 30_000,
    maxEjectionPercent: fields.integer('maxEjectionPercent', 0, 100) ?? 10,
    minHealthPercent: fields.integer('minHealthPercent', 0, 100) ?? 0,
  };
}

function positive(fields: Fields, key: string, example: string): number | undefined {
  const ms = fields.durationMs(key, example);
  if (ms !== undefined && ms < 1)
    fields.reject(key, 'must be 1ms at least', `write a time such as ${example}`);
  return ms;
}

function readStatusCodes(fields: Fields): readonly number[] {
  if (!fields.has('outlierDetectionHttpErrorCodes')) return [];
  const value = fields.raw('outlierDetectionHttpErrorCodes');
  const codes = Array.isArray(value) ? value.filter(isStatus) : [];
  if (!Array.isArray(value) || codes.length < value.length)
    fields.reject(
      'outlierDetectionHttpErrorCodes',
      'must be a list of status codes',
      'write numbers, such as [429]',
    );
  return codes;
}

function isStatus(code: unknown): code is number {
  return typeof code === 'number' && Number.isInteger(code) && code >= 100 && code <= 599;
}
