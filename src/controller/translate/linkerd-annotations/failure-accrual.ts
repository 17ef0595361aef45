import type { FailureAccrual, SuccessRate } from '#shared/route/traffic-policy.ts';
import type { AnnotationReader } from './annotation-reader.ts';

const ACCRUAL = 'balancer.linkerd.io/failure-accrual';
const CONSECUTIVE = `${ACCRUAL}-consecutive`;
const SUCCESS_RATE = 'balancer.alpha.linkerd.io/failure-accrual-success-rate';
const RATE_KEYS = ['threshold', 'window', 'min-requests'].map(name => `${SUCCESS_RATE}-${name}`);

/** Linkerd's bounds. */
const MAX_FAILURES = 2 ** 32 - 1;
const MAX_REQUESTS = 1_000_000;
const MAX_JITTER = 100;
const MIN_WINDOW_MS = 10;

/** Failure accrual as the annotations of a Service ask for it, with Linkerd's defaults. @param kind of the annotated object */
export function readAccrual(reader: AnnotationReader, kind: string): FailureAccrual | undefined {
  const mode = reader.text(ACCRUAL);
  if (mode !== undefined && kind !== 'Service' && kind !== 'ServiceEntry')
    return reader.refuse(ACCRUAL, `has no effect on a ${kind}`, 'annotate the Service');
  const consecutiveFailures = reader.integer(`${CONSECUTIVE}-max-failures`, 0, MAX_FAILURES) ?? 7;
  const penalty = readPenalty(reader);
  const rate = readRate(reader);
  if (mode !== 'unified') refuseRate(reader);
  if (penalty === undefined) return undefined;
  switch (mode) {
    case undefined:
      return undefined;
    case 'consecutive':
      return { consecutiveFailures, successRate: undefined, ...penalty };
    case 'unified':
      return { consecutiveFailures, successRate: rate, ...penalty };
    default:
      return reader.refuse(ACCRUAL, 'is no mode of failure accrual', 'use consecutive or unified');
  }
}

type Penalty = Pick<FailureAccrual, 'minPenaltyMs' | 'maxPenaltyMs' | 'jitter'>;

function readPenalty(reader: AnnotationReader): Penalty | undefined {
  const minPenaltyMs = reader.durationMs(`${CONSECUTIVE}-min-penalty`) ?? 1000;
  const maxPenaltyMs = reader.durationMs(`${CONSECUTIVE}-max-penalty`) ?? 60_000;
  const jitter = reader.number(`${CONSECUTIVE}-jitter-ratio`, 0, MAX_JITTER) ?? 0.5;
  if (maxPenaltyMs === 0)
    return reader.refuse(`${CONSECUTIVE}-max-penalty`, 'must be longer than 0', 'write such as 1m');
  if (minPenaltyMs > maxPenaltyMs)
    return reader.refuse(`${CONSECUTIVE}-min-penalty`, 'is longer than the longest', 'shorten it');
  return { minPenaltyMs, maxPenaltyMs, jitter };
}

/** A threshold of 0 is off. */
function readRate(reader: AnnotationReader): SuccessRate | undefined {
  const [thresholdKey = '', windowKey = '', requestsKey = ''] = RATE_KEYS;
  const threshold = reader.number(thresholdKey, 0, 1) ?? 0.8;
  const windowMs = reader.durationMs(windowKey) ?? 10_000;
  const minRequests = reader.integer(requestsKey, 0, MAX_REQUESTS) ?? 5;
  if (threshold === 0) return undefined;
  if (windowMs >= MIN_WINDOW_MS) return { threshold, windowMs, minRequests };
  return reader.refuse(windowKey, `must be ${MIN_WINDOW_MS} ms at least`, 'write such as 10s');
}

function refuseRate(reader: AnnotationReader): void {
  for (const key of RATE_KEYS) {
    if (reader.text(key) !== undefined)
      reader.refuse(key, 'has no effect without the mode unified', `set ${ACCRUAL} to unified`);
  }
}
