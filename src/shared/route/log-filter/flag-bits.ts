import { RESPONSE_FLAGS, type ResponseFlag } from '../../observability/response-flags.ts';

/** Positions of Envoy's CoreResponseFlag: `response.flags` is a bit vector of them. */
const POSITIONS: Readonly<Record<Exclude<ResponseFlag, '-'>, number>> = {
  [RESPONSE_FLAGS.noHealthyUpstream]: 1,
  [RESPONSE_FLAGS.upstreamRequestTimeout]: 2,
  [RESPONSE_FLAGS.upstreamReset]: 4,
  [RESPONSE_FLAGS.upstreamConnectionFailure]: 5,
  [RESPONSE_FLAGS.upstreamConnectionTermination]: 6,
  [RESPONSE_FLAGS.upstreamOverflow]: 7,
  [RESPONSE_FLAGS.noRouteFound]: 8,
  [RESPONSE_FLAGS.faultDelay]: 9,
  [RESPONSE_FLAGS.faultAbort]: 10,
  [RESPONSE_FLAGS.rateLimited]: 11,
  [RESPONSE_FLAGS.unauthorized]: 12,
  [RESPONSE_FLAGS.rateLimitServiceError]: 13,
  [RESPONSE_FLAGS.downstreamConnectionTermination]: 14,
  [RESPONSE_FLAGS.upstreamRetryLimitExceeded]: 15,
  [RESPONSE_FLAGS.idleTimeout]: 16,
  [RESPONSE_FLAGS.downstreamProtocolError]: 18,
  [RESPONSE_FLAGS.durationTimeout]: 22,
  [RESPONSE_FLAGS.upstreamProtocolError]: 23,
  [RESPONSE_FLAGS.noClusterFound]: 24,
  [RESPONSE_FLAGS.overloadManager]: 25,
  [RESPONSE_FLAGS.dnsResolutionFailure]: 26,
};

const BITS: ReadonlyMap<string, number> = new Map(
  Object.entries(POSITIONS).map(([flag, position]) => [flag, 2 ** position]),
);

/** @param flags as in the log: `UF,URX`, or `-` */
export function flagBits(flags: string): number {
  if (flags === RESPONSE_FLAGS.none) return 0;
  let bits = 0;
  for (const flag of flags.split(',')) bits |= BITS.get(flag) ?? 0;
  return bits;
}
