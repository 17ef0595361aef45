import type { TlsMaterial } from '#shared/engine/engine.ts';
import type { LogFormat, LogLevel } from '#shared/observability/logger.ts';
import type { FamilySnapshot } from '#shared/observability/metric-set.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import type { ConnectionDump } from '../connections/connection-dump.ts';
import type { PodListeners } from '../pod/pod-proxy.ts';
import type { LocalWorkloadInfo } from '../pod/local-workload.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';

/** What a worker thread is started with. */
export interface WorkerInit {
  readonly index: number;
  readonly settings: TrafficSettings;
  readonly log: LogSetup;
}

export interface LogSetup {
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly scopes: Readonly<Record<string, LogLevel>>;
}

/** A local workload to carry traffic for. All descriptors belong to the main thread. */
export interface PodAssignment {
  readonly info: LocalWorkloadInfo;
  /** Undefined: the process's own namespace (`PROXY_MODE=dedicated`). Belongs to the main thread. */
  readonly netnsFd: number | undefined;
  readonly listeners: PodListeners;
}

/** Main thread → worker. */
export type ToWorker =
  | { readonly kind: 'delta'; readonly delta: MeshDelta }
  | { readonly kind: 'certificate'; readonly identity: string; readonly material: TlsMaterial }
  | { readonly kind: 'certificate_removed'; readonly identity: string }
  | { readonly kind: 'enrol'; readonly id: number; readonly pod: PodAssignment }
  | { readonly kind: 'update'; readonly info: LocalWorkloadInfo }
  /** `drainMs` 0: cut what is open. */
  | { readonly kind: 'leave'; readonly id: number; readonly podUid: string; readonly drainMs: number }
  | { readonly kind: 'log_level'; readonly level: LogLevel; readonly scope: string | undefined }
  | { readonly kind: 'metrics'; readonly id: number }
  | { readonly kind: 'connections'; readonly id: number }
  /** Stop accepting, let connections end, cut them at the deadline. */
  | { readonly kind: 'drain'; readonly id: number; readonly deadlineMs: number };

/** Worker → main thread. A request with an id gets exactly one reply with it. */
export type FromWorker =
  | { readonly kind: 'ready' }
  /** A delta was applied: the main thread sends no more than a few ahead. */
  | { readonly kind: 'applied' }
  | { readonly kind: 'done'; readonly id: number; readonly error: string | undefined }
  | { readonly kind: 'metrics'; readonly id: number; readonly families: readonly FamilySnapshot[] }
  | { readonly kind: 'connections'; readonly id: number; readonly connections: readonly ConnectionDump[] };
