import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { LEASES } from '#shared/kube/core-resources.ts';
import { apiVersionOf } from '#shared/kube/resource.ts';

/** A Lease as it was read. */
export interface Lease {
  /** Empty: released. */
  readonly holder: string;
  readonly durationMs: number;
  /** As written by the holder; only ever compared with itself: clocks of replicas differ. */
  readonly renewTime: string;
  readonly acquireTime: string;
  readonly transitions: number;
  readonly resourceVersion: string;
}

/** The last change of a lease that was seen, and when, by our own clock. */
export interface LeaseObservation {
  readonly lease: Lease;
  readonly seenMs: number;
}

/** How long a killed leader's work waits. What a leader does may be done twice, so a lease that is lost under load costs little. */
const LEASE_MS = 6_000;
const DEFAULT_DURATION_S = 15;
/** Longer than any replica asks for: what somebody else has written does not keep the mesh without a leader for a day. */
const MAX_LEASE_MS = 60_000;

export function readLease(object: JsonObject): Lease {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const spec = isJsonObject(object['spec']) ? object['spec'] : {};
  const text = (from: JsonObject, field: string): string => {
    const value = from[field];
    return typeof value === 'string' ? value : '';
  };
  const number = (field: string, fallback: number): number => {
    const value = spec[field];
    return typeof value === 'number' && value >= 0 ? value : fallback;
  };
  return {
    holder: text(spec, 'holderIdentity'),
    durationMs: Math.min(number('leaseDurationSeconds', DEFAULT_DURATION_S) * 1000, MAX_LEASE_MS),
    renewTime: text(spec, 'renewTime'),
    acquireTime: text(spec, 'acquireTime'),
    transitions: number('leaseTransitions', 0),
    resourceVersion: text(metadata, 'resourceVersion'),
  };
}

/** Keeps the time of an observation while nothing has changed. */
export function observe(before: LeaseObservation | undefined, lease: Lease, nowMs: number): LeaseObservation {
  const isSame = before?.lease.resourceVersion === lease.resourceVersion;
  return { lease, seenMs: isSame ? before.seenMs : nowMs };
}

/** Whether `me` may take the lease, or go on holding it: it is its own, released, or not renewed for as long as it lasts. */
export function mayTake({ lease, seenMs }: LeaseObservation, me: string, nowMs: number): boolean {
  return lease.holder === me || lease.holder === '' || nowMs - seenMs >= lease.durationMs;
}

/** The object that says that `holder` has it now; empty releases it. `before` undefined: there is no lease yet. */
export function leaseObject(
  id: { readonly namespace: string; readonly name: string },
  holder: string,
  before: Lease | undefined,
  wallMs: number,
): JsonObject {
  const now = microTime(wallMs);
  const isNew = before === undefined || before.holder !== holder;
  return {
    apiVersion: apiVersionOf(LEASES),
    kind: LEASES.kind,
    metadata: { ...id, ...(before && { resourceVersion: before.resourceVersion }) },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: holder === '' ? 1 : LEASE_MS / 1000,
      renewTime: now,
      acquireTime: isNew ? now : before.acquireTime || now,
      leaseTransitions: (before?.transitions ?? 0) + (isNew && holder !== '' && before !== undefined ? 1 : 0),
    },
  };
}

/** Kubernetes' MicroTime has six digits. */
function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
