import type { CongestionPolicy } from '#shared/engine/congestion-policy.ts';
import type { Locality } from '#shared/workload/workload.ts';
import type { AccessLogMode } from '../request/environment.ts';

/** Plain data: what a traffic thread has to know, fit for a structured clone. */
export interface TrafficSettings {
  /** SPIFFE id of the waypoint. */
  readonly identity: string;
  readonly namespace: string;
  /** Host name of its own Service, by which services refer to it. */
  readonly hostname: string;
  readonly network: string;
  /** How many threads carry the waypoint's traffic. */
  readonly threads: number;
  readonly clusterId: string;
  readonly nodeName: string;
  readonly ips: readonly string[];
  /** Where its own workload is not known yet. */
  readonly locality: Locality;
  readonly listen: PortToListen | undefined;
  readonly plaintext: PlaintextListen | undefined;
  readonly accessLog: AccessLogMode;
  readonly connectTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly poolIdleTimeoutMs: number;
  readonly downstreamIdleTimeoutMs: number;
  readonly requestHeadTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  readonly detectionTimeoutMs: number;
  readonly maxRequestBytes: number;
  /** Nobody waits longer for a connection to an endpoint. */
  readonly queueTimeoutMs: number;
  /** Infinity: load is never shed for a late event loop. */
  readonly overloadLagMs: number;
  /** In progress, of all threads together. */
  readonly maxRequests: number;
  /** Undefined: as the kernel does by itself. */
  readonly tunnelCongestion: CongestionPolicy | undefined;
  /** Share of requests that begin a trace, 0 to 1; undefined: nothing is traced. */
  readonly traceSamplingRatio: number | undefined;
}

export interface PortToListen {
  readonly ip: string;
  readonly port: number;
}

/** For benchmarks and tests: connections without TLS, taken as coming from outside the mesh for one service. */
export interface PlaintextListen extends PortToListen {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  readonly servicePort: number;
}
