import type { TlsMaterial } from '#shared/engine/engine.ts';
import type { LogFormat, LogLevel } from '#shared/observability/logger.ts';
import type { FamilySnapshot } from '#shared/observability/metric-set.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import type { TrafficSettings } from './settings.ts';

/** What a worker thread is started with. */
export interface WorkerInit {
  readonly index: number;
  readonly settings: TrafficSettings;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/** Main thread → worker. */
export type ToWorker =
  | { readonly kind: 'delta'; readonly delta: MeshDelta }
  | { readonly kind: 'certificate'; readonly material: TlsMaterial }
  | { readonly kind: 'log_level'; readonly level: LogLevel; readonly scope: string | undefined }
  /** Open the listeners: the worker knows the mesh. */
  | { readonly kind: 'listen'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number }
  | { readonly kind: 'dump'; readonly id: number }
  /** Stop accepting, let requests end, cut what is left at the deadline. */
  | { readonly kind: 'drain'; readonly id: number; readonly deadlineMs: number };

/** Worker → main thread. A message with an id gets exactly one reply with it. */
export type FromWorker =
  | { readonly kind: 'ready' }
  /** A delta was applied: the main thread sends no more than a few ahead. */
  | { readonly kind: 'applied' }
  | { readonly kind: 'done'; readonly id: number; readonly error: string | undefined }
  | { readonly kind: 'metrics'; readonly id: number; readonly families: readonly FamilySnapshot[] }
  | { readonly kind: 'dump'; readonly id: number; readonly dump: object };
