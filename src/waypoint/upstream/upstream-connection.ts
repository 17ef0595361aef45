import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { Service } from '#shared/workload/workload.ts';
import { originateTls, type OriginatedTls } from './originated-tls.ts';

/** How connections of one upstream are made. */
export interface UpstreamConnection {
  /** Undefined: the waypoint's. */
  readonly connectTimeoutMs: number | undefined;
  /** TLS that the waypoint itself speaks. Undefined: it passes on what it gets. */
  readonly tls: OriginatedTls | undefined;
  /** The same for all that is alike: connections made in one way are not used where another one is asked for. */
  readonly key: string;
}

export function upstreamConnection(
  { connectTimeoutMs, tls }: Pick<TrafficPolicy, 'connectTimeoutMs' | 'tls'>,
  { hostname }: Pick<Service, 'hostname'>,
): UpstreamConnection {
  if (connectTimeoutMs === undefined && tls === undefined) return AS_CONFIGURED;
  const settings = { connectTimeoutMs, tls: originateTls(tls, hostname) };
  return { ...settings, key: JSON.stringify(settings) };
}

/** Nothing is said of it. */
export const AS_CONFIGURED: UpstreamConnection = Object.freeze({
  connectTimeoutMs: undefined,
  tls: undefined,
  key: '',
});
