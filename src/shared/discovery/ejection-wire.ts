import type { FailureAccrual, OutlierDetection } from '../route/traffic-policy.ts';
import {
  readFlag,
  readIfSet,
  readMillis,
  readNumber,
  readNumbers,
  readPercent,
  readWithin,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.OutlierDetection` and `ambient.mesh.v1.FailureAccrual` ↔ the model's. */

/** @throws InvalidField */
export function outlierFromWire(wire: WireFields): OutlierDetection {
  return {
    consecutive5xx: readNumber(wire, 'consecutive_5xx'),
    consecutiveGatewayErrors: readNumber(wire, 'consecutive_gateway_errors'),
    splitExternalLocalOriginErrors: readFlag(wire, 'split_external_local_origin_errors'),
    consecutiveLocalOriginFailures: readNumber(wire, 'consecutive_local_origin_failures'),
    errorStatusCodes: readNumbers(wire, 'error_status_codes'),
    failurePercent: readIfSet(wire, 'failure_percentage', found => readPercent(found, 'threshold')),
    intervalMs: readMillis(wire, 'interval_ms'),
    baseEjectionMs: readMillis(wire, 'base_ejection_ms'),
    maxEjectionPercent: readPercent(wire, 'max_ejection_percent'),
    minHealthPercent: readPercent(wire, 'min_health_percent'),
  };
}

export function outlierToWire(outlier: OutlierDetection): object {
  return {
    consecutive_5xx: outlier.consecutive5xx,
    consecutive_gateway_errors: outlier.consecutiveGatewayErrors,
    split_external_local_origin_errors: outlier.splitExternalLocalOriginErrors,
    consecutive_local_origin_failures: outlier.consecutiveLocalOriginFailures,
    error_status_codes: outlier.errorStatusCodes,
    failure_percentage:
      outlier.failurePercent === undefined ? undefined : { threshold: outlier.failurePercent },
    interval_ms: outlier.intervalMs,
    base_ejection_ms: outlier.baseEjectionMs,
    max_ejection_percent: outlier.maxEjectionPercent,
    min_health_percent: outlier.minHealthPercent,
  };
}

/** @throws InvalidField */
export function accrualFromWire(wire: WireFields): FailureAccrual {
  return {
    consecutiveFailures: readNumber(wire, 'consecutive_failures'),
    successRate: readIfSet(wire, 'success_rate', found => ({
      threshold: readWithin(found, 'threshold', 0, 1),
      windowMs: readMillis(found, 'window_ms'),
      minRequests: readNumber(found, 'min_requests'),
    })),
    minPenaltyMs: readMillis(wire, 'min_penalty_ms'),
    maxPenaltyMs: readMillis(wire, 'max_penalty_ms'),
    jitter: readWithin(wire, 'jitter', 0, 100),
  };
}

export function accrualToWire(accrual: FailureAccrual): object {
  const { successRate } = accrual;
  const rate = successRate && {
    threshold: successRate.threshold,
    window_ms: successRate.windowMs,
    min_requests: successRate.minRequests,
  };
  return {
    consecutive_failures: accrual.consecutiveFailures,
    ...(rate === undefined ? {} : { success_rate: rate }),
    min_penalty_ms: accrual.minPenaltyMs,
    max_penalty_ms: accrual.maxPenaltyMs,
    jitter: accrual.jitter,
  };
}
