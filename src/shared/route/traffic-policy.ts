import type { RetryBudgetConfig, SessionPersistence } from './model.ts';

/** How requests are spread over a service's endpoints and how connections to them are made. Undefined is the default. */
export interface TrafficPolicy extends ConnectionPool {
  readonly loadBalancer: LoadBalancer | undefined;
  readonly locality: LocalityPolicy | undefined;
  readonly slowStart: SlowStart | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly failureAccrual: FailureAccrual | undefined;
  readonly tls: TlsOrigination | undefined;
  /** Connections begin with a header that tells whose they are. */
  readonly proxyProtocol: ProxyProtocol | undefined;
  /** Endpoints are forward proxies, of what is not HTTP. */
  readonly tunnel: ForwardTunnel | undefined;
  readonly retryBudget: RetryBudgetConfig | undefined;
  /** In place of a budget and of `maxRetries`. */
  readonly retryConcurrency: RetryConcurrency | undefined;
  /** Of requests whose rule says nothing of sessions. */
  readonly session: SessionPersistence | undefined;
  /** Other services or subsets, in this order, that take over while no endpoint here is healthy. */
  readonly failover: readonly FailoverTarget[];
}

/** Versions of the PROXY protocol: as text, in binary. */
export type ProxyProtocol = 'v1' | 'v2';

/** What a forward proxy is asked for. */
export interface ForwardTunnel {
  readonly method: 'CONNECT' | 'POST';
  /** `host:port`. */
  readonly target: string;
}

export interface PortTrafficPolicy {
  readonly port: number;
  /** All of it: nothing is inherited from the service's policy. */
  readonly policy: TrafficPolicy;
}

/** Limits are of each thread's share, as they are of each proxy's in the field. Undefined is the waypoint's default. */
export interface ConnectionPool {
  readonly connectTimeoutMs: number | undefined;
  readonly maxConnections: number | undefined;
  readonly maxConnectionDurationMs: number | undefined;
  /** Of TCP connections; of HTTP ones `httpIdleTimeoutMs`. 0 is none. */
  readonly tcpIdleTimeoutMs: number | undefined;
  readonly keepalive: TcpKeepalive | undefined;
  readonly http1MaxPendingRequests: number | undefined;
  /** Active requests to the service, of whatever HTTP version. */
  readonly http2MaxRequests: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
  /** Retries under way at one time. */
  readonly maxRetries: number | undefined;
  readonly httpIdleTimeoutMs: number | undefined;
  readonly maxConcurrentStreams: number | undefined;
  /** PINGs of HTTP/2 connections. Undefined: as connections of the mesh have them. */
  readonly http2Keepalive: Http2Keepalive | undefined;
  /** HTTP/1.1 requests over HTTP/2 connections. Undefined: as the port's protocol says. */
  readonly h2Upgrade: boolean | undefined;
  /** The version the client spoke, whatever the port says. */
  readonly useClientProtocol: boolean;
}

/** Not answered in time, the connection is ended. */
export interface Http2Keepalive {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Undefined is the operating system's. */
export interface TcpKeepalive {
  readonly probes: number | undefined;
  readonly timeMs: number | undefined;
  readonly intervalMs: number | undefined;
}

export type LoadBalancer =
  | { readonly kind: 'round_robin' | 'random' | 'passthrough' }
  /** Of how many that are drawn the best is taken; undefined: two. */
  | { readonly kind: 'least_request'; readonly choices: number | undefined }
  /** Undefined: a failure counts as the time it took. */
  | { readonly kind: 'peak_ewma'; readonly penalty: FailurePenalty | undefined }
  | { readonly kind: 'backend_utilization'; readonly reports: LoadReports }
  | {
      readonly kind: 'ring_hash';
      readonly minRingSize: number;
      /** Undefined: Envoy's bound. */
      readonly maxRingSize: number | undefined;
      readonly hash: readonly HashSource[];
    }
  /** `tableSize` is a prime. */
  | { readonly kind: 'maglev'; readonly tableSize: number; readonly hash: readonly HashSource[] };

/** As what a failure (5xx, 429) counts at least, so that who fails fast does not look fast. */
export interface FailurePenalty {
  readonly penaltyMs: number;
  /** As much as the answer itself asks for (`retry-after`, `grpc-retry-pushback-ms`) counts up to this. */
  readonly maxRetryAfterMs: number;
}

/** What is made of the reports that endpoints send of their load with their answers (ORCA). */
export interface LoadReports {
  /** An endpoint's reports count when there have been some for so long. */
  readonly stabilizationMs: number;
  /** Without a new one for so long they do not. */
  readonly expirationMs: number;
  readonly updateMs: number;
  /** The share of errors times this is added to the utilization. */
  readonly errorPenalty: number;
  /** The utilization is the largest of these, such as `mem_utilization` or `named_metrics.queue`; `.*` is all of a kind. */
  readonly metrics: readonly string[];
}

/**
 * What a request is hashed by. Of several the hashes are combined; after a `terminal` one that is there the rest is not
 * looked at. A request that has none of them goes to a random endpoint.
 */
export type HashSource = { readonly terminal: boolean } & (
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly cookie: HashCookie }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'source_ip' }
);

export interface HashCookie {
  readonly name: string;
  readonly path: string | undefined;
  /** A cookie that is not there is made, for this long; 0 is a session cookie. Undefined: none is made. */
  readonly ttlMs: number | undefined;
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
}

/** Localities are written `<region>/<zone>/<subzone>`, each part may be missing from the right, `*` is any. */
export interface LocalityPolicy {
  /** False: localities play no role, whatever the service says. */
  readonly enabled: boolean;
  /** Where traffic of a locality goes, in percent; the first entry whose `from` holds decides. */
  readonly distribute: readonly LocalityDistribution[];
  /** The region that takes over for a region without healthy endpoints, before others. */
  readonly failover: readonly { readonly from: string; readonly to: string }[];
  /** Endpoints are ranked by how many of these, from the first on, they share with the waypoint. */
  readonly failoverPriority: readonly FailoverKey[];
  /** Within the region, a share of the traffic stays in the zone, as large as the zone's share of endpoints allows. */
  readonly zoneAware: ZoneAwareness | undefined;
}

export interface LocalityDistribution {
  readonly from: string;
  readonly to: readonly { readonly locality: string; readonly percent: number }[];
}

export type FailoverKey =
  | { readonly kind: 'network' | 'cluster' | 'region' | 'zone' | 'subzone' | 'node' }
  /** Endpoints with a label, resolved to uids. */
  | { readonly kind: 'workloads'; readonly workloads: readonly string[] };

export interface ZoneAwareness {
  /** With fewer endpoints in the region all its zones are used alike. */
  readonly minEndpoints: number;
  /** Of the requests that are routed so, 0–100. */
  readonly percent: number;
}

/** An endpoint that is new gets `(age / windowMs) ^ (1 / aggression)` of its weight, at least `minWeightPercent`. */
export interface SlowStart {
  readonly windowMs: number;
  readonly aggression: number;
  readonly minWeightPercent: number;
}

/** An endpoint that fails so often in a row is left out, each time longer. 0 turns a detector off. */
export interface OutlierDetection {
  readonly consecutive5xx: number;
  /** 502, 503, 504 and connections that break. */
  readonly consecutiveGatewayErrors: number;
  /** Failures to connect are counted by `consecutiveLocalOriginFailures` alone, not as 5xx. */
  readonly splitExternalLocalOriginErrors: boolean;
  readonly consecutiveLocalOriginFailures: number;
  /** Statuses that are failures, and no others; empty: 5xx. */
  readonly errorStatusCodes: readonly number[];
  /** Share of an interval's requests of which as many failures are too many, in a row or not, 0–100; undefined is off. */
  readonly failurePercent: number | undefined;
  readonly intervalMs: number;
  /** Times the number of ejections before. */
  readonly baseEjectionMs: number;
  readonly maxEjectionPercent: number;
  /** With fewer healthy endpoints than this all are used, ejected ones too; 0 is off. */
  readonly minHealthPercent: number;
}

/**
 * An endpoint that fails so often in a row, or too often of late, is left out for a time that doubles with each failure
 * after it, then tried with one request. A failure is a 5xx or a broken connection.
 */
export interface FailureAccrual {
  /** 0: failures in a row are not counted. */
  readonly consecutiveFailures: number;
  /** Undefined: no rate is watched. */
  readonly successRate: SuccessRate | undefined;
  readonly minPenaltyMs: number;
  readonly maxPenaltyMs: number;
  /** The share of the penalty of which a random part is added to it, 0–100. */
  readonly jitter: number;
}

/** Of the answers of an endpoint; 429 is no success. */
export interface SuccessRate {
  /** 0–1: a lower rate is too low. */
  readonly threshold: number;
  readonly windowMs: number;
  readonly minRequests: number;
}

/** TLS by the waypoint towards endpoints. */
export interface TlsOrigination {
  /** `mesh`: the mesh's own certificate is shown. */
  readonly mode: 'disable' | 'simple' | 'mutual' | 'mesh';
  /** Undefined: the host name of the service. */
  readonly serverName: string | undefined;
  /** One must be in the server's certificate; empty: `serverName` must be. */
  readonly subjectAltNames: readonly string[];
  readonly trustedRoots: TrustedRoots;
  /** In the waypoint's own file system, PEM; beside those of a Secret. */
  readonly revocationListFile: string | undefined;
  /** With `mutual`. */
  readonly clientCertificate: ClientCertificate | undefined;
  /** A Secret, `<namespace>/<name>`, that holds both (`TlsCredential`); roots named above go before its own. */
  readonly credential: string | undefined;
  readonly skipVerification: boolean;
  /** Empty: what the port's protocol asks for. */
  readonly alpn: readonly string[];
  /** A connection that its client has encrypted already is passed on as it is. False: TLS is spoken around its own. */
  readonly passesClientTls: boolean;
}

export type TrustedRoots =
  /** What the operating system trusts. */
  | { readonly kind: 'system' }
  | { readonly kind: 'pem'; readonly pem: string }
  /** In the waypoint's own file system. */
  | { readonly kind: 'file'; readonly path: string }
  /** Of a Secret, `<namespace>/<name>`. */
  | { readonly kind: 'credential'; readonly name: string }
  /** Nobody, and why: what is named is not there, or of no use. Connections fail. */
  | { readonly kind: 'unresolved'; readonly reason: string };

/** Files in the waypoint's own file system, PEM. */
export interface ClientCertificate {
  readonly certificateFile: string;
  readonly privateKeyFile: string;
}

export interface FailoverTarget {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  readonly subset: string | undefined;
}

/** How many retries may be under way at one time, those that wait for theirs included. */
export interface RetryConcurrency {
  /** Of the requests under way. */
  readonly ratio: number;
  /** So many may always be. */
  readonly minimum: number;
  /** Requests that began within this count too, even when they are over; 0: none do. */
  readonly intervalMs: number;
}

export const DEFAULT_POOL: ConnectionPool = Object.freeze({
  connectTimeoutMs: undefined,
  maxConnections: undefined,
  maxConnectionDurationMs: undefined,
  tcpIdleTimeoutMs: undefined,
  keepalive: undefined,
  http1MaxPendingRequests: undefined,
  http2MaxRequests: undefined,
  maxRequestsPerConnection: undefined,
  maxRetries: undefined,
  httpIdleTimeoutMs: undefined,
  maxConcurrentStreams: undefined,
  http2Keepalive: undefined,
  h2Upgrade: undefined,
  useClientProtocol: false,
});

export const NO_TRAFFIC_POLICY: TrafficPolicy = Object.freeze({
  ...DEFAULT_POOL,
  loadBalancer: undefined,
  locality: undefined,
  slowStart: undefined,
  outlierDetection: undefined,
  failureAccrual: undefined,
  tls: undefined,
  proxyProtocol: undefined,
  tunnel: undefined,
  retryBudget: undefined,
  retryConcurrency: undefined,
  session: undefined,
  failover: [],
});
