import type { EngineName } from '../engine/choose-engine.ts';
import type { LogFormat, LogLevel } from '../observability/logger.ts';
import type { FamilySnapshot } from '../observability/metric-set.ts';
import type { MeshDelta } from '../workload/mesh-view.ts';

/** What a worker thread is started with. */
export interface WorkerInit<Settings> {
  readonly index: number;
  readonly settings: Settings;
  readonly log: LogSetup;
  readonly engine: EngineName;
}

export interface LogSetup {
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly scopes: Readonly<Record<string, LogLevel>>;
}

/** What a tier's main thread and its workers say to each other beyond what all tiers do. */
export interface WorkerProtocol {
  readonly settings: object;
  /** Main thread → worker, without a reply. */
  readonly command: { readonly kind: string };
  /** Main thread → worker, before it has its id. The reply is `done`. */
  readonly request: { readonly kind: string };
  /** What a thread shows at `/debug/connections`. */
  readonly connections: object;
  /** Worker → main thread, unasked. */
  readonly event: { readonly kind: string };
}

/** Main thread → worker. */
export type ToWorker<P extends WorkerProtocol> = CommonToWorker | OwnToWorker<P>;

/** In every tier. */
export type CommonToWorker =
  | { readonly kind: 'delta'; readonly delta: MeshDelta }
  | { readonly kind: 'log_level'; readonly level: LogLevel; readonly scope: string | undefined }
  | (CommonRequest & { readonly id: number });

/** In one tier. */
export type OwnToWorker<P extends WorkerProtocol> = P['command'] | (P['request'] & { readonly id: number });

/** A request before it has its id. */
export type WorkerRequest<P extends WorkerProtocol> = CommonRequest | P['request'];

type CommonRequest =
  | { readonly kind: 'metrics' }
  | { readonly kind: 'connections' }
  /** Stop accepting, let what is open end, cut it at the deadline. */
  | { readonly kind: 'drain'; readonly deadlineMs: number };

/** Worker → main thread. A request gets exactly one reply with its id. */
export type FromWorker<P extends WorkerProtocol> =
  | { readonly kind: 'ready' }
  /** A delta was applied: the main thread sends no more than a few ahead. */
  | { readonly kind: 'applied' }
  | { readonly kind: 'event'; readonly event: P['event'] }
  | WorkerReply<P>;

export type WorkerReply<P extends WorkerProtocol> =
  | { readonly kind: 'done'; readonly id: number; readonly error: string | undefined }
  | { readonly kind: 'metrics'; readonly id: number; readonly families: readonly FamilySnapshot[] }
  | { readonly kind: 'connections'; readonly id: number; readonly connections: P['connections'] };
