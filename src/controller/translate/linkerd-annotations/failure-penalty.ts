import type { FailurePenalty } from '#shared/route/traffic-policy.ts';
import type { AnnotationReader } from './annotation-reader.ts';

export const PENALIZE_FAILURES = 'balancer.alpha.linkerd.io/penalize-failures';
const PENALTY = 'balancer.alpha.linkerd.io/load-biaser-penalty';
const MAX_RETRY_AFTER = 'balancer.alpha.linkerd.io/load-biaser-max-retry-after';
/** Linkerd reads it, and its proxy makes nothing of it. */
const HONOR_RETRY_AFTER = 'balancer.alpha.linkerd.io/failure-accrual-honor-retry-after';

/** Linkerd's. */
const DEFAULT_PENALTY_MS = 5_000;
const DEFAULT_MAX_RETRY_AFTER_MS = 300_000;
const MAX_MS = 2 ** 32 - 1;

/** Linkerd's load biaser as the annotations of a Service ask for it. @param kind of the annotated object */
export function readFailurePenalty(reader: AnnotationReader, kind: string): FailurePenalty | undefined {
  if (reader.text(HONOR_RETRY_AFTER) !== undefined)
    reader.refuse(
      HONOR_RETRY_AFTER,
      'has no effect, as with Linkerd: failure accrual goes by no hint',
      `remove it, or set ${PENALIZE_FAILURES}`,
    );
  const isOn = reader.flag(PENALIZE_FAILURES) === true;
  const penaltyMs = readMs(reader, PENALTY);
  const maxRetryAfterMs = readMs(reader, MAX_RETRY_AFTER);
  if (kind !== 'Service' && kind !== 'ServiceEntry') return refuseAll(reader, kind);
  if (isOn)
    return {
      penaltyMs: penaltyMs ?? DEFAULT_PENALTY_MS,
      maxRetryAfterMs: maxRetryAfterMs ?? DEFAULT_MAX_RETRY_AFTER_MS,
    };
  if (penaltyMs !== undefined) refuseWithout(reader, PENALTY);
  if (maxRetryAfterMs !== undefined) refuseWithout(reader, MAX_RETRY_AFTER);
  return undefined;
}

function readMs(reader: AnnotationReader, key: string): number | undefined {
  const ms = reader.durationMs(key);
  if (ms === undefined || ms <= MAX_MS) return ms;
  return reader.refuse(key, 'is too long and has no effect', 'write 49 days or less');
}

function refuseAll(reader: AnnotationReader, kind: string): undefined {
  for (const key of [PENALIZE_FAILURES, PENALTY, MAX_RETRY_AFTER])
    if (reader.text(key) !== undefined)
      reader.refuse(key, `has no effect on a ${kind}`, 'annotate the Service');
  return undefined;
}

function refuseWithout(reader: AnnotationReader, key: string): void {
  reader.refuse(key, `has no effect without ${PENALIZE_FAILURES}`, `set ${PENALIZE_FAILURES} to "true"`);
}
