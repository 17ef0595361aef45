import type { Keepalive } from '#shared/engine/engine.ts';
import type { ProxyProtocol, TcpKeepalive, TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { Service } from '#shared/workload/workload.ts';
import { originateTls, type OriginatedTls } from './originated-tls.ts';
import { digestOf } from './settings-digest.ts';

/** How connections of one upstream are made. */
export interface UpstreamConnection {
  /** Undefined: the waypoint's. */
  readonly connectTimeoutMs: number | undefined;
  /** TLS that the waypoint itself speaks. Undefined: it passes on what it gets. */
  readonly tls: OriginatedTls | undefined;
  /** Of connections of the waypoint's own; those inside a tunnel have none. Undefined: the engine's. */
  readonly keepalive: Keepalive | undefined;
  /** How they tell whose they are, before anything else; each belongs to one client then. */
  readonly proxyProtocol: ProxyProtocol | undefined;
  /** The same for all that is alike: connections made in one way are not used where another one is asked for. */
  readonly key: string;
}

export function upstreamConnection(
  policy: Pick<TrafficPolicy, 'connectTimeoutMs' | 'keepalive' | 'proxyProtocol' | 'tls'>,
  { hostname }: Pick<Service, 'hostname'>,
): UpstreamConnection {
  const { connectTimeoutMs, keepalive, proxyProtocol, tls } = policy;
  const asked = connectTimeoutMs ?? keepalive ?? proxyProtocol ?? tls;
  if (asked === undefined) return AS_CONFIGURED;
  const settings = {
    connectTimeoutMs,
    tls: originateTls(tls, hostname),
    keepalive: keepalive && inSeconds(keepalive),
    proxyProtocol,
  };
  return { ...settings, key: digestOf(settings) };
}

/** Nothing is said of it. */
const AS_CONFIGURED: UpstreamConnection = Object.freeze({
  connectTimeoutMs: undefined,
  tls: undefined,
  keepalive: undefined,
  proxyProtocol: undefined,
  key: '',
});

/** The kernel's bounds, tcp(7): it counts whole seconds up to 32,767, and up to 127 probes. */
const MAX_SECONDS = 32_767;
const MAX_PROBES = 127;

function inSeconds({ intervalMs, probes, timeMs }: TcpKeepalive): Keepalive {
  const seconds = (ms: number | undefined): number | undefined =>
    ms === undefined ? undefined : Math.min(MAX_SECONDS, Math.max(1, Math.round(ms / 1_000)));
  return {
    idleSeconds: seconds(timeMs),
    intervalSeconds: seconds(intervalMs),
    probes: probes === undefined ? undefined : Math.min(MAX_PROBES, probes),
  };
}
