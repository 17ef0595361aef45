import type { AuthzConnection } from '#shared/authz/connection.ts';
import type { Denials } from '#shared/authz/denials.ts';
import type { ByteChannel, SocketEndpoint } from '#shared/engine/channel.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import type { AccessLog } from '#shared/observability/access-log.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { TcpMetrics } from '#shared/observability/tcp-metrics.ts';
import type { RouteCaller } from '#shared/route/compiled-match.ts';
import { formatHostPort, ipFromBytes } from '#shared/workload/ip.ts';
import type { TrafficSplit } from '../balance/traffic-split.ts';
import type { AwaitedHosts } from '../hosts/awaited-hosts.ts';
import type { ThreadFilters } from '../filters/thread-filters.ts';
import type { OverloadMonitor } from '../overload/overload-monitor.ts';
import type { ServiceDirectory } from '../services/service-directory.ts';
import type { ServiceState } from '../services/service-state.ts';
import type { EndedRequests } from './ended-requests.ts';
import type { OpenTunnels } from './open-tunnels.ts';
import type { ThreadTracer } from '../tracing/thread-tracer.ts';
import type { ThreadTaps } from '../tap/thread-taps.ts';
import type { ClassifiedRequests } from '../telemetry/classified-requests.ts';
import type { RequestLog } from '../telemetry/request-log.ts';
import type { PairCells, RequestMetrics, RequestPeers } from '../telemetry/request-metrics.ts';
import type { RetryMetrics } from '../telemetry/retries.ts';
import type { PoolClient } from '../upstream/client-pools.ts';
import type { EndpointPools, UpstreamProtocol } from '../upstream/endpoint-pools.ts';
import type { ClientEnds } from '../upstream/proxy-header.ts';

/** What every request of one thread shares. */
export interface RequestEnvironment {
  readonly clock: Clock;
  /** Of a fine tick: timeouts of routes and backoff. */
  readonly timers: CoarseTimers;
  /** Of a coarse tick: what may be seconds late. */
  readonly connectionTimers: CoarseTimers;
  readonly streamIdleTimeoutMs: number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly services: ServiceDirectory;
  readonly split: TrafficSplit;
  readonly pools: EndpointPools;
  readonly logger: Logger;
  readonly metrics: RequestMetrics;
  readonly retries: RetryMetrics;
  /** Of requests and connections. */
  readonly denials: Denials;
  /** By routes that say what a failure is. */
  readonly classified: ClassifiedRequests;
  /** Of what is passed on as connections. */
  readonly tcpMetrics: TcpMetrics;
  readonly requestLog: RequestLog;
  readonly connectionLog: AccessLog;
  readonly accessLogMode: AccessLogMode;
  readonly taps: ThreadTaps;
  readonly filters: ThreadFilters;
  /** Undefined: nothing is traced. */
  readonly tracer: ThreadTracer | undefined;
  readonly overload: OverloadMonitor;
  /** Of services that list no endpoints. */
  readonly hosts: AwaitedHosts;
  readonly inFlight: InFlight;
  /** Records that are complete. */
  readonly ended: EndedRequests;
  readonly tunnels: OpenTunnels;
}

/** Not known. */
const NO_IP = new Uint8Array();

export type AccessLogMode = 'all' | 'errors' | 'off';

/** Requests and connections that a drain waits for. */
export class InFlight {
  #count = 0;
  #onEmpty: (() => void) | undefined;

  get count(): number {
    return this.#count;
  }

  enter(): void {
    this.#count++;
  }

  leave(): void {
    this.#count--;
    if (this.#count === 0) this.#onEmpty?.();
  }

  whenEmpty(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise(resolve => {
      this.#onEmpty = resolve;
    });
  }
}

/** Where a downstream connection comes from, and where it was to go. */
export interface DownstreamEnds {
  /** The original source where it is known. */
  readonly source: SocketEndpoint;
  /** An address, a host name, or empty where that is not known. */
  readonly dialled: string;
  /** The connection itself where the client made it to the waypoint. */
  readonly accepted: ByteChannel | undefined;
}

/** One downstream connection: what its requests have in common. */
export class Downstream implements PoolClient {
  readonly env: RequestEnvironment;
  readonly port: number;
  readonly peers: RequestPeers;
  readonly authz: AuthzConnection;
  readonly caller: RouteCaller;
  /** `ip:port`, of the original source where it is known. */
  readonly sourceAddress: string;
  protocol: UpstreamProtocol = 'http1';
  /** Cells of the last pair of peers: most connections only ever see one. */
  pair: PairCells | undefined;
  pairService: object | undefined;
  pairEndpoint: object | undefined;
  pairOverrides: object | undefined;
  readonly #ends: DownstreamEnds;
  #service: ServiceState;

  constructor(
    env: RequestEnvironment,
    service: ServiceState,
    port: number,
    peers: RequestPeers,
    authz: AuthzConnection,
    ends: DownstreamEnds,
  ) {
    this.env = env;
    this.#service = service;
    this.port = port;
    this.peers = peers;
    this.authz = authz;
    this.caller = { namespace: authz.namespace, workload: peers.source?.uid };
    this.sourceAddress = formatHostPort(ends.source.ip, ends.source.port);
    this.#ends = ends;
  }

  /** Where the client's connection was to go: an address, a host name, or empty where that is not known. */
  get dialled(): string {
    return this.#ends.dialled;
  }

  /** Of a host name that was dialled, an address of the service is the other end. */
  get ends(): ClientEnds {
    const { accepted, source } = this.#ends;
    const { destinationIpBytes: ip = NO_IP, destinationPort: port } = this.authz;
    return { source, destination: accepted?.localAddress ?? { ip: ipFromBytes(ip) ?? '', port } };
  }

  /** It has ended. */
  close(): void {
    this.env.pools.leave(this);
  }

  /** As of now; the last one known of a service that is gone. */
  get service(): ServiceState {
    if (this.#service.stale) this.#service = this.env.services.get(this.#service.name) ?? this.#service;
    return this.#service;
  }
}
