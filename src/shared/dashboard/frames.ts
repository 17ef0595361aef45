/*
 * What the dashboard's server tells its page. Each frame is the whole state of one view, so that one that is left out, for a page that does
 * not keep up, does no harm. `null` is what is not known, or not measured.
 */

/** Of every view. */
export interface Head {
  /** By the server's clock, ms since 1970. */
  readonly atMs: number;
  readonly version: string;
  /** Which mesh. */
  readonly mesh: string;
  /** Options that make ambientctl ask the same mesh: ` --context prod`. */
  readonly cliOptions: string;
  /** Or on one machine. */
  readonly isCluster: boolean;
  /** Rates are over so many seconds; 0: the first are being measured. */
  readonly windowSeconds: number;
  readonly namespaces: readonly string[];
  /** What could not be asked, and is missing. */
  readonly warnings: readonly string[];
  readonly errorCount: number;
  readonly refusalCount: number;
}

/** What passed between two ends, or to one, over the window. */
export interface Figures {
  /** Requests per second; null: none were seen, or only the connections of them. */
  readonly rps: number | null;
  /** Of 1. */
  readonly success: number | null;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** From clients. */
  readonly requestBytesPerSecond: number;
  /** To clients. */
  readonly responseBytesPerSecond: number;
  readonly openConnections: number;
  readonly connectionsPerSecond: number;
  /** Requests and connections that policy refused, per second. */
  readonly deniedPerSecond: number;
  /** Connections that failed for another reason, per second. */
  readonly failedPerSecond: number;
}

export const NODE_KINDS = ['service', 'workload', 'waypoint', 'outside'] as const;

export interface GraphNode {
  /** `service/shop/payments`, `workload/shop/orders`, `outside`. */
  readonly id: string;
  readonly kind: (typeof NODE_KINDS)[number];
  readonly namespace: string;
  readonly name: string;
  readonly pods: number;
  readonly healthyPods: number;
  /** How many of its pods are in the mesh. */
  readonly meshedPods: number;
  /** The waypoint it asks for, `shop/waypoint`, or empty. */
  readonly waypoint: string;
}

/** `mixed`: some of it, or a part of the way, is plaintext. `unknown`: nothing was connected yet. */
export const SECURITY = ['mutual_tls', 'mixed', 'plaintext', 'unknown'] as const;
export type Security = (typeof SECURITY)[number];

export interface GraphEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly security: Security;
  /** Proved by certificates. */
  readonly sourceIdentities: readonly string[];
  readonly destinationIdentities: readonly string[];
  /** Waypoints it passes. */
  readonly waypoints: readonly string[];
  readonly figures: Figures;
  /** Something passed within the window, or a connection is open. */
  readonly active: boolean;
  /** So many were refused by policy as long as the server remembers. */
  readonly denied: number;
}

export const GRAPH_KINDS = ['service', 'workload'] as const;
export type GraphKind = (typeof GRAPH_KINDS)[number];

export interface GraphFrame {
  readonly view: 'graph';
  readonly head: Head;
  readonly by: GraphKind;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** Nodes that are not shown because there are too many. */
  readonly leftOut: number;
}

export interface ServiceRow {
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly waypoint: string;
  readonly pods: number;
  readonly healthyPods: number;
  readonly meshedPods: number;
  readonly figures: Figures;
}

export interface ServicesFrame {
  readonly view: 'services';
  readonly head: Head;
  readonly rows: readonly ServiceRow[];
  readonly leftOut: number;
}

export interface WorkloadRow {
  readonly namespace: string;
  readonly name: string;
  readonly pods: readonly PodRow[];
  readonly identity: string;
  readonly services: readonly string[];
  readonly waypoint: string;
  readonly isWaypoint: boolean;
  readonly figures: Figures;
}

export interface PodRow {
  readonly name: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly healthy: boolean;
  /** `HBONE`, or how else it is reached. */
  readonly protocol: string;
}

export interface WorkloadsFrame {
  readonly view: 'workloads';
  readonly head: Head;
  readonly rows: readonly WorkloadRow[];
  readonly leftOut: number;
}

export interface ProxyRow {
  readonly name: string;
  readonly kind: 'ztunnel' | 'waypoint' | 'controller';
  readonly namespace: string;
  readonly node: string;
  /** Empty: not known. */
  readonly version: string;
  readonly engine: string;
  /** Why it could not be asked; empty when it answered. */
  readonly error: string;
  /** The controller it is connected to; empty: none. */
  readonly controller: string;
  readonly types: readonly TypeState[];
  readonly certificates: readonly CertificateRow[];
}

export interface TypeState {
  readonly type: string;
  /** `synced`, `stale`, `nack`. */
  readonly state: string;
  readonly pending: number;
  /** Since when, ms since 1970. */
  readonly sinceMs: number | null;
  readonly reason: string;
}

export interface CertificateRow {
  readonly identity: string;
  readonly state: string;
  readonly error: string;
  readonly valid: boolean;
  readonly notBeforeMs: number | null;
  readonly notAfterMs: number | null;
}

export interface ProxiesFrame {
  readonly view: 'proxies';
  readonly head: Head;
  readonly rows: readonly ProxyRow[];
  readonly leftOut: number;
}

export interface PolicyRow {
  readonly namespace: string;
  readonly name: string;
  readonly action: string;
  readonly scope: string;
  readonly dryRun: boolean;
  readonly rules: number;
  /** Held by the ztunnels of these workloads. */
  readonly workloads: readonly string[];
  /** Held by the waypoints of these services. */
  readonly services: readonly string[];
  /** What it refused, as long as the server remembers; of ALLOW policies what none of them matched. */
  readonly refused: number;
}

export interface PoliciesFrame {
  readonly view: 'policies';
  readonly head: Head;
  readonly rows: readonly PolicyRow[];
  readonly leftOut: number;
}

export interface ProblemRow {
  readonly level: 'Error' | 'Warning';
  /** `HTTPRoute shop/split`, `ztunnel ztunnel-a`. */
  readonly object: string;
  readonly field: string;
  readonly message: string;
  readonly fix: string;
}

/** Refusals and failures that are alike, together. */
export interface RefusalRow {
  /** By a policy, or something else went wrong. */
  readonly kind: 'denied' | 'failed';
  readonly lastMs: number;
  readonly count: number;
  readonly source: string;
  readonly sourceIdentity: string;
  readonly destination: string;
  /** Service that was asked for; empty: a pod's own address. */
  readonly service: string;
  /** `GET /charge`; empty for connections. */
  readonly request: string;
  readonly reason: string;
  /** `shop/deny-orders`; empty when none is to blame, or several are. */
  readonly policy: string;
  /** Index of its rule. */
  readonly rule: number | null;
  /** Which proxy said so. */
  readonly proxy: string;
}

export interface ProblemsFrame {
  readonly view: 'problems';
  readonly head: Head;
  readonly problems: readonly ProblemRow[];
  readonly refusals: readonly RefusalRow[];
  /** Of both. */
  readonly leftOut: number;
}

/** Of one measurement. */
export interface HistoryPoint {
  readonly atMs: number;
  readonly figures: Figures;
}

/** One service or workload. */
export interface DetailFrame {
  readonly view: 'detail';
  readonly head: Head;
  readonly by: GraphKind;
  /** Null: nothing of this name is known (any more). */
  readonly node: GraphNode | null;
  readonly pods: readonly PodRow[];
  /** Of a workload, those it is an endpoint of. */
  readonly services: readonly string[];
  readonly figures: Figures;
  readonly history: readonly HistoryPoint[];
  /** With the nodes at their other ends. */
  readonly inbound: readonly GraphEdge[];
  readonly outbound: readonly GraphEdge[];
  readonly others: readonly GraphNode[];
  readonly refusals: readonly RefusalRow[];
  readonly problems: readonly ProblemRow[];
}

export type Frame =
  | GraphFrame
  | ServicesFrame
  | WorkloadsFrame
  | ProxiesFrame
  | PoliciesFrame
  | ProblemsFrame
  | DetailFrame;
export type ViewName = Frame['view'];

/** What applies to a service or pod, hop by hop: what `ambientctl describe` says. */
export interface DescriptionReply {
  readonly title: string;
  readonly facts: readonly FactLine[];
  readonly hopsTitle: string;
  readonly hops: readonly HopLine[];
  readonly warnings: readonly string[];
}

export interface FactLine {
  readonly name: string;
  readonly value: string;
}

export interface HopLine {
  readonly name: string;
  readonly why: string;
  readonly facts: readonly FactLine[];
  /** In the order in which they are evaluated; null: not evaluated there, or not known. */
  readonly policies: readonly HopPolicy[] | null;
  /** What a connection meets that no policy names. */
  readonly verdict: string;
  readonly routes: readonly HopRoute[];
}

export interface HopPolicy {
  readonly name: string;
  readonly action: string;
  readonly scope: string;
  readonly dryRun: boolean;
}

export interface HopRoute {
  readonly name: string;
  readonly ports: string;
  readonly backends: string;
  readonly state: string;
}

/** A request that a waypoint shows as it passes; first when it has come, again when it is over. */
export interface TapEvent {
  /** The same in both. */
  readonly key: string;
  readonly over: boolean;
  readonly atMs: number;
  readonly source: string;
  readonly secure: boolean;
  readonly service: string;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly status: string;
  readonly durationMs: number | null;
  readonly destination: string;
  readonly route: string;
  readonly flags: string;
  readonly error: string;
}

/** Why there is nothing (more) to see. */
export interface TapNote {
  readonly note: string;
}
